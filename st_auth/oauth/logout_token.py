"""Judge a logout token: does our provider say, to us and just now, that a login is over? (OpenID Connect Back-Channel Logout 1.0)"""

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from st_auth.oauth.algorithms import ALGORITHMS
from st_auth.oauth.id_token import LEEWAY, SUBJECT_LIMIT, claims_of, require_audience, require_times
from st_auth.oauth.jwks import parse_jws
from st_auth.oauth.violations import protocol_violation

__all__ = ["AGE_LIMIT", "EVENT", "TOKEN_TYPES", "Addressed", "LogoutRequest", "addressed", "judge_logout"]

EVENT: Final = "http://schemas.openid.net/event/backchannel-logout"
TOKEN_TYPES: Final = ("logout+jwt",)
AGE_LIMIT: Final = 5 * 60


@dataclass(frozen=True, slots=True)
class Addressed:
    """Who a logout token says that it is from and for. Nothing of it is verified: it only tells who is to judge."""

    issuer: str
    audience: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class LogoutRequest:
    """What a judged logout token asks for: the end of the session `sid`, or without one of all sessions of `subject`.

    One of the two may be empty. From `expires_at` on the token is refused for its age, so that its `jti` need not be known longer.
    """

    issuer: str
    subject: str
    sid: str = field(repr=False)  # who knows it can end the session by the front channel
    jti: str = field(repr=False)
    expires_at: datetime


def addressed(text: str) -> Addressed:
    """Return who a logout token says that it is from and for, or refuse its form; cheap, for what any stranger may send."""
    parse_jws(text, ALGORITHMS, TOKEN_TYPES)
    segment = text.split(".")[1]
    try:
        payload = base64.b64decode(segment + "=" * (-len(segment) % 4), b"-_", validate=True)
    except ValueError:
        raise protocol_violation("jwt.claims", "base64url of a JSON object") from None
    claims = claims_of(payload)
    issuer, audience = claims.get("iss"), claims.get("aud")
    audiences = audience if isinstance(audience, list) else [audience]
    return Addressed(issuer if isinstance(issuer, str) else "", tuple(one for one in audiences if isinstance(one, str)))


def judge_logout(payload: bytes, issuer: str, client_id: str, now: datetime) -> LogoutRequest:
    """Accept the claims of a verified logout token, or raise `ProviderError` (Back-Channel Logout 1.0 sections 2.4 and 2.6).

    Clocks may differ by 60 s. A token older than five minutes is refused: a provider sends it when the logout happens. Claims that
    we do not know are ignored.
    """
    claims = claims_of(payload)
    if claims.get("iss") != issuer:
        raise protocol_violation("iss", "the configured issuer")
    require_audience(claims, client_id)
    require_times(claims, int(now.timestamp()), AGE_LIMIT)
    _require_event(claims)
    if "nonce" in claims:
        raise protocol_violation("nonce", "absent, as it makes an ID token")
    if not (jti := _text(claims, "jti")):
        raise protocol_violation("jti", "present")
    subject, sid = _text(claims, "sub"), _text(claims, "sid")
    if not subject and not sid:
        raise protocol_violation("sub", "present, or sid")
    if len(subject) > SUBJECT_LIMIT:
        raise protocol_violation("sub", f"at most {SUBJECT_LIMIT} characters")
    return LogoutRequest(issuer, subject, sid, jti, _refused_from(claims))


def _require_event(claims: Mapping[str, Any]) -> None:
    """Require the event that makes this a logout token and nothing else (RFC 8417 section 2.2)."""
    events = claims.get("events")
    if not isinstance(events, dict):
        raise protocol_violation("events", "an object")
    if not isinstance(events.get(EVENT), dict):
        raise protocol_violation("events", "an object with the back-channel logout event as an object")


def _text(claims: Mapping[str, Any], name: str) -> str:
    """Return a claim that is a string with something in it, `""` if it is absent."""
    value = claims.get(name)
    if name in claims and (not isinstance(value, str) or not value):
        raise protocol_violation(name, "a string that is not empty")
    return value or ""


def _refused_from(claims: Mapping[str, Any]) -> datetime:
    """Return when the token is too old, by its own word or by its age."""
    last = min(claims["exp"], claims["iat"] + AGE_LIMIT) + LEEWAY
    return datetime.fromtimestamp(last, UTC)
