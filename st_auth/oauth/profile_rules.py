"""What of a profile must fit together: an OpenID provider is discovered, any other one says itself where everything is."""

from collections.abc import Iterable, Mapping
from typing import Any

from st_auth.oauth.quirks import ISSUER_NAMES_THE_TENANT
from st_auth.oauth.url_template import parameters_in

__all__ = ["ADDRESSES", "ENDPOINTS", "addresses", "contradictions"]

ENDPOINTS = (
    *("authorization_endpoint", "token_endpoint", "userinfo_endpoint", "emails_endpoint"),
    *("revocation_endpoint", "end_session_endpoint"),
)
ADDRESSES = ("issuer", "server_metadata_url", *ENDPOINTS)
_OF_PLAIN_OAUTH = (
    "authorization_endpoint",
    "token_endpoint",
    "userinfo_endpoint",
    "emails_endpoint",
    "revocation_endpoint",
    "subject_from",
)
_ONLY_PLAIN = "is only for openid = false: OpenID Connect has it from the metadata and the ID token"
_Found = Iterable[tuple[str, str, str]]


def addresses(table: Mapping[str, Any]) -> dict[str, str]:
    """Return the addresses that a profile gives, each as the template to fill; an issuer that names the tenant is none."""
    is_fixed = ISSUER_NAMES_THE_TENANT in table.get("quirks", ())
    return {name: table[name] for name in ADDRESSES if table.get(name) and not (name == "issuer" and is_fixed)}


def contradictions(table: Mapping[str, Any]) -> _Found:
    """Yield key, what is wrong with it, and how to mend it."""
    yield from _misnamed_parameters(table)
    yield from _plain(table) if table.get("openid") is False else _openid(table)


def _misnamed_parameters(table: Mapping[str, Any]) -> _Found:
    """Hold the parameters in the addresses against those that are described."""
    described = set(table.get("parameters", {}))
    standing = {name for template in addresses(table).values() for name in parameters_in(template)}
    for name in sorted(standing ^ described):
        yield f"parameters.{name}", "stands in only one of the addresses and parameters", "Name it in both, or in none."
    for name in sorted(set(table.get("optional", [])) - described):
        yield f"optional.{name}", "is no parameter", "Name one of the parameters."


def _openid(table: Mapping[str, Any]) -> _Found:
    for key in _OF_PLAIN_OAUTH:
        if key in table:
            yield key, _ONLY_PLAIN, "Remove it, or write openid = false."
    if "sub" in table.get("claims", {}):
        yield "claims.sub", _ONLY_PLAIN, "Remove it, or write openid = false."
    if ISSUER_NAMES_THE_TENANT in table.get("quirks", ()):
        if "{tenantid}" not in table["issuer"] or parameters_in(table["issuer"]) != {"tenantid"}:
            yield "issuer", "does not hold {tenantid} and nothing else to fill", "Write the issuer as the metadata does."
        if not table.get("server_metadata_url"):
            yield "server_metadata_url", "is missing", "Give the address of the metadata, as the issuer does not tell it."


def _plain(table: Mapping[str, Any]) -> _Found:
    needed = ["authorization_endpoint", "token_endpoint"]
    if table.get("subject_from", "userinfo") == "userinfo":
        needed.append("userinfo_endpoint")
    for key in needed:
        if not table.get(key):
            yield key, "is missing, and openid = false means that no metadata names it", "Give the provider's https address."
    claims = table.get("claims", {})
    if not claims.get("sub"):
        yield "claims.sub", "is missing", "Name what identifies a person for ever, such as an id; never a name that can pass to another."
    elif claims["sub"] in ("access_token", "refresh_token", "id_token"):
        yield "claims.sub", "names a token, which is a secret and no person", "Name what identifies a person for ever, such as an id."
    if "openid" in table.get("scopes", ()):
        yield "scopes", "has openid, which asks for an ID token that nobody would judge", "Remove openid, or remove openid = false."
    if table.get("server_metadata_url"):
        yield "server_metadata_url", "means nothing where openid = false", "Remove it."
    if table.get("emails_endpoint") and claims.get("email", "email") != "email":
        yield "claims.email", "is not used: the address comes from emails_endpoint", "Remove it."
