"""This process's live sessions: who is here, until when, and through which sockets they are reached.

Everything here is memory and safe to call from any thread; nothing here asks the store.
"""

import threading
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Any, Final, Protocol

from st_auth.clock import SYSTEM, Clock
from st_auth.sessions import Limits, Session

__all__ = ["HELD_AFTER", "Live", "LiveSession", "Socket"]

HELD_AFTER: Final = 60.0
_KEEP_WITHOUT_SOCKET: Final = 300.0
_ISSUED_AT_MOST: Final = 4096


class Socket(Protocol):
    """One open tab."""

    def leave(self, why: str) -> None:
        """Send the tab to the page that says why its session ended, and close it. Safe from any thread."""

    def say(self, text: str, seconds: int) -> None:
        """Show a notice in the tab for some seconds. Safe from any thread."""

    def go_on(self) -> None:
        """Run the tab's page again if it waits for the person. To be called in the server's event loop."""


class LiveSession:
    """One login that this process knows to be live.

    `ended` is `""` while it lives, then why it ended; it is set once and never cleared. `over_at` is when the next limit ends it, on the
    monotonic clock. `issued` are the paths of media and uploads whose addresses were sent to this login's tabs, and so may be asked for
    by it. `borrowed` are tokens for other resources, which go with it.
    """

    __slots__ = (
        "_absolute_at",
        "_idle",
        "_idle_at",
        "_seen",
        "_seen_at",
        "_written",
        "anchor",
        "borrowed",
        "claims",
        "ended",
        "issued",
        "noticed",
        "over_at",
        "sockets",
        "stored",
        "used",
    )

    def __init__(self, stored: Session, limits: Limits, clock: Clock) -> None:
        self.stored = stored
        self.ended = ""
        self.sockets: tuple[Socket, ...] = ()
        self.issued: dict[str, None] | None = None
        self.noticed = False
        self.anchor: Any = None
        self.borrowed: dict[tuple[str, str, bool], Any] | None = None
        self.claims: Any = None
        self._idle = limits.idle.total_seconds()
        now, ticks = clock.now(), clock.monotonic()
        self.used = ticks
        self._seen = stored.card.last_seen_at
        self._seen_at = ticks - max(0.0, (now - self._seen).total_seconds())
        self._written = self._seen
        self._absolute_at = ticks + (stored.expires_at - now).total_seconds()
        self._count_idle_from(self._seen_at)

    @property
    def login_id(self) -> str:
        """The random handle of this login."""
        return self.stored.card.login_id

    def lapsed(self, ticks: float) -> str:
        """Why this session is over at `ticks` on the monotonic clock, or `""`."""
        if self.ended:
            return self.ended
        if ticks >= self._absolute_at:
            return "absolute"
        return "idle" if ticks >= self._idle_at else ""

    def saw_person(self, clock: Clock) -> None:
        """The person did something now: the idle clock starts again."""
        now, ticks = clock.now(), clock.monotonic()
        self.used = ticks
        if ticks > self._seen_at:
            self._seen = max(now, self._seen)
            self._count_idle_from(ticks)
            self.noticed = False

    def unwritten(self, every: timedelta) -> datetime | None:
        """When the person was last seen, if that is worth writing down again."""
        return self._seen if self._seen - self._written >= every else None

    def wrote(self, stored: Session, ticks: float) -> None:
        """The store has this version now; another replica may have seen the person later than we did, but not later than now."""
        if stored.version >= self.stored.version:
            self.stored = stored.without_tokens()
        seen = stored.card.last_seen_at
        if seen > self._seen:
            self._count_idle_from(min(ticks, self._seen_at + (seen - self._seen).total_seconds()))
            self._seen = seen
            self.noticed = False
        self._written = max(self._written, seen)

    def _count_idle_from(self, ticks: float) -> None:
        self._seen_at, self._idle_at = ticks, ticks + self._idle
        self.over_at = min(self._idle_at, self._absolute_at)

    def seconds_left(self, ticks: float) -> tuple[float, str]:
        """Seconds until the next limit, and which one it is."""
        idle, absolute = self._idle_at - ticks, self._absolute_at - ticks
        return (absolute, "absolute") if absolute <= idle else (idle, "idle")

    def idle_expires_at(self) -> datetime:
        """When the idle limit will end this session if the person does nothing more."""
        return min(self._seen + timedelta(seconds=self._idle), self.stored.expires_at)

    def issue(self, path: str) -> None:
        """Remember a path whose address was sent to this login; the oldest of 4096 is forgotten."""
        issued = self.issued
        if issued is None:
            issued = self.issued = {}
        issued.pop(path, None)
        issued[path] = None
        if len(issued) > _ISSUED_AT_MOST:
            del issued[next(iter(issued))]

    def may_ask_for(self, path: str) -> bool:
        """Whether the address of this media file or upload was ever sent to this login."""
        return self.issued is not None and path in self.issued


class Live:
    """The registry of live sessions, by login id and by record key."""

    def __init__(self, limits: Limits, clock: Clock = SYSTEM) -> None:
        self.limits = limits
        self.clock = clock
        self.by_login: dict[str, LiveSession] = {}
        self._by_key: dict[str, LiveSession] = {}
        self._lock = threading.Lock()
        self._confirmed_at = clock.monotonic()
        self.unfinished: dict[str, tuple[Session | None, str]] = {}  # None where only the key is known
        self._over: dict[str, tuple[str, float]] = {}
        self._told_of_ends: list[Callable[[LiveSession], None]] = []

    def on_end(self, tell: Callable[[LiveSession], None]) -> None:
        """Let somebody know of each session that ends or is forgotten here; `tell` must be quick, as it may run in the event loop."""
        self._told_of_ends.append(tell)

    def adopt(self, stored: Session) -> LiveSession:
        """Take a session that was just read from the store into the registry, or return the one that is there.

        One that ended here while it was being read stays ended.
        """
        with self._lock:
            if over := self._over.get(stored.record_key):
                late = LiveSession(stored.without_tokens(), self.limits, self.clock)
                late.ended = over[0]
                return late
            known = self._by_key.get(stored.record_key)
            if known is not None:
                known.wrote(stored, self.clock.monotonic())
                return known
            session = LiveSession(stored.without_tokens(), self.limits, self.clock)
            self._by_key[stored.record_key] = session
            self.by_login[session.login_id] = session
            return session

    def move(self, session: LiveSession, stored: Session) -> None:
        """A session goes on under another cookie and record, with its tabs and its login id."""
        with self._lock:
            old = session.stored.record_key
            if session.ended or self._by_key.pop(old, None) is None:
                return
            self._over[old] = "renewed", self.clock.monotonic()
            session.stored = stored.without_tokens()
            self._by_key[stored.record_key] = session

    def by_key(self, record_key: str) -> LiveSession | None:
        """The live session of a record key (SHA-256 of the cookie's bytes), while its limits hold."""
        session = self._by_key.get(record_key)
        if session is None:
            return None
        ticks = self.clock.monotonic()
        session.used = ticks
        return None if session.lapsed(ticks) else session

    def known(self) -> list[LiveSession]:
        """All sessions in the registry."""
        return list(self._by_key.values())

    def join(self, session: LiveSession, socket: Socket) -> bool:
        """Add an open tab; False if the session ended meanwhile."""
        with self._lock:
            if session.ended:
                return False
            session.sockets = (*session.sockets, socket)
            return True

    def part(self, session: LiveSession, socket: Socket) -> None:
        """Remove a tab that closed."""
        with self._lock:
            session.sockets = tuple(s for s in session.sockets if s is not socket)
            session.used = self.clock.monotonic()

    def end(self, session: LiveSession, why: str, *, keep: Socket | None = None) -> None:
        """End a session here and send each of its tabs (but `keep`) away. The store was told before, or will be."""
        with self._lock:
            if session.ended:
                return
            session.ended = why
            session.borrowed = None
            self._forget(session)
            self._over[session.stored.record_key] = why, self.clock.monotonic()
            sockets = session.sockets
        for socket in sockets:
            if socket is not keep:
                socket.leave(why)
        self._tell(session)

    def _tell(self, session: LiveSession) -> None:
        for tell in self._told_of_ends:
            tell(session)

    def _forget(self, session: LiveSession) -> None:
        self._by_key.pop(session.stored.record_key, None)
        self.by_login.pop(session.login_id, None)

    def evict(self) -> None:
        """Forget sessions that have had no tab for five minutes; the store still has them.

        Nobody would tell a forgotten one of its end, so what still holds it, such as a thread of the app, may not use it any more.
        """
        oldest = self.clock.monotonic() - _KEEP_WITHOUT_SOCKET
        with self._lock:
            gone = [s for s in self._by_key.values() if not s.sockets and s.used < oldest]
            for session in gone:
                session.ended = "unwatched"
                session.borrowed = None
                self._forget(session)
            self._over = {key: over for key, over in self._over.items() if over[1] > oldest}
        for session in gone:
            self._tell(session)

    def confirmed(self) -> None:
        """The store has just answered for all live sessions."""
        self._confirmed_at = self.clock.monotonic()

    @property
    def is_held(self) -> bool:
        """Whether the store has been silent for so long that nothing may be done on behalf of anybody."""
        return self.clock.monotonic() - self._confirmed_at > HELD_AFTER

    def gone(self, keys: Iterable[str], versions: dict[str, int]) -> tuple[list[LiveSession], list[LiveSession]]:
        """Compare what the store says with what we hold: sessions that are gone, and sessions that moved."""
        gone, moved = [], []
        for key in keys:
            session = self._by_key.get(key)
            if session is None:
                continue
            if key not in versions:
                gone.append(session)
            elif versions[key] != session.stored.version:
                moved.append(session)
        return gone, moved
