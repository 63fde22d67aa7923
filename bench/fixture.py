"""The fixed login that sessions are built from: 20 claims, an access token of 2 KB, an ID token of 1 KB."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from st_auth.config import Config, Host, parse
from st_auth.oauth.tokens import TokenSet
from st_auth.secret import Secret

_ORIGIN = "http://localhost:8501"


@dataclass(frozen=True, slots=True)
class FixtureLogin:
    """A login of person `number` as a provider of a large company answers it."""

    subject: str
    claims: dict[str, Any]
    tokens: TokenSet
    name: str
    email: str
    provider: str = "okta"
    issuer: str = "https://acme.okta.com/oauth2/default"
    email_verified: bool = True
    groups: tuple[str, ...] = ("analysts", "emea", "finance-readers")
    sid: str = field(default="")


def a_login(number: int) -> FixtureLogin:
    """The login of one person; no two share a string, as in life."""
    subject = f"00u{number:017d}"
    expires_at = datetime.now(UTC) + timedelta(hours=1)
    access, refresh, id_token = (Secret(_text(kind, number, size)) for kind, size in (("a", 2048), ("r", 64), ("i", 1024)))
    tokens = TokenSet(access, "Bearer", expires_at, refresh, id_token, ("openid",))
    name, email = f"Person {number}", f"person.{number}@acme.com"
    return FixtureLogin(subject, _claims(subject, name, email, number), tokens, name, email, sid=f"sid-{number:016x}")


def _text(kind: str, number: int, size: int) -> str:
    return (f"{kind}{number:020d}" * (size // 21 + 1))[:size]


def _claims(subject: str, name: str, email: str, number: int) -> dict[str, Any]:
    now = 1_790_000_000 + number
    return {
        "iss": "https://acme.okta.com/oauth2/default",
        "sub": subject,
        "aud": "0oa1b2c3d4e5f6g7h8i9",
        "exp": now + 3600,
        "iat": now,
        "auth_time": now,
        "nonce": _text("n", number, 43),
        "at_hash": _text("h", number, 22),
        "sid": f"sid-{number:016x}",
        "jti": f"ID.{_text('j', number, 43)}",
        "name": name,
        "given_name": "Person",
        "family_name": str(number),
        "preferred_username": email,
        "email": email,
        "email_verified": True,
        "locale": "en-US",
        "zoneinfo": "Europe/Berlin",
        "department": "Finance",
        "groups": ["analysts", "emea", "finance-readers"],
    }


def a_config(**own: object) -> Config:
    """A configuration with one provider that is never asked, and a store in memory."""
    auth = {
        "redirect_uri": f"{_ORIGIN}/oauth2callback",
        "cookie_secret": "a-secret-of-the-bench-with-more-than-32-bytes",
        "client_id": "app",
        "client_secret": "secret",
        "server_metadata_url": "https://acme.okta.com/oauth2/default/.well-known/openid-configuration",
    }
    return parse({"auth": auth, "st_auth": {"store": "memory://", "allow": "anyone", **own}}, Host(port=8501), env={})
