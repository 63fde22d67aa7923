"""One token for another: exchange (RFC 8693), and on-behalf-of as Entra has it (RFC 7523 section 2.1)."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from st_auth.oauth.client_auth import ClientRequest, authenticated
from st_auth.oauth.metadata import Metadata
from st_auth.oauth.profile import Provider
from st_auth.oauth.tokens import TokenSet, judge_token_response
from st_auth.oauth.violations import protocol_violation
from st_auth.secret import Secret

__all__ = ["exchange_request", "judge_exchange_response"]

_TOKEN_EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"  # noqa: S105  # the name of a grant
_JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"  # noqa: S105  # the name of a kind of token
_JWT = "urn:ietf:params:oauth:token-type:jwt"


def exchange_request(subject_token: Secret[str], target: str, provider: Provider, metadata: Metadata, now: datetime) -> ClientRequest:
    """Ask for a token that the app may use at `target` in the person's name.

    Where the provider exchanges tokens (RFC 8693 section 2.1), a target with a scheme is its `resource`, any other its `audience`.
    Where it acts on behalf of people (`exchange = "jwt-bearer"`), the target is the scope.
    """
    if provider.exchange == "jwt-bearer":
        form = [
            ("grant_type", _JWT_BEARER),
            ("assertion", subject_token.reveal()),
            ("requested_token_use", "on_behalf_of"),
            ("scope", target),
        ]
    else:
        form = [
            ("grant_type", _TOKEN_EXCHANGE),
            ("subject_token", subject_token.reveal()),
            ("subject_token_type", _ACCESS_TOKEN),
            ("requested_token_type", _ACCESS_TOKEN),
            ("resource" if "://" in target else "audience", target),
        ]
    return authenticated(form, provider, metadata, now)


def judge_exchange_response(status: int, answer: Mapping[str, Any], provider: Provider, now: datetime) -> TokenSet:
    """Accept the answer to an exchange, or refuse it (RFC 8693 section 2.2.1). Raises like `judge_token_response`."""
    tokens = judge_token_response(status, answer, (), now)
    if provider.exchange != "jwt-bearer" and answer.get("issued_token_type") not in (_ACCESS_TOKEN, _JWT):
        raise protocol_violation("issued_token_type", "an access token")
    return tokens
