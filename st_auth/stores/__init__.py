"""Where sealed bytes rest: the contract of a store, and how one is opened. No key, no user and no policy is in here."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, Protocol

from st_auth.errors import ConfigError, Problem

__all__ = ["REMOVE_AFTER", "Record", "Store", "from_microseconds", "microseconds", "open_store", "unusable"]

REMOVE_AFTER: Final = timedelta(hours=1)
"""How long an expired record is kept, unreadable, before it is removed: a clock that was wrong for a while must cost nobody a session."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_LATER: Final = ("redis", "rediss", "postgresql")


@dataclass(frozen=True, slots=True)
class Record:
    """One sealed value, until when it counts (aware), the tags it is found by, and the version that the store gave it."""

    value: bytes
    expires_at: datetime
    tags: tuple[str, ...] = ()
    version: int = 0


class Store(Protocol):
    """Six verbs over records, safe to call from every thread; several processes may share what is behind it.

    Keys and tags are text of 1 to 512 characters, compared exactly; a tag holds no line break. A record counts until `expires_at` by
    the store's own clock; from then on every verb treats it as absent, and the store removes it some time later. Times keep their
    microseconds.
    A failure of the system behind the store is `Unavailable` with code `store`; that something is absent never is.
    """

    def get(self, key: str) -> Record | None:
        """Return the record with its version, or None when it is absent or expired."""
        ...

    def put(self, key: str, record: Record, expect: int, *, durable: bool = True) -> bool:
        """Store the record if the one that is there has version `expect` (0: none is there); say whether it was stored.

        The stored version is `expect + 1`, whatever `record.version` says. Of many callers with the same `expect` exactly one wins.
        When True is returned the record outlives this process, and with a durable store a power cut. Nothing changes on False.

        With `durable=False` a power cut may bring back the record of before, but never once a later durable put has returned. It is for
        what is put often and missed by nobody: when a person was last seen, and who renews tokens just now.

        A key that was deleted begins again at 1. A poller would miss that if somebody deleted and put the same key again in between, and
        nobody does: session keys are hashes of 32 random bytes that are put with `expect=0` once, and what has a lasting key (a person's
        state) is never deleted by its writers but put empty.
        """
        ...

    def delete(self, key: str) -> None:
        """Remove the record; that it is absent is fine."""
        ...

    def find(self, tag: str) -> list[str]:
        """Return the keys of the records with this tag, in any order. May name what is gone, never misses what is there."""
        ...

    def versions(self, keys: Sequence[str]) -> dict[str, int]:
        """Return the versions of those of the keys that are there; thousands at once are fine."""
        ...

    def now(self) -> datetime:
        """Return the time by the clock that decides about expiry, in UTC."""
        ...

    def close(self) -> None:
        """Let go of files and connections. A closed store answers `Unavailable`; closing twice is fine."""
        ...


def open_store(url: str) -> Store:
    """Open the store that `st_auth.store` names: `memory://`, `sqlite:///relative.db` or `sqlite:////absolute.db`.

    Raises ConfigError when the address is not understood or the file cannot be used.
    """
    scheme, _, rest = url.partition("://")
    if scheme == "memory":
        from st_auth.stores.memory import MemoryStore

        return MemoryStore()
    if scheme == "sqlite" and rest.startswith("/") and len(rest) > 1:
        from st_auth.stores.sqlite import SqliteStore

        return SqliteStore(rest[1:])
    raise _unknown(scheme)


def unusable(what: str, mend: str) -> ConfigError:
    """Say what is wrong with the store that was configured."""
    return ConfigError([Problem(file=".streamlit/secrets.toml", key="st_auth.store", what=what, mend=mend)])


def microseconds(at: datetime) -> int:
    """Return an aware time as microseconds since 1970."""
    return (at - _EPOCH) // _MICROSECOND


def from_microseconds(count: int) -> datetime:
    """Return the time that `microseconds` made a number of."""
    return _EPOCH + timedelta(0, 0, count)


def _unknown(scheme: str) -> ConfigError:
    mend = 'use "sqlite:///.streamlit/st_auth/vault.db" (survives restarts) or "memory://" (does not); no other store is available yet'
    if scheme in _LATER:
        return unusable(f"a {scheme}:// store comes with a later version of st_auth", mend)
    if scheme == "sqlite":
        return unusable("a sqlite:// address needs three slashes and a path, four for an absolute one", mend)
    return unusable("this is not the address of a store", mend)
