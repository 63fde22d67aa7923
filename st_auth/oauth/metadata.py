"""Judge the discovery document: is it our issuer's, and are its endpoints fit to be used?"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from st_auth.oauth.profile import Provider
from st_auth.oauth.urls import discovery_url, is_secure
from st_auth.oauth.violations import protocol_violation

__all__ = ["Metadata", "judge_metadata", "metadata_of"]


@dataclass(frozen=True, slots=True)
class Metadata:
    """What we use of a provider's metadata (RFC 8414 section 2, OpenID Connect Discovery 1.0 section 3)."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    userinfo_endpoint: str | None = None
    end_session_endpoint: str | None = None
    revocation_endpoint: str | None = None
    pushed_authorization_request_endpoint: str | None = None
    require_pushed_authorization_requests: bool = False
    token_endpoint_auth_methods_supported: tuple[str, ...] = ()
    token_endpoint_auth_signing_alg_values_supported: tuple[str, ...] = ()
    authorization_response_iss_parameter_supported: bool = False


def judge_metadata(document: Mapping[str, Any], provider: Provider) -> Metadata:
    """Accept the metadata of `provider`, or raise `ProviderError` (RFC 8414 section 3.3, Discovery 1.0 section 4.3).

    Endpoints are https. Only a provider that is itself a plain one on this very machine, for development, may name such
    endpoints: no other one makes this machine ask its own services.
    """
    issuer = _issuer(document, provider)
    return Metadata(
        issuer=issuer,
        authorization_endpoint=_endpoint(document, "authorization_endpoint", issuer),
        token_endpoint=_endpoint(document, "token_endpoint", issuer),
        jwks_uri=_endpoint(document, "jwks_uri", issuer),
        userinfo_endpoint=_optional_endpoint(document, "userinfo_endpoint", issuer),
        end_session_endpoint=provider.endpoints.get("end_session_endpoint") or _optional_endpoint(document, "end_session_endpoint", issuer),
        revocation_endpoint=_optional_endpoint(document, "revocation_endpoint", issuer),
        pushed_authorization_request_endpoint=_optional_endpoint(document, "pushed_authorization_request_endpoint", issuer),
        require_pushed_authorization_requests=_flag(document, "require_pushed_authorization_requests"),
        token_endpoint_auth_methods_supported=_strings(document, "token_endpoint_auth_methods_supported"),
        token_endpoint_auth_signing_alg_values_supported=_strings(document, "token_endpoint_auth_signing_alg_values_supported"),
        authorization_response_iss_parameter_supported=_flag(document, "authorization_response_iss_parameter_supported"),
    )


def metadata_of(provider: Provider) -> Metadata:
    """Return the metadata of a provider without OpenID, which publishes none: its profile's. There are no keys, as nothing is signed."""
    return Metadata(
        issuer=str(provider.issuer),
        authorization_endpoint=provider.endpoints["authorization_endpoint"],
        token_endpoint=provider.endpoints["token_endpoint"],
        jwks_uri="",
        userinfo_endpoint=provider.endpoints.get("userinfo_endpoint"),
        end_session_endpoint=provider.endpoints.get("end_session_endpoint"),
        revocation_endpoint=provider.endpoints.get("revocation_endpoint"),
    )


def _issuer(document: Mapping[str, Any], provider: Provider) -> str:
    issuer = document.get("issuer")
    if not is_secure(issuer) or "?" in issuer:
        raise protocol_violation("issuer", "an https URL without query")
    if provider.issuer is not None and issuer != provider.issuer:
        raise protocol_violation("issuer", "exactly the configured issuer", hint=_ISSUER_HINT)
    if provider.issuer is None and discovery_url(issuer) != provider.metadata_url:
        raise protocol_violation("issuer", "the address that the metadata was read from", hint=_ISSUER_HINT)
    return issuer


_ISSUER_HINT = (
    'Compare server_metadata_url (or issuer) with the "issuer" that the provider\'s metadata names: they must belong together, '
    "letter by letter. With Entra, use the tenant's id and not its domain name; for many tenants there is the profile entra-multitenant."
)


def _endpoint(document: Mapping[str, Any], name: str, issuer: str) -> str:
    value = document.get(name)
    if not is_secure(value) or (_is_https(issuer) and not _is_https(value)):
        raise protocol_violation(name, "an https URL")
    return value


def _optional_endpoint(document: Mapping[str, Any], name: str, issuer: str) -> str | None:
    return None if document.get(name) is None else _endpoint(document, name, issuer)


def _is_https(url: str) -> bool:
    return url[:8].lower() == "https://"


def _strings(document: Mapping[str, Any], name: str) -> tuple[str, ...]:
    value = document.get(name)
    if value is None:
        return ()
    if not isinstance(value, list) or not all(isinstance(v, str) for v in value):
        raise protocol_violation(name, "a list of strings")
    return tuple(value)


def _flag(document: Mapping[str, Any], name: str) -> bool:
    value = document.get(name, False)
    if not isinstance(value, bool):
        raise protocol_violation(name, "true or false")
    return value
