"""A value that is fetched and kept: a provider's metadata and its keys."""

import threading
from collections.abc import Callable
from typing import Generic, TypeVar, cast

from st_auth.clock import Clock
from st_auth.errors import StAuthError, Unavailable

__all__ = ["Kept"]

FRESH = 3600.0
STALE = 24 * 3600.0
COOL_DOWN = 5.0
RENEWAL_COOL_DOWN = 60.0

T = TypeVar("T")


class Kept(Generic[T]):
    """One fetched value, kept: fresh for an hour, and up to a day while its source is down.

    One thread fetches at a time. After a failure the source is left alone for five seconds.
    """

    def __init__(self, fetch: Callable[[], T], clock: Clock) -> None:
        self._fetch = fetch
        self._now = clock.monotonic
        self._lock = threading.Lock()
        self._value: tuple[T, float] | None = None
        self._failure: tuple[StAuthError, float] | None = None
        self._renewed_at: float | None = None

    def get(self) -> T:
        """Return the value, fetched where it must be; a caller who finds another one fetching takes the old value, if any."""
        if (fresh := self._younger_than(FRESH)) is not None:
            return fresh[0]
        old = self._younger_than(STALE)
        if not self._lock.acquire(blocking=old is None):
            return cast("tuple[T]", old)[0]
        try:
            return (self._younger_than(FRESH) or (self._fetched_or(old),))[0]
        finally:
            self._lock.release()

    def kept(self) -> T | None:
        """Return the value if there is one that may be used; asks nobody."""
        value = self._younger_than(STALE)
        return value[0] if value else None

    def renewed(self, unlike: T) -> T:
        """Return a newer value than `unlike` if there is one; asks for it at most once a minute."""
        with self._lock:
            current = self._younger_than(STALE)
            cooling = self._renewed_at is not None and self._now() - self._renewed_at < RENEWAL_COOL_DOWN
            if current is not None and (current[0] is not unlike or cooling):
                return current[0]
            self._renewed_at = self._now()
            return self._fetched()

    def _younger_than(self, limit: float) -> tuple[T] | None:
        value = self._value
        return (value[0],) if value is not None and self._now() - value[1] < limit else None

    def _fetched_or(self, old: tuple[T] | None) -> T:
        try:
            return self._fetched()
        except Unavailable:
            if old is None:
                raise
            return old[0]

    def _fetched(self) -> T:
        if self._failure is not None and self._now() - self._failure[1] < COOL_DOWN:
            raise self._failure[0].with_traceback(None)
        try:
            value = self._fetch()
        except StAuthError as error:
            self._failure = (error, self._now())
            raise
        self._value, self._failure = (value, self._now()), None
        return value
