"""Who logged in: the claims of an accepted ID token and userinfo, read as the profile says."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from st_auth.oauth.profile import Provider
from st_auth.oauth.tokens import TokenSet

__all__ = ["Login", "claim_at", "judge_login"]


@dataclass(frozen=True, slots=True)
class Login:
    """Who logged in, as judged. `claims` are the ID token's, in its order, then what userinfo added."""

    provider: str
    issuer: str
    subject: str
    claims: Mapping[str, Any]
    tokens: TokenSet
    name: str
    email: str
    email_verified: bool | None
    groups: tuple[str, ...]
    sid: str


def judge_login(provider: Provider, issuer: str, claims: Mapping[str, Any], tokens: TokenSet) -> Login:
    """Return the login that judged claims stand for; what is not there reads as empty."""
    email = _text(claim_at(claims, provider.claims.get("email", "email")))
    subject = str(claims["sub"])
    name = _text(claim_at(claims, provider.claims.get("name", "name"))) or _text(
        claim_at(claims, provider.claims.get("preferred_username", "preferred_username"))
    )
    return Login(
        provider=provider.name,
        issuer=issuer,
        subject=subject,
        claims=MappingProxyType(dict(claims)),
        tokens=tokens,
        name=name or email or subject,
        email=email,
        email_verified=_email_verified(provider, email, claim_at(claims, provider.claims.get("email_verified", "email_verified"))),
        groups=_texts(claim_at(claims, provider.claims.get("groups", "groups"))),
        sid=_text(claims.get("sid")),
    )


def claim_at(claims: Mapping[str, Any], path: str) -> object:
    """Return the claim of that very name, else the one that its dots lead to (`realm_access.roles`)."""
    if path in claims:
        return claims[path]
    value: object = claims
    for step in path.split("."):
        value = value.get(step) if isinstance(value, Mapping) else None
    return value


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _texts(value: object) -> tuple[str, ...]:
    values = value if isinstance(value, list) else [value]
    return tuple(item for item in values if isinstance(item, str) and item)


def _email_verified(provider: Provider, email: str, claim: object) -> bool | None:
    """Say whether the e-mail address counts, as the profile says that its provider shows it; None where it does not show."""
    if not email or (provider.email_is_verified == "claim" and claim is None):
        return None
    if provider.email_is_verified == "claim":
        return claim is True or claim == "true"  # a string at Cognito and older Auth0
    return provider.email_is_verified == "always"
