"""The token set: how to ask for it, how to judge the answer, and what a provider gave us for a person until when."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Any

from st_auth.errors import LoginRefused, ProviderError, StAuthError
from st_auth.oauth.authorization import Grant
from st_auth.oauth.client_auth import ClientRequest, authenticated
from st_auth.oauth.metadata import Metadata
from st_auth.oauth.profile import Provider
from st_auth.oauth.resource import resource_parameters
from st_auth.oauth.violations import hint_of, printable, protocol_violation
from st_auth.secret import Secret

__all__ = ["TokenSet", "code_request", "judge_refresh_response", "judge_token_response", "refresh_request", "refusal", "revocation_request"]

TOKEN_LIMIT = 16 * 1024
LIFETIME_LIMIT = 10 * 366 * 86_400
LONGEST_MARGIN = timedelta(seconds=60)
MARGIN_PART = 10
_VISIBLE = re.compile("[!-~]*")


@dataclass(frozen=True, slots=True)
class TokenSet:
    """Access, refresh and ID token of one person at one provider (RFC 6749 section 5.1, OpenID Connect Core section 3.1.3.3).

    `expires_at` is None where the provider did not say. `margin` is how long before that a new one is worth asking for.
    """

    access_token: Secret[str]
    token_type: str
    expires_at: datetime | None
    refresh_token: Secret[str] | None
    id_token: Secret[str] | None
    scope: tuple[str, ...]
    margin: timedelta = LONGEST_MARGIN

    def is_fresh(self, now: datetime) -> bool:
        """Say whether the access token outlives `margin`; one of unknown lifetime counts as fresh until it is refused."""
        return self.expires_at is None or now + self.margin < self.expires_at

    def is_valid(self, now: datetime) -> bool:
        """Say whether the access token has not expired yet, as far as we know."""
        return self.expires_at is None or now < self.expires_at


def code_request(grant: Grant, provider: Provider, metadata: Metadata, now: datetime) -> ClientRequest:
    """Ask for tokens in exchange for a code (RFC 6749 section 4.1.3, RFC 7636 section 4.5, RFC 8707 section 2.2)."""
    form = {
        "grant_type": "authorization_code",
        "code": grant.code.reveal(),
        "redirect_uri": grant.redirect_uri,
        "code_verifier": grant.code_verifier.reveal(),
    }
    return authenticated([*form.items(), *resource_parameters(provider)], provider, metadata, now)


def refresh_request(refresh_token: Secret[str], provider: Provider, metadata: Metadata, now: datetime, resource: str = "") -> ClientRequest:
    """Ask for a fresh access token of the same scope, for `resource` or else for the configured ones (RFC 6749 section 6, RFC 8707)."""
    resources = [("resource", resource)] if resource else resource_parameters(provider)
    form = [("grant_type", "refresh_token"), ("refresh_token", refresh_token.reveal()), *resources]
    return authenticated(form, provider, metadata, now)


def revocation_request(token: Secret[str], kind: str, provider: Provider, metadata: Metadata, now: datetime) -> ClientRequest:
    """Ask the provider to forget a token; `kind` is `refresh_token` or `access_token` (RFC 7009 section 2.1)."""
    return authenticated([("token", token.reveal()), ("token_type_hint", kind)], provider, metadata, now)


def judge_refresh_response(status: int, answer: Mapping[str, Any], before: TokenSet, now: datetime) -> TokenSet:
    """Accept the answer to a refresh, or refuse it (RFC 6749 section 6, Core 1.0 section 12.2).

    Refresh token and ID token stay where the answer has none. Raises like `judge_token_response`, with `LoginRefused` for a grant
    that is over.
    """
    after = judge_token_response(status, answer, (), now)
    return replace(
        after,
        refresh_token=after.refresh_token or before.refresh_token,
        id_token=after.id_token or before.id_token,
        scope=after.scope or before.scope,
    )


def judge_token_response(status: int, answer: Mapping[str, Any], scopes: tuple[str, ...], now: datetime) -> TokenSet:
    """Accept a token response to a request for `scopes`, or refuse it (RFC 6749 section 5, Core 1.0 section 3.1.3.3).

    Raises `LoginRefused` for a code that the provider does not take, `ProviderError` for all else.
    """
    if "error" in answer or status != HTTPStatus.OK:
        raise _refusal(answer)
    access_token = _token(answer, "access_token")
    if access_token is None:
        raise protocol_violation("access_token", "present")
    _require_bearer(answer.get("token_type"))
    id_token = _token(answer, "id_token")
    if id_token is None and "openid" in scopes:
        raise protocol_violation("id_token", "present, as the scope has openid")
    lifetime = _lifetime(answer.get("expires_in"))
    return TokenSet(
        access_token=access_token,
        token_type="Bearer",  # noqa: S106  # the only kind we take, in its usual spelling
        expires_at=None if lifetime is None else now + lifetime,
        refresh_token=_token(answer, "refresh_token"),
        id_token=id_token,
        scope=_scope(answer.get("scope"), scopes),
        margin=LONGEST_MARGIN if lifetime is None else min(LONGEST_MARGIN, lifetime / MARGIN_PART),
    )


def refusal(message: str, answer: Mapping[str, Any]) -> ProviderError:
    """The error for a request that the provider refused, with what it says of the reason (RFC 6749 section 5.2)."""
    error, description = printable(answer.get("error")), printable(answer.get("error_description"))
    return ProviderError(message, code="request_refused", error=error, description=description, hint=hint_of(error))


def _refusal(answer: Mapping[str, Any]) -> StAuthError:
    if answer.get("error") == "invalid_grant":
        message = "The provider did not take the code or the refresh token, or took it before."
        return LoginRefused(message, code="invalid_grant", hint="Log in again.")
    return refusal("The provider refused the token request.", answer)


def _token(answer: Mapping[str, Any], name: str) -> Secret[str] | None:
    """Return a token that is safe in a header: printable ASCII without spaces, at most 16 KiB (ID tokens 64 KiB)."""
    value = answer.get(name)
    if value is None or value == "":
        return None
    limit = 4 * TOKEN_LIMIT if name == "id_token" else TOKEN_LIMIT
    if not isinstance(value, str) or len(value) > limit or not _VISIBLE.fullmatch(value):
        raise protocol_violation(name, f"at most {limit} printable ASCII characters without spaces")
    return Secret(value)


def _require_bearer(token_type: object) -> None:
    if not isinstance(token_type, str) or token_type.lower() != "bearer":
        raise protocol_violation("token_type", "Bearer")


def _lifetime(expires_in: object) -> timedelta | None:
    """Read a lifetime as number or numeric string; a senseless one counts as not given (RFC 6749 section 5.1)."""
    if isinstance(expires_in, str) and expires_in.isascii() and expires_in.isdigit():
        expires_in = int(expires_in[:12])
    if isinstance(expires_in, bool) or not isinstance(expires_in, int | float) or not 0 < expires_in <= LIFETIME_LIMIT:
        return None
    return timedelta(seconds=expires_in)


def _scope(scope: object, asked: tuple[str, ...]) -> tuple[str, ...]:
    """Return the granted scope, which is the one asked for where the answer is silent (RFC 6749 section 5.1)."""
    if scope is None or scope == "":
        return asked
    if not isinstance(scope, str):
        raise protocol_violation("scope", "a string")
    return tuple(scope.split())
