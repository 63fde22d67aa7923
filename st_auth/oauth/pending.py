"""The pending login: what we keep between the authorization request and its response."""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from st_auth.oauth.strict_json import parse_object
from st_auth.secret import Secret

__all__ = ["PendingLogin"]

_STRINGS = ("provider", "issuer", "state", "nonce", "code_verifier", "redirect_uri", "return_to", "login_id", "created_at")
_FILLED = ("provider", "issuer", "state", "nonce", "code_verifier", "redirect_uri")


@dataclass(frozen=True, slots=True)
class PendingLogin:
    """One attempt to log in, sealed into the browser's attempt cookie meanwhile.

    `issuer` is who was asked (RFC 9700 section 4.4.2); `login_id` is set when a login is stepped up or an account linked;
    `max_age` and `acr` are what the answer is held to.
    """

    provider: str
    issuer: str
    state: str
    nonce: Secret[str]
    code_verifier: Secret[str]
    redirect_uri: str
    return_to: str
    login_id: str
    max_age: int | None
    created_at: datetime
    acr: tuple[str, ...] = ()

    def to_json(self) -> bytes:
        """Return it as JSON, secrets in clear: for sealing only."""
        return json.dumps(
            {
                "provider": self.provider,
                "issuer": self.issuer,
                "state": self.state,
                "nonce": self.nonce.reveal(),
                "code_verifier": self.code_verifier.reveal(),
                "redirect_uri": self.redirect_uri,
                "return_to": self.return_to,
                "login_id": self.login_id,
                "max_age": self.max_age,
                "acr": self.acr,
                "created_at": self.created_at.isoformat(),
            },
            separators=(",", ":"),
        ).encode()

    @classmethod
    def from_json(cls, text: bytes) -> "PendingLogin":
        """Return what `to_json` wrote; raises `ValueError` on anything odd, without showing it."""
        members = parse_object(text)
        if members.keys() != {*_STRINGS, "max_age", "acr"} or not _well_typed(members):
            raise ValueError("not a pending login")
        created_at = datetime.fromisoformat(members["created_at"])
        if created_at.tzinfo is None:
            raise ValueError("not a pending login")
        secret = {name: Secret(members[name]) for name in ("nonce", "code_verifier")}
        return cls(**{**members, **secret, "acr": tuple(members["acr"]), "created_at": created_at})


def _well_typed(members: dict[str, Any]) -> bool:
    max_age, acr = members["max_age"], members["acr"]
    return (
        all(isinstance(members[name], str) for name in _STRINGS)
        and all(members[name] for name in _FILLED)
        and (max_age is None or (type(max_age) is int and max_age >= 0))
        and isinstance(acr, list)
        and all(isinstance(level, str) and level for level in acr)
    )
