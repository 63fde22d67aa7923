"""Our cookies on the wire: their names, reading them strictly, setting and expiring them (RFC 6265bis)."""

import hashlib
import logging
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from st_auth.config import Config

__all__ = ["ATTEMPTS_AT_MOST_BYTES", "AT_MOST_ATTEMPTS", "ENDED_MARK_AGE", "CookieNames", "expire_cookie", "read_cookies", "set_cookie"]

AT_MOST_ATTEMPTS: Final = 5
ATTEMPTS_AT_MOST_BYTES: Final = 6000
ENDED_MARK_AGE: Final = timedelta(hours=12)
_LONGEST: Final = 4096
_BLANK: Final = " \t"
_LOGGER = logging.getLogger("st_auth")


@dataclass(frozen=True, slots=True)
class CookieNames:
    """The names of this app's cookies.

    Over https they carry `__Host-`, so that no other host can set them. Cookies ignore the port, so on plain-http loopback,
    where `__Host-` is not possible, the name does.
    """

    session: str
    ended: str
    farewell: str
    attempt: str
    secure: bool

    @classmethod
    def of(cls, config: Config) -> "CookieNames":
        """The names for one app on one origin."""
        port = config.origin.rpartition(":")[2]
        name = f"__Host-st_auth-{config.app_id}" if config.is_secure else f"st_auth-{config.app_id}-{port if port.isdigit() else 80}"
        return cls(session=name, ended=f"{name}-e", farewell=f"{name}-f", attempt=f"{name}-a-", secure=config.is_secure)

    def attempt_of(self, state: str) -> str:
        """The cookie of one login attempt: several tabs may log in at once."""
        return f"{self.attempt}{hashlib.sha256(state.encode()).hexdigest()[:8]}"

    def is_ours(self, name: str) -> bool:
        """Whether a cookie belongs to this app or another one of ours on this host; no app sees any of them."""
        return name.startswith(("__Host-st_auth-", "st_auth-"))


def read_cookies(headers: Iterable[tuple[bytes, bytes]], names: CookieNames, hidden: tuple[str, ...]) -> tuple[dict[str, str], bytes]:
    """Split a request's cookies into ours by name and the rest of the Cookie header, which may go on to Streamlit.

    `hidden` are further names, with their numbered chunks, that no client may send on. A name of ours that comes twice, or with
    over 4096 bytes, counts as absent: somebody else on this host may have set it. So may a name with a space before it that is
    not one of RFC 6265: no browser holds it to what `__Host-` promises, but `str.strip` and Starlette take it away.
    """
    ours: dict[str, str] = {}
    refused: set[str] = set()
    rest = []
    for header, line in headers:
        if header != b"cookie":
            continue
        for pair in line.decode("latin-1").split(";"):
            sent, _, value = pair.partition("=")
            name = sent.strip()
            if names.is_ours(name):
                if sent.strip(_BLANK) != name:
                    continue
                if name in ours or len(value) > _LONGEST:
                    refused.add(name)
                ours[name] = value.strip(_BLANK)
            elif (not name.startswith(hidden) or not _is_hidden(name, hidden)) and (kept := pair.strip(_BLANK)):
                rest.append(kept)
    for name in refused:
        _LOGGER.warning("A cookie of ours came twice or oversized, and is not believed: %s", name)
        del ours[name]
    return ours, "; ".join(rest).encode("latin-1")


def _is_hidden(name: str, hidden: tuple[str, ...]) -> bool:
    return any(name == h or (name.startswith(f"{h}_") and name[len(h) + 1 :].isdigit()) for h in hidden)


def set_cookie(names: CookieNames, name: str, value: str, age: timedelta) -> tuple[bytes, bytes]:
    """The header that sets one of our cookies."""
    secure = "; Secure" if names.secure else ""
    seconds = max(1, int(age.total_seconds()))
    return b"set-cookie", f"{name}={value}; Max-Age={seconds}; Path=/; HttpOnly; SameSite=Lax{secure}".encode("latin-1")


def expire_cookie(names: CookieNames, name: str) -> tuple[bytes, bytes]:
    """The header that takes one of our cookies back."""
    secure = "; Secure" if names.secure else ""
    return b"set-cookie", f"{name}=; Max-Age=0; Path=/; HttpOnly; SameSite=Lax{secure}".encode("latin-1")
