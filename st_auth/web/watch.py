"""The two-second round: which sessions have ended here or elsewhere, who is to be warned, and what is to be written down."""

import asyncio
import logging
from functools import partial
from typing import TYPE_CHECKING, Final

from st_auth.errors import Unavailable
from st_auth.live import LiveSession
from st_auth.sessions import Ended, Session

if TYPE_CHECKING:
    from st_auth.web.gate import Gate

__all__ = ["Watch"]

_EVERY: Final = 2.0
_NOTICE: Final = 120.0
_BATCH: Final = 500
_NOBODY: Final = "nobody"  # asked for when nobody is here: /auth/health says whether the store answers
_LOGGER = logging.getLogger("st_auth")


class Watch:
    """Runs in the server's event loop for as long as the server does; asks the store in threads."""

    def __init__(self, gate: "Gate") -> None:
        self._gate = gate
        self._core = gate.core
        self._live = gate.core.live
        config = gate.core.config
        self._limits = {"idle": config.idle_timeout.total_seconds(), "absolute": config.absolute_timeout.total_seconds()}

    async def run(self) -> None:
        """Go round until cancelled. A round that fails is logged and the next one comes."""
        every = min(_EVERY, max(0.25, self._limits["idle"] / 8))
        while True:
            await asyncio.sleep(every)
            try:
                await self.go_round()
            except Unavailable as error:
                _LOGGER.warning("The store does not answer: %s", error)
            except Exception:  # the round must not die: it is what ends sessions
                _LOGGER.exception("A round of the watch failed")

    async def go_round(self) -> None:
        """One round."""
        self._judge_limits()
        await self._ask_store()
        await self._finish_endings()
        await self._write_touches()
        self._live.evict()
        self._core.pool.sweep()

    def _judge_limits(self) -> None:
        """End here what is past a limit, and warn who is close to one; the store is told in the same round, or when it answers."""
        ticks = self._core.clock.monotonic()
        for session in self._live.known():
            if why := session.lapsed(ticks):
                self._live.unfinished[session.stored.record_key] = (session.stored, why)
                self._live.end(session, why)
            elif session.sockets and not session.noticed:
                self._warn(session, ticks)

    def _warn(self, session: LiveSession, ticks: float) -> None:
        left, which = session.seconds_left(ticks)
        if left > min(_NOTICE, self._limits[which] / 4):
            return
        session.noticed = True
        span = f"{round(left / 60)} minutes" if left >= 90 else f"{round(left)} seconds"
        base = self._core.config.base_path
        text = {
            "idle": f"Nothing was clicked for a while. You will be logged out in {span}. [Stay logged in]({base}/auth/stay)",
            "absolute": f"Your login ends in {span}. Save what you need; afterwards you can log in again.",
        }[which]
        for socket in session.sockets:
            socket.say(text, round(left))

    async def _ask_store(self) -> None:
        """Ask once for all versions: what is gone has ended elsewhere, what moved is read again."""
        keys = [session.stored.record_key for session in self._live.known()] or [_NOBODY]
        for start in range(0, len(keys), _BATCH):
            batch = keys[start : start + _BATCH]
            versions = await self._gate.in_store_thread(self._core.sessions.versions, batch)
            gone, moved = self._live.gone(batch, versions)
            for session in gone:
                self._live.end(session, "ended")
            for session in moved:
                await self._read_again(session)
        self._live.confirmed()

    async def _read_again(self, session: LiveSession) -> None:
        stored = await self._gate.in_store_thread(self._core.sessions.reread, session.stored)
        if isinstance(stored, Session):
            session.wrote(stored, self._core.clock.monotonic())
            self._core.pool.close_forgotten(session.login_id, [login.connection for login in stored.logins])
        else:
            self._live.end(session, stored.why if isinstance(stored, Ended) else "ended")

    async def _finish_endings(self) -> None:
        """Tell the store what has ended here, also what it could not be told when it was down."""
        for key, (stored, why) in list(self._live.unfinished.items()):
            if stored is not None:
                await self._gate.in_store_thread(partial(self._core.grants.finish, stored, why, farewell=False))
            else:
                await self._gate.in_store_thread(self._core.sessions.end_by_key, key, why)
            self._live.unfinished.pop(key, None)

    async def _write_touches(self) -> None:
        """Write down when people were last seen, at most once a minute each."""
        every = self._live.limits.touch_every
        for session in self._live.known():
            if (seen := session.unwritten(every)) is None:
                continue
            stored = await self._gate.in_store_thread(self._core.sessions.touch, session.stored, seen)
            if stored is not None:
                session.wrote(stored, self._core.clock.monotonic())
            else:
                await self._read_again(session)
