"""Records in this process's memory: for tests, demos and apps of one process that may forget at a restart."""

import heapq
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from threading import Lock

from st_auth.clock import SYSTEM, Clock
from st_auth.errors import Unavailable
from st_auth.stores import REMOVE_AFTER, Record

__all__ = ["MemoryStore"]

_REMOVED_PER_PUT = 4


class MemoryStore:
    """A `Store` in a dictionary. Reading takes no lock: records are values, and a dictionary hands them out whole."""

    def __init__(self, clock: Clock = SYSTEM) -> None:
        self._clock = clock
        self._writing = Lock()
        self._records: dict[str, Record] = {}
        self._tagged: dict[str, set[str]] = {}
        self._expiries: list[tuple[datetime, str]] = []
        self._is_closed = False

    def get(self, key: str) -> Record | None:
        """Return the record, or None (see `Store.get`)."""
        self._require_open()
        record = self._records.get(key)
        return record if record is not None and record.expires_at > self._clock.now() else None

    def put(self, key: str, record: Record, expect: int, *, durable: bool = True) -> bool:  # noqa: ARG002  # nothing here is durable
        """Compare the version and store the record (see `Store.put`)."""
        with self._writing:
            there = self.get(key)
            if (there.version if there else 0) != expect:
                return False
            self._place(key, replace(record, version=expect + 1))
            self._remove_expired()
            return True

    def delete(self, key: str) -> None:
        """Remove the record (see `Store.delete`)."""
        with self._writing:
            self.get(key)
            self._remove(key)

    def find(self, tag: str) -> list[str]:
        """Return the keys with this tag (see `Store.find`)."""
        self._require_open()
        with self._writing:
            return [key for key in self._tagged.get(tag, ()) if self.get(key)]

    def versions(self, keys: Sequence[str]) -> dict[str, int]:
        """Return the versions of what is there (see `Store.versions`)."""
        return {key: record.version for key in keys if (record := self.get(key))}

    def now(self) -> datetime:
        """Return the time by which records expire."""
        return self._clock.now()

    def close(self) -> None:
        """Forget everything."""
        self._is_closed = True
        self._records.clear()
        self._tagged.clear()
        self._expiries.clear()

    def _require_open(self) -> None:
        if self._is_closed:
            raise Unavailable("The session store is closed.", code="store")

    def _place(self, key: str, record: Record) -> None:
        before = self._records.get(key)
        self._untag(key, before)
        for tag in record.tags:
            self._tagged.setdefault(tag, set()).add(key)
        if before is None or before.expires_at != record.expires_at:
            heapq.heappush(self._expiries, (record.expires_at, key))
        self._records[key] = record

    def _remove(self, key: str) -> None:
        self._untag(key, self._records.pop(key, None))

    def _untag(self, key: str, record: Record | None) -> None:
        for tag in record.tags if record else ():
            keys = self._tagged.get(tag, set())
            keys.discard(key)
            if not keys:
                self._tagged.pop(tag, None)

    def _remove_expired(self) -> None:
        due = self._clock.now() - REMOVE_AFTER
        for _ in range(_REMOVED_PER_PUT):
            if not self._expiries or self._expiries[0][0] > due:
                return
            expires_at, key = heapq.heappop(self._expiries)
            record = self._records.get(key)
            if record and record.expires_at == expires_at:  # else it was put again since, with another expiry
                self._remove(key)
