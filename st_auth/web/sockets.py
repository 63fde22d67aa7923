"""One tab's WebSocket between browser and Streamlit: what passes, what is remembered, and how the tab is sent away."""

import asyncio
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import quote

from st_auth import streamlit_facts as facts
from st_auth.live import Live, LiveSession
from st_auth.web.asgi import Message, Receive, Send
from st_auth.web.files import TabFiles
from st_auth.web.origin import path_of, return_path

__all__ = ["TabSocket"]

_GONE: Final = 4401
_DISCONNECT: Final[Message] = {"type": "websocket.disconnect", "code": _GONE}
_SHORT: Final = 4096
_HELD_TEXT = "One moment: the login service does not answer. What you did waits here and is not lost."


class TabSocket:
    """The ASGI channel of one tab of one login.

    It passes messages on, and on each one asks whether the session still holds. `leave` ends it from outside.
    """

    __slots__ = (
        "_base",
        "_files",
        "_first_rerun",
        "_is_leaving",
        "_keeps",
        "_live",
        "_loop",
        "_over",
        "_pending",
        "_ran",
        "_raw_receive",
        "_raw_send",
        "_run_ended",
        "_waits",
        "session",
        "url",
    )

    def __init__(
        self, session: LiveSession, live: Live, receive: Receive, send: Send, base_path: str, run_ended: Callable[[], None]
    ) -> None:
        self.session = session
        self.url = ""
        self._live = live
        self._base = base_path
        self._files = TabFiles(session.issue)
        self._raw_receive = receive
        self._raw_send = send
        self._loop = asyncio.get_running_loop()
        self._over: asyncio.Future[None] = self._loop.create_future()
        self._pending: asyncio.Future[Message] | None = None
        self._first_rerun = True
        self._is_leaving = False
        self._ran = False
        self._run_ended = run_ended
        self._waits = False
        self._keeps = False

    async def receive(self) -> Message:
        """The browser's next message for Streamlit; a disconnect once the session is over."""
        while True:
            message = await self._next()
            if message["type"] != "websocket.receive" or (data := message.get("bytes")) is None:
                return message
            if await self._passes(data):
                return message

    async def _next(self) -> Message:
        if self._over.done():
            return _DISCONNECT
        if self._pending is None:
            self._pending = asyncio.ensure_future(self._raw_receive())
        await asyncio.wait((self._pending, self._over), return_when=asyncio.FIRST_COMPLETED)
        if self._over.done():
            self._pending.cancel()
            return _DISCONNECT
        message, self._pending = self._pending.result(), None
        return message

    async def _passes(self, data: bytes) -> bool:
        """Whether a browser's message may reach Streamlit; counts it as activity if a person caused it."""
        if why := self.session.lapsed(self._live.clock.monotonic()):
            self.leave(why)
            return False
        if self._live.is_held and not await self._wait_until_confirmed():
            return False
        seen = facts.read_back_msg(data)
        if seen is None:
            return True  # Streamlit closes the socket with a protocol error of its own
        if seen.deferred and not self._files.may_have(seen.deferred):
            return False
        if seen.url:
            self.url = seen.url
        if seen.whole_run:
            self._waits = self._keeps = False  # the page says again if it still waits
        if seen.kind == "rerun_script" and self._first_rerun:
            self._first_rerun = False  # each tab sends one by itself when it connects, also after a dropped network
        elif seen.by_person:
            self.session.saw_person(self._live.clock)
        return True

    async def _wait_until_confirmed(self) -> bool:
        """Hold the message while the store is silent; False if the session ended meanwhile."""
        self.say(_HELD_TEXT, 10)
        while self._live.is_held:
            done, _ = await asyncio.wait((self._over,), timeout=1.0)
            if done:
                return False
        return not self.session.ended

    async def send(self, message: Message) -> None:
        """A message of Streamlit's for the browser; swallowed once the session is over."""
        if self._over.done():
            return
        data = message.get("bytes")
        if data is not None:
            self._files.sent(data)
            if len(data) < _SHORT and not self._allows(data):
                return
            if self._keeps and len(data) < _SHORT and facts.is_script_finished(data):
                message = {**message, "bytes": facts.finished_early(data)}  # so that the browser keeps what the page showed before
        await self._raw_send(message)

    def _allows(self, data: bytes) -> bool:
        if not self._ran and facts.is_script_finished(data):
            self._ran = True
            self._run_ended()
        if b"/auth/logout" in data and facts.auth_redirect(f"{self._base}/auth/logout") in data:
            self._is_leaving = True  # by `st.logout()`: on its way to the provider, from which nothing may call it back
        return not (self.session.ended and b"/auth/login" in data)

    def leave(self, why: str) -> None:
        """Send the tab to the page that says why its session ended, and close it. Safe from any thread."""
        self._soon(self._leave_to, self._landing(why))

    def leave_to(self, url: str) -> None:
        """Send the tab to one of our pages and close it. Safe from any thread."""
        self._soon(self._leave_to, url)

    def say(self, text: str, seconds: int) -> None:
        """Show a notice in the tab for some seconds. Safe from any thread."""
        self._soon(self._say, text, seconds)

    def wait_for_person(self, *, stopped: bool) -> None:
        """The page asks the person to do something in another tab; a run that `stopped` for it leaves all that the page showed before.

        Safe from any thread.
        """
        self._waits, self._keeps = True, stopped

    def go_on(self) -> None:
        """What a page waits for is done: it runs again, with every widget as it was. To be called in the server's event loop."""
        if self._waits:
            self._waits = self._keeps = False
            facts.run_again(self._files.session_id)

    def _landing(self, why: str) -> str:
        path = return_path(path_of(self.url), self._base)
        if why == "renewed":
            return path
        return f"{self._base}/auth/ended?why={quote(why)}&next={quote(path, safe='')}"

    def _soon(self, act: Callable[..., None], *arguments: str | int) -> None:
        try:
            self._loop.call_soon_threadsafe(act, *arguments)
        except RuntimeError:
            return  # the server's loop is closed: so are all its sockets

    def _say(self, text: str, seconds: int) -> None:
        if not self._over.done():
            self._spawn(self._push(facts.notice(text, seconds)))

    def _leave_to(self, url: str) -> None:
        if not self._over.done():
            self._over.set_result(None)
            if not self._is_leaving:
                self._spawn(self._push(facts.auth_redirect(url), then_close=True))

    def _spawn(self, work: Any) -> None:
        task = self._loop.create_task(work)
        _TASKS.add(task)
        task.add_done_callback(_TASKS.discard)

    async def _push(self, data: bytes, *, then_close: bool = False) -> None:
        try:
            await self._raw_send({"type": "websocket.send", "bytes": data})
            if then_close:
                await self._raw_send({"type": "websocket.close", "code": _GONE})
        except (RuntimeError, OSError):
            return  # the browser was gone first


_TASKS: set[asyncio.Task[None]] = set()
