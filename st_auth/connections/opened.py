"""One open connection and who uses it just now, and which one somebody wants."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from st_auth.config import ConnectionConfig
from st_auth.connections.opening import Connection
from st_auth.live import LiveSession

__all__ = ["Key", "Opened", "Wanted"]

Key = tuple[str, ...]  # connection, role, and what else of its options follows from the person's claims


@dataclass(eq=False, slots=True)
class Opened:
    """An open connection, who uses it just now, and whether it is to be closed once nobody does.

    `begun_at` is when we began to open it, on the monotonic clock. `derived` is one whose role follows from the person's claims: there is
    one at a time.
    """

    connection: Connection
    used_at: float
    derived: bool = False
    users: int = 0
    over: bool = False
    guard: threading.Lock = field(default_factory=threading.Lock)
    begun_at: float = field(init=False)

    def __post_init__(self) -> None:
        self.begun_at = self.used_at

    def enter(self, now: float) -> bool:
        """Begin to use it; False if it is over."""
        with self.guard:
            if self.over:
                return False
            self.users += 1
            self.used_at = now
            return True

    def leave(self, now: float) -> bool:
        """Stop using it; True for the last user of one that is over, who closes it."""
        with self.guard:
            self.users -= 1
            self.used_at = now
            return self.over and self.users == 0

    def end(self, *, if_free: bool = False) -> bool:
        """Let nobody else begin; True if this call ended it and nobody uses it. With `if_free`, one in use stays as it is."""
        with self.guard:
            if self.over or (if_free and self.users):
                return False
            self.over = True
            return self.users == 0


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which connection, of whom, in which role; its options with the person's claims filled in."""

    live: LiveSession
    config: ConnectionConfig
    options: Mapping[str, Any] = field(repr=False)
    role: str
    derived: bool

    @property
    def key(self) -> Key:
        follows = [str(self.options[name]) for name, value in self.config.options.items() if self.options[name] != value]
        return self.config.name, self.role, *follows
