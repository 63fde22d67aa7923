"""The client says who it is, in each request that it makes itself (RFC 6749 section 2.3)."""

import base64
import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import quote_plus

from st_auth.errors import ProviderError
from st_auth.oauth.client_key import ClientKey
from st_auth.oauth.metadata import Metadata
from st_auth.oauth.profile import Provider
from st_auth.secret import Secret

__all__ = ["ClientRequest", "authenticated"]

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
ASSERTION_LIFETIME = 60


@dataclass(frozen=True, slots=True)
class ClientRequest:
    """A form for one of the provider's endpoints and the headers that say who sends it. Holds secrets: `repr` shows none.

    A name may come more than once, as `resource` does (RFC 8707 section 2).
    """

    form: tuple[tuple[str, Secret[str]], ...]
    headers: Mapping[str, Secret[str]]

    def pairs(self) -> list[tuple[str, str]]:
        """Return the form as names and values, secrets in clear: for the wire only."""
        return [(name, value.reveal()) for name, value in self.form]


def authenticated(
    form: Mapping[str, str] | Sequence[tuple[str, str]], provider: Provider, metadata: Metadata, now: datetime
) -> ClientRequest:
    """Return a form with what authenticates this client, by the method that is configured or that the provider offers.

    Serves each endpoint where the client authenticates: token, pushed authorization request, revocation.
    """
    pairs = list(form.items() if isinstance(form, Mapping) else form)
    named = [*(pair for pair in pairs if pair[0] != "client_id"), ("client_id", provider.client_id)]
    if provider.client_key is not None:
        return _request([*named, *_assertion(provider.client_key, provider.client_id, metadata, now)])
    method = _auth_method(provider, metadata)
    if provider.client_secret is None or method == "none":
        return _request(named)
    secret = provider.client_secret.reveal()
    if method == "client_secret_post":
        return _request([*named, ("client_secret", secret)])
    return _request(pairs, Secret("Basic " + _basic(provider.client_id, secret)))


def _request(form: Sequence[tuple[str, str]], authorization: Secret[str] | None = None) -> ClientRequest:
    return ClientRequest(
        tuple((name, Secret(value)) for name, value in form),
        {"Authorization": authorization} if authorization else {},
    )


def _assertion(key: ClientKey, client_id: str, metadata: Metadata, now: datetime) -> list[tuple[str, str]]:
    """Say by a signed JWT who asks (RFC 7523 sections 2.2 and 3, OpenID Connect Core 1.0 section 9).

    Its audience is the issuer and nothing else, so that no other provider can make use of it, whatever endpoints its
    metadata names (the security update of RFC 7523). It lives for a minute and has a `jti` of its own.
    """
    algorithm = key.algorithm(metadata.token_endpoint_auth_signing_alg_values_supported)
    if algorithm is None:
        message = "The provider takes no client assertion that is signed by a key of this kind."
        hint = "Choose a client_key for one of its token_endpoint_auth_signing_alg_values_supported."
        raise ProviderError(message, code="request_refused", parameter="client_assertion", hint=hint)
    at = int(now.timestamp())
    claims = {
        "iss": client_id,
        "sub": client_id,
        "aud": metadata.issuer,
        "jti": secrets.token_urlsafe(32),
        "iat": at,
        "exp": at + ASSERTION_LIFETIME,
    }
    signed = key.sign(json.dumps(claims).encode(), algorithm)
    return [("client_assertion_type", ASSERTION_TYPE), ("client_assertion", signed.reveal())]


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
