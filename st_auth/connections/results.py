"""What a person's queries gave, kept for as long as they said, within one budget of memory for the process."""

import hashlib
import pickle
import threading
from collections import OrderedDict
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from st_auth.clock import SYSTEM, Clock, span_of

__all__ = ["Results", "key_of", "size_of", "ttl_of"]

_BUDGET: Final = 256 * 1024 * 1024
_UNKNOWN_SIZE: Final = 1024 * 1024

Key = tuple[str, str, str]  # login, connection and role, what was asked


@dataclass(frozen=True, slots=True)
class _Kept:
    value: Any
    until: float
    size: int


class Results:
    """Results by login: nobody's reaches somebody else, all of a login's go when it ends, the least recently used when memory is short."""

    def __init__(self, clock: Clock = SYSTEM, budget: int = _BUDGET) -> None:
        self._clock = clock
        self._budget = budget
        self._kept: OrderedDict[Key, _Kept] = OrderedDict()
        self._size = 0
        self._lock = threading.Lock()

    def get(self, key: Key) -> Any:
        """Return what was kept, as the caller's own copy where it could be changed; None if there is nothing fresh."""
        with self._lock:
            kept = self._kept.get(key)
            if kept is None:
                return None
            if kept.until <= self._clock.monotonic():
                self._drop(key)
                return None
            self._kept.move_to_end(key)
        return _own(kept.value)

    def put(self, key: Key, value: Any, ttl: timedelta) -> None:
        """Keep a result for `ttl`; one that alone is beyond the budget is not kept."""
        size = size_of(value)
        if size > self._budget:
            return
        own = _own(value)
        with self._lock:
            self._drop(key)
            self._kept[key] = _Kept(own, self._clock.monotonic() + ttl.total_seconds(), size)
            self._size += size
            while self._size > self._budget:
                self._drop(next(iter(self._kept)))

    def forget(self, login_id: str) -> None:
        """Drop what a login has asked for."""
        with self._lock:
            for key in [key for key in self._kept if key[0] == login_id]:
                self._drop(key)

    def _drop(self, key: Key) -> None:
        kept = self._kept.pop(key, None)
        if kept is not None:
            self._size -= kept.size


def key_of(login_id: str, source: str, sql: str, params: Any, as_: str) -> Key:
    """Return what a result is kept under; parameters are told apart by type and value. Raises TypeError for what cannot be."""
    try:
        asked = pickle.dumps((sql, params, as_))
    except Exception as error:  # pickle raises whatever an object's own code raises
        raise TypeError("With ttl=…, the parameters must be plain values, so that the result can be found again.") from error
    return login_id, source, hashlib.sha256(asked).hexdigest()


def ttl_of(ttl: str | float | timedelta | None) -> timedelta | None:
    """Read a time to live as Streamlit does: seconds, a timedelta or text such as "10m". Raises ValueError."""
    if ttl is None:
        return None
    given = timedelta(seconds=ttl) if isinstance(ttl, int | float) else ttl
    span = span_of(given) if isinstance(given, str) else given
    if span is None or span <= timedelta(0):
        raise ValueError('ttl is a span of time above zero: seconds, a timedelta or text such as "10m".')
    return span


def size_of(value: Any) -> int:
    """How many bytes a frame takes: pandas, polars or pyarrow."""
    for name in ("nbytes", "estimated_size"):
        found = getattr(value, name, None)
        if found is not None:
            return int(found() if callable(found) else found)
    usage = getattr(value, "memory_usage", None)
    return int(usage(deep=True).sum()) if usage is not None else _UNKNOWN_SIZE


def _own(value: Any) -> Any:
    """A pandas frame can be changed in place, so everybody gets a copy; polars and Arrow cannot."""
    copy = getattr(value, "copy", None)
    return copy() if copy is not None and type(value).__module__.partition(".")[0] == "pandas" else value
