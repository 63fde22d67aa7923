"""Judge the ID token's claims: from our provider, for us, about this login, now (OpenID Connect Core 1.0 section 3.1.3.7)."""

import base64
import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from st_auth.oauth.algorithms import DIGESTS
from st_auth.oauth.strict_json import parse_object
from st_auth.oauth.violations import protocol_violation
from st_auth.secret import Secret

__all__ = [
    "LEEWAY",
    "SUBJECT_LIMIT",
    "Expectation",
    "Identity",
    "claims_of",
    "is_usable",
    "judge_claims",
    "judge_refreshed_claims",
    "judge_userinfo",
    "merged",
    "require_audience",
    "require_times",
]

LEEWAY = 60
AGE_LIMIT = 10 * 60
SUBJECT_LIMIT = 255
MOMENT = 5
_CLOCK_HINT = "Check the clocks of this machine and of the provider."
_NEVER_KEPT = ("_claim_names", "_claim_sources")
_OF_THE_LOGIN = ("auth_time", "acr", "amr", "nonce")
_PROTOCOL = frozenset(
    (
        "iss",
        "sub",
        "aud",
        "exp",
        "iat",
        "nbf",
        "jti",
        "auth_time",
        "nonce",
        "acr",
        "amr",
        "azp",
        "at_hash",
        "c_hash",
        "s_hash",
        "sid",
        "events",
    )
)


@dataclass(frozen=True, slots=True)
class Expectation:
    """What an ID token must agree with. `max_age` in seconds and `acr`, where the request had them; `code` where there was one."""

    issuer: str
    client_id: str
    nonce: Secret[str]
    algorithm: str
    access_token: Secret[str]
    code: Secret[str] | None = None
    max_age: int | None = None
    acr: tuple[str, ...] = ()


def judge_claims(payload: bytes, expected: Expectation, now: datetime) -> dict[str, Any]:
    """Return the claims of a verified ID token, in the order they came, or raise `ProviderError`.

    Clocks may differ by 60 s. An ID token older than ten minutes is refused: in the code flow it comes straight from the
    token endpoint, and the providers that date it back do so by five (Entra).
    """
    claims = claims_of(payload)
    if claims.get("iss") != expected.issuer:
        raise protocol_violation("iss", "the configured issuer")
    require_audience(claims, expected.client_id)
    require_times(claims, int(now.timestamp()), AGE_LIMIT)
    _require_subject(claims)
    _require_nonce(claims, expected.nonce)
    _require_hash(claims, "at_hash", expected.access_token, expected.algorithm)
    if expected.code is not None:
        _require_hash(claims, "c_hash", expected.code, expected.algorithm)
    if expected.max_age is not None:
        _require_recent_login(claims, expected.max_age, int(now.timestamp()))
    if expected.acr and claims.get("acr") not in expected.acr:
        hint = "The provider did not log the person in as strongly as acr_values asks, or does not say so."
        raise protocol_violation("acr", "one of those that were asked for", hint=hint)
    return {name: value for name, value in claims.items() if name not in _NEVER_KEPT}


@dataclass(frozen=True, slots=True)
class Identity:
    """Who a session is: what a refreshed ID token may not differ from."""

    issuer: str
    client_id: str
    subject: str


def judge_refreshed_claims(payload: bytes, who: Identity, *, access_token: Secret[str], algorithm: str, now: datetime) -> dict[str, Any]:
    """Return the claims of the verified ID token that came with a refresh, or raise `ProviderError` (Core 1.0 section 12.2).

    It is about the same person, from the same issuer and for us. What it says of how and when the person logged in is left out:
    that stays as it was at the login, whatever somebody did in another browser since. A `nonce` proves nothing here.
    """
    claims = claims_of(payload)
    if claims.get("iss") != who.issuer:
        raise protocol_violation("iss", "the issuer of the session")
    if claims.get("sub") != who.subject:
        raise protocol_violation("sub", "the subject of the session")
    require_audience(claims, who.client_id)
    require_times(claims, int(now.timestamp()), AGE_LIMIT)
    _require_hash(claims, "at_hash", access_token, algorithm)
    return {name: value for name, value in claims.items() if name not in _NEVER_KEPT and name not in _OF_THE_LOGIN}


def claims_of(payload: bytes) -> dict[str, Any]:
    """Return a JWT's claims, each given once (RFC 7519 section 4, RFC 8725 section 2.4)."""
    try:
        return parse_object(payload)
    except ValueError:
        raise protocol_violation("jwt.claims", "a JSON object with each claim once") from None


def is_usable(id_token: Secret[str] | None, refused: Secret[str] | None, now: datetime) -> bool:
    """Say whether an ID token, verified when it came, may be shown to somebody now who has `refused` another one."""
    if id_token is None or id_token == refused:
        return False
    payload = id_token.reveal().split(".")[1]
    claims = claims_of(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return _time(claims, "exp") > now.timestamp() + MOMENT


def require_audience(claims: Mapping[str, Any], client_id: str) -> None:
    """Require that we are the audience, and the authorized party where the token is for others too (Core 3.1.3.7, 3 to 5)."""
    audience, party = claims.get("aud"), claims.get("azp")
    audiences = [audience] if isinstance(audience, str) else audience
    if not isinstance(audiences, list) or client_id not in audiences:
        raise protocol_violation("aud", "our client_id")
    if party is not None and party != client_id:
        raise protocol_violation("azp", "our client_id")
    if party is None and any(other != client_id for other in audiences):
        raise protocol_violation("azp", "our client_id, as the token is for others too")


def require_times(claims: Mapping[str, Any], now: int, age_limit: int) -> None:
    """Require that a token is valid now and was made at most `age_limit` seconds ago, give or take a minute."""
    expires, issued, begins = _time(claims, "exp"), _time(claims, "iat"), _time(claims, "nbf", optional=True)
    if expires <= now - LEEWAY:
        raise protocol_violation("exp", "in the future", hint=_CLOCK_HINT)
    if issued > now + LEEWAY:
        raise protocol_violation("iat", "in the past", hint=_CLOCK_HINT)
    if issued < now - age_limit - LEEWAY:
        raise protocol_violation("iat", f"within the last {age_limit // 60} minutes", hint=_CLOCK_HINT)
    if begins > now + LEEWAY:
        raise protocol_violation("nbf", "in the past", hint=_CLOCK_HINT)


def _time(claims: Mapping[str, Any], name: str, *, optional: bool = False) -> float:
    value = claims.get(name)
    if value is None and optional:
        return 0
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise protocol_violation(name, "a number of seconds")
    return value


def _require_subject(claims: Mapping[str, Any]) -> None:
    subject = claims.get("sub")
    if not isinstance(subject, str) or not subject or len(subject) > SUBJECT_LIMIT:
        raise protocol_violation("sub", f"a string of 1 to {SUBJECT_LIMIT} characters")


def _require_nonce(claims: Mapping[str, Any], expected: Secret[str]) -> None:
    nonce = claims.get("nonce")
    if not isinstance(nonce, str) or Secret(nonce) != expected:
        raise protocol_violation("nonce", "the one of this login")


def _require_hash(claims: Mapping[str, Any], name: str, value: Secret[str], algorithm: str) -> None:
    """Compare `at_hash` or `c_hash` where present: half of the algorithm's own digest (Core 1.0 section 3.1.3.6)."""
    received = claims.get(name)
    if received is None:
        return
    digest = hashlib.new(DIGESTS[algorithm], value.reveal().encode()).digest()
    expected = base64.urlsafe_b64encode(digest[: len(digest) // 2]).rstrip(b"=")
    if not isinstance(received, str) or not hmac.compare_digest(received.encode(errors="replace"), expected):
        raise protocol_violation(name, "the hash of what came with it")


def _require_recent_login(claims: Mapping[str, Any], max_age: int, now: int) -> None:
    """Hold the provider to the `max_age` that we asked for (Core 1.0 section 3.1.2.1)."""
    logged_in = _time(claims, "auth_time")
    if not now - max_age - LEEWAY <= logged_in <= now + LEEWAY:
        raise protocol_violation("auth_time", "within the max_age that was asked for")


def judge_userinfo(claims: Mapping[str, Any], subject: str) -> dict[str, Any]:
    """Return the claims of a userinfo response about `subject`, or raise `ProviderError` (Core 1.0 section 5.3.2)."""
    if claims.get("sub") != subject:
        raise protocol_violation("userinfo.sub", "the subject of the ID token")
    return {name: value for name, value in claims.items() if name not in _NEVER_KEPT}


def merged(id_token: Mapping[str, Any], userinfo: Mapping[str, Any]) -> dict[str, Any]:
    """Return the ID token's claims and what userinfo adds to them; it replaces none and says nothing about the protocol."""
    added = {name: value for name, value in userinfo.items() if not (name in id_token or name in _PROTOCOL or name in _NEVER_KEPT)}
    return {**id_token, **added}
