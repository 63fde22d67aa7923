"""Sessions that this process does not know yet are read from the store here: people's first, whoever guesses last."""

from collections.abc import Callable
from typing import Final

from st_auth.clock import Clock
from st_auth.secret import Secret
from st_auth.sessions import Ended, Session
from st_auth.web.bounded import BoundedThreads
from st_auth.web.rate import Rate

__all__ = ["ColdReads"]

_THREADS: Final = 8
_WAITING_AT_MOST: Final = 2048
_THREADS_FOR_GUESSES: Final = 2
_GUESSES_WAITING_AT_MOST: Final = 256
_UNKNOWN_A_MINUTE: Final = 60
_BUSY: Final = "Too many cookies wait to be looked up."

Stored = Session | Ended | None


class ColdReads:
    """Asks the store for the session of a cookie, in two lines.

    A cookie that nobody has looks like one that somebody has, and only the answer of the store tells them apart. To remember the
    wrong ones would help nobody, as a fresh one costs its sender nothing. So an address that sent many of them goes on in a line of
    its own, short and narrow; people at other addresses do not wait behind it, nor do the store's writes and the watch.
    """

    def __init__(self, resume: Callable[[Secret[str]], Stored], clock: Clock) -> None:
        self._resume = resume
        self._people = BoundedThreads(_THREADS, _WAITING_AT_MOST, _BUSY)
        self._guesses = BoundedThreads(_THREADS_FOR_GUESSES, _GUESSES_WAITING_AT_MOST, _BUSY)
        self._unknown = Rate(_UNKNOWN_A_MINUTE, clock)

    async def read(self, cookie: Secret[str], address: str) -> Stored:
        """The session of a cookie as `Sessions.resume` gives it. Raises `Unavailable` (code `store`, or `busy` where too many wait)."""
        line = self._guesses if self._unknown.is_used_up(address) else self._people
        stored = await line.run(lambda: self._resume(cookie))
        if stored is None:
            self._unknown.take(address)
        return stored
