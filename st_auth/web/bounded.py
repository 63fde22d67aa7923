"""Calls that wait for somebody else, in a few threads of their own, with a queue that has an end."""

from collections.abc import Callable
from typing import TypeVar

import anyio
import anyio.to_thread

from st_auth.errors import Unavailable

__all__ = ["BoundedThreads"]

T = TypeVar("T")


class BoundedThreads:
    """At most `threads` calls at a time and `waiting` behind them; the next one is told to come back, in the words of `busy`."""

    def __init__(self, threads: int, waiting: int, busy: str) -> None:
        self._limiter = anyio.CapacityLimiter(threads)
        self._waiting = waiting
        self._busy = busy

    async def run(self, call: Callable[[], T]) -> T:
        """Run a call in one of the threads. Raises `Unavailable` (code `busy`) where too many wait."""
        if self._limiter.statistics().tasks_waiting >= self._waiting:
            raise Unavailable(self._busy, code="busy", retry_after=5)
        return await anyio.to_thread.run_sync(call, limiter=self._limiter)
