"""Providers with many tenants behind one address: the issuer of a token names the tenant that the token itself names.

Microsoft Entra ID publishes `https://login.microsoftonline.com/{tenantid}/v2.0` as issuer for all its tenants, letter by letter.
Only the quirk `issuer_names_the_tenant` leads here.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from st_auth.errors import LoginRefused
from st_auth.oauth.id_token import claims_of
from st_auth.oauth.jwks import Jwk
from st_auth.oauth.violations import protocol_violation

__all__ = ["PERSONAL_ACCOUNTS", "is_issuer_of", "is_tenant", "issuer_of", "keys_of", "require_tenant"]

PERSONAL_ACCOUNTS = "9188040d-6c67-4c5b-b112-36a304b66dad"  # the tenant of all personal Microsoft accounts: anybody's
_PLACE = "{tenantid}"
_GUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def is_tenant(text: object) -> bool:
    """Say whether `text` is a tenant's id: a GUID in lower case, so that one tenant has one issuer."""
    return isinstance(text, str) and _GUID.fullmatch(text) is not None


def issuer_of(template: str, payload: bytes) -> str:
    """Return the issuer of a token: the template filled with its own `tid`, which its `iss` must be."""
    claims = claims_of(payload)
    tenant = claims.get("tid")
    if not is_tenant(tenant):
        raise protocol_violation("tid", "the id of a tenant, a GUID")
    issuer = template.replace(_PLACE, str(tenant))
    if claims.get("iss") != issuer:
        raise protocol_violation("iss", "the configured issuer with the token's own tid in it")
    return issuer


def is_issuer_of(template: str, issuer: str) -> bool:
    """Say whether `issuer` is the template with some tenant in it."""
    before, _, after = template.partition(_PLACE)
    tenant = issuer.removeprefix(before).removesuffix(after)
    return is_tenant(tenant) and issuer == template.replace(_PLACE, tenant)


def keys_of(issuer: str, template: str, keys: Sequence[Jwk]) -> tuple[Jwk, ...]:
    """Return the keys that may sign for this issuer: a key that says whose it is signs for nobody else."""
    return tuple(key for key in keys if key.get("issuer") in (None, template, issuer))


def require_tenant(claims: Mapping[str, Any], tenants: tuple[str, ...]) -> None:
    """Refuse a person of another tenant than those that are configured; none means any."""
    if tenants and claims.get("tid") not in tenants:
        hint = "It belongs to an organisation that this app is not open to."
        raise LoginRefused("This person may not use the app: tenant.", code="not_allowed", parameter="tenant", hint=hint)
