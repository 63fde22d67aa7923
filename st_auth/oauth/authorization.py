"""Ask for a login by way of the browser, and judge what came back: did our provider answer, to us, the question we asked?"""

import hmac
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import parse_qsl

from authlib.oauth2.rfc7636 import create_s256_code_challenge

from st_auth.errors import LoginRefused, ProviderError, StAuthError, Unavailable
from st_auth.oauth.metadata import Metadata
from st_auth.oauth.pending import PendingLogin
from st_auth.oauth.profile import Provider
from st_auth.oauth.resource import resource_parameters
from st_auth.oauth.urls import with_query
from st_auth.oauth.violations import hint_of, printable
from st_auth.secret import Secret

__all__ = ["Grant", "authorization_parameters", "authorization_url", "judge_response", "new_code_verifier", "new_token"]

PENDING_LIMIT = timedelta(minutes=10)
LEEWAY = timedelta(seconds=60)
QUERY_LIMIT = 16 * 1024


@dataclass(frozen=True, slots=True)
class Grant:
    """The validated right to ask for tokens; only `judge_response` makes one."""

    code: Secret[str]
    code_verifier: Secret[str]
    redirect_uri: str


def new_token() -> str:
    """Return 256 random bits as 43 characters, for `state` and `nonce` (RFC 6749 section 10.10)."""
    return secrets.token_urlsafe(32)


def new_code_verifier() -> Secret[str]:
    """Return a fresh verifier of 64 unreserved characters, 384 random bits (RFC 7636 section 4.1)."""
    return Secret(secrets.token_urlsafe(48))


def authorization_parameters(
    provider: Provider, pending: PendingLogin, *, prompt: str | None = None, login_hint: str | None = None
) -> list[tuple[str, str]]:
    """Return what is asked (RFC 6749 section 4.1.1, OpenID Connect Core 1.0 section 3.1.2.1), by the address bar or pushed.

    Always code flow, with state, nonce and PKCE S256 even where the metadata does not mention it (RFC 9700 section 2.1.1).
    `prompt` wins over the configured one; none of ours can be replaced by configured parameters. A provider without OpenID gets
    neither nonce nor prompt, which are OpenID's.
    """
    wished: dict[str, str] = dict(provider.authorization_parameters)
    if prompt is not None and provider.openid:
        wished["prompt"] = prompt
    if pending.max_age is not None:
        wished["max_age"] = str(pending.max_age)
    if pending.acr:
        wished["acr_values"] = " ".join(pending.acr)
    if login_hint:
        wished["login_hint"] = login_hint
    ours = {
        "response_type": "code",
        "client_id": provider.client_id,
        "redirect_uri": pending.redirect_uri,
        "scope": " ".join(provider.scopes),
        "state": pending.state,
        **({"nonce": pending.nonce.reveal()} if provider.openid else {}),
        "code_challenge": create_s256_code_challenge(pending.code_verifier.reveal()),
        "code_challenge_method": "S256",
    }
    others = {name: value for name, value in wished.items() if value and name not in ours}
    return [*ours.items(), *others.items(), *resource_parameters(provider)]


def authorization_url(metadata: Metadata, parameters: Sequence[tuple[str, str]]) -> str:
    """Return the URL that the browser is sent to, with the whole question in it."""
    return with_query(metadata.authorization_endpoint, parameters)


def judge_response(query: str, metadata: Metadata, pending: PendingLogin, now: datetime) -> Grant:
    """Accept an authorization response, or refuse it (RFC 6749 section 4.1.2, RFC 9207 section 2.4).

    `query` is the callback's raw query string. Raises `LoginRefused`, `ProviderError` or `Unavailable`.
    """
    response = _parameters(query)
    _require_state(response.get("state", ""), pending.state)
    _require_issuer(response.get("iss"), metadata)
    _require_recent(pending.created_at, now)
    code, error = response.get("code"), response.get("error")
    if code and error:
        raise _mismatch("code", "The answer holds both a code and an error.")
    if error:
        raise _refusal(error, response.get("error_description"))
    if not code:
        raise _mismatch("code", "The answer holds no code.")
    return Grant(Secret(code), pending.code_verifier, pending.redirect_uri)


def _parameters(query: str) -> Mapping[str, str]:
    if len(query) > QUERY_LIMIT or not query.isascii():
        raise _mismatch("query", "The answer cannot be read.")
    try:
        pairs = parse_qsl(query, keep_blank_values=True, errors="strict", max_num_fields=50)
    except ValueError:
        raise _mismatch("query", "The answer cannot be read.") from None
    parameters = dict(pairs)
    if len(parameters) != len(pairs):
        raise _mismatch("query", "The answer holds a parameter twice (RFC 6749 section 3.1).")
    return parameters


def _require_state(received: str, expected: str) -> None:
    if not hmac.compare_digest(received.encode(), expected.encode()):
        raise _mismatch("state", "The answer belongs to another attempt to log in.")


def _require_issuer(received: str | None, metadata: Metadata) -> None:
    if received is None and not metadata.authorization_response_iss_parameter_supported:
        return
    if received != metadata.issuer:
        raise _mismatch("iss", "The answer comes from another provider than the one that was asked.")


def _require_recent(created_at: datetime, now: datetime) -> None:
    if not -LEEWAY <= now - created_at <= PENDING_LIMIT:
        raise LoginRefused("This attempt to log in took longer than ten minutes.", code="expired", hint="Log in again.")


def _mismatch(parameter: str, message: str) -> LoginRefused:
    return LoginRefused(message, code="response_mismatch", parameter=parameter, hint="Log in again.")


_PERSON = {"access_denied", "account_selection_required", "consent_required", "interaction_required", "login_required"}
_LATER = {"server_error", "temporarily_unavailable"}


def _refusal(error: str, description: str | None) -> StAuthError:
    """Sort an error response by who must act (RFC 6749 section 4.1.2.1, OpenID Connect Core 1.0 section 3.1.2.6)."""
    if error in _PERSON:
        return LoginRefused("The provider did not let this login through.", code=error, hint="Log in again.")
    if error in _LATER:
        return Unavailable("The provider cannot answer just now.", code="provider")
    return ProviderError(
        "The provider refused the authorization request.",
        code="request_refused",
        error=printable(error),
        description=printable(description),
        hint=hint_of(error) or "Compare client_id, redirect_uri and scopes with what is registered at the provider.",
    )
