"""Pushed authorization requests: the question goes from server to server, and the browser only carries its number (RFC 9126)."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from http import HTTPStatus
from typing import Any

from st_auth.errors import ProviderError
from st_auth.oauth.client_auth import ClientRequest, authenticated
from st_auth.oauth.metadata import Metadata
from st_auth.oauth.profile import Provider
from st_auth.oauth.urls import with_query
from st_auth.oauth.violations import hint_of, printable, protocol_violation

__all__ = ["is_pushed", "judge_pushed", "pushed_request", "pushed_url"]

URI_LIMIT = 2048


def is_pushed(provider: Provider, metadata: Metadata) -> bool:
    """Say whether authorization requests are pushed: where the provider demands it, else where it can and nobody says otherwise.

    There is no way back to the address bar from here: a push that fails is a login that failed.
    """
    if metadata.require_pushed_authorization_requests:
        return True
    if provider.pushed_authorization_requests is None:
        return metadata.pushed_authorization_request_endpoint is not None
    return provider.pushed_authorization_requests


def pushed_request(
    parameters: Sequence[tuple[str, str]], provider: Provider, metadata: Metadata, now: datetime
) -> tuple[str, ClientRequest]:
    """Return the endpoint, and the authorization request as a form for it with client authentication (RFC 9126 section 2.1)."""
    endpoint = metadata.pushed_authorization_request_endpoint
    if endpoint is None:
        hint = "Take pushed_authorization_requests = true away, or let the provider's administrator allow them."
        raise protocol_violation("pushed_authorization_request_endpoint", "present, as requests have to be pushed", hint=hint)
    return endpoint, authenticated(parameters, provider, metadata, now)


def judge_pushed(status: int, answer: Mapping[str, Any]) -> str:
    """Return the `request_uri` that stands for what was pushed, or refuse the answer (RFC 9126 sections 2.2 and 2.3)."""
    if "error" in answer or status not in (HTTPStatus.CREATED, HTTPStatus.OK):
        raise _refusal(answer)
    uri, lifetime = answer.get("request_uri"), answer.get("expires_in")
    if not isinstance(uri, str) or not 0 < len(uri) <= URI_LIMIT or not all("!" <= c <= "~" for c in uri):
        raise protocol_violation("request_uri", f"at most {URI_LIMIT} printable ASCII characters without spaces")
    if isinstance(lifetime, bool) or not isinstance(lifetime, int | float) or not lifetime > 0:
        raise protocol_violation("request_uri.expires_in", "a positive number of seconds")
    return uri


def pushed_url(metadata: Metadata, provider: Provider, request_uri: str) -> str:
    """Return the URL that the browser is sent to: who asks and the number of the question, nothing else (RFC 9126 section 4)."""
    return with_query(metadata.authorization_endpoint, [("client_id", provider.client_id), ("request_uri", request_uri)])


def _refusal(answer: Mapping[str, Any]) -> ProviderError:
    error = printable(answer.get("error"))
    description = printable(answer.get("error_description"))
    message = "The provider refused the pushed authorization request."
    return ProviderError(message, code="request_refused", error=error, description=description, hint=hint_of(error))
