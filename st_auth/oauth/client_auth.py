"""The client says who it is, in each request that it makes itself (RFC 6749 section 2.3)."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote_plus

from st_auth.oauth.metadata import Metadata
from st_auth.oauth.profile import Provider
from st_auth.secret import Secret

__all__ = ["ClientRequest", "authenticated"]


@dataclass(frozen=True, slots=True)
class ClientRequest:
    """A form for one of the provider's endpoints and the headers that say who sends it. Holds secrets: `repr` shows none."""

    form: Mapping[str, Secret[str]]
    headers: Mapping[str, Secret[str]]

    def pairs(self) -> list[tuple[str, str]]:
        """Return the form as names and values, secrets in clear: for the wire only."""
        return [(name, value.reveal()) for name, value in self.form.items()]


def authenticated(form: Mapping[str, str], provider: Provider, metadata: Metadata) -> ClientRequest:
    """Return a form with what authenticates this client, by the method that is configured or that the provider offers."""
    method = _auth_method(provider, metadata)
    if provider.client_secret is None or method == "none":
        return _request({**form, "client_id": provider.client_id})
    secret = provider.client_secret.reveal()
    if method == "client_secret_post":
        return _request({**form, "client_id": provider.client_id, "client_secret": secret})
    return _request(form, Secret("Basic " + _basic(provider.client_id, secret)))


def _request(form: Mapping[str, str], authorization: Secret[str] | None = None) -> ClientRequest:
    return ClientRequest(
        {name: Secret(value) for name, value in form.items()},
        {"Authorization": authorization} if authorization else {},
    )


def _auth_method(provider: Provider, metadata: Metadata) -> str:
    """Prefer what is configured, then Basic, which is what metadata that says nothing means (RFC 8414 section 2)."""
    if provider.token_endpoint_auth_method:
        return provider.token_endpoint_auth_method
    offered = metadata.token_endpoint_auth_methods_supported
    if "client_secret_post" in offered and "client_secret_basic" not in offered:
        return "client_secret_post"
    return "client_secret_basic"


def _basic(client_id: str, secret: str) -> str:
    """Return id and secret form-encoded, then base64 (RFC 6749 section 2.3.1)."""
    return base64.b64encode(f"{quote_plus(client_id)}:{quote_plus(secret)}".encode()).decode()
