"""Calls that wait for somebody else, in a few threads of their own, with a queue that has an end."""

import logging
from collections.abc import Callable
from typing import Final, TypeVar

import anyio
import anyio.to_thread

from st_auth.clock import SYSTEM, Clock
from st_auth.errors import Unavailable

__all__ = ["BoundedThreads"]

_TOLD_EVERY: Final = 60.0
_LOGGER = logging.getLogger("st_auth")

T = TypeVar("T")


class BoundedThreads:
    """At most `threads` calls at a time and `waiting` behind them; the next one is told to come back, in the words of `busy`.

    The log hears of it once a minute, however many are sent away.
    """

    def __init__(self, threads: int, waiting: int, busy: str, clock: Clock = SYSTEM) -> None:
        self._limiter = anyio.CapacityLimiter(threads)
        self._at_most = threads + waiting
        self._inside = 0
        self._busy = busy
        self._now = clock.monotonic
        self._told_at: float | None = None

    async def run(self, call: Callable[[], T]) -> T:
        """Run a call in one of the threads. Raises `Unavailable` (code `busy`) where too many wait."""
        if self._inside >= self._at_most:
            self._tell()
            raise Unavailable(self._busy, code="busy", retry_after=5)
        self._inside += 1  # counted here, as the limiter sees a caller only a turn of the loop later
        try:
            return await anyio.to_thread.run_sync(call, limiter=self._limiter)
        finally:
            self._inside -= 1

    def _tell(self) -> None:
        if self._told_at is None or self._now() - self._told_at >= _TOLD_EVERY:
            self._told_at = self._now()
            _LOGGER.warning("%s They are told to come back.", self._busy)
