"""The ASGI middleware: it starts with the server, stops with it, and lets nothing pass before it stands."""

import asyncio
import contextlib
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio.to_thread

from st_auth import streamlit_facts as facts
from st_auth.core import Core
from st_auth.errors import ConfigError, StAuthError, Unavailable
from st_auth.web.answers import refuse_socket, respond
from st_auth.web.asgi import App, Message, Receive, Scope, Send
from st_auth.web.gate import Gate
from st_auth.web.headers import LOGIN_HEADER
from st_auth.web.heap import freeze, thaw
from st_auth.web.pages import problem_page
from st_auth.web.start import app_name, start_core
from st_auth.web.watch import Watch
from st_auth.web.words import problem

__all__ = ["Middleware"]

_LOGGER = logging.getLogger("st_auth")
_OURS = Path(__file__).resolve().parent.parent


class Middleware:
    """Puts login, sessions and per-user data in front of a Streamlit app: `st.App("app.py", middleware=[Middleware(st_auth.Middleware)])`.

    The configuration is read when the server starts, after `st.App(secrets=…)` is merged. A server with a wrong one does not
    start; where the server gives no notice of its start (a mounted app), nothing passes until it is right.
    """

    def __init__(self, app: App, *, make_core: Callable[[], Core] = start_core) -> None:
        self._app = app
        self._make_core = make_core
        self._gate: Gate | None = None
        self._failed: StAuthError | None = None
        self._starting = asyncio.Lock()
        self._why_not_yet = ""
        self._watch: asyncio.Task[None] | None = None
        self._warming: asyncio.Task[None] | None = None
        self._undo: list[Callable[[], None]] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One ASGI scope; a kind that we do not know is refused."""
        kind = scope["type"]
        if kind == "lifespan":
            await self._lifespan(scope, receive, send)
        elif kind == "http":
            gate = self._gate or await self._started()
            await (gate.http(scope, receive, send) if gate else respond(_broken(), send))
        elif kind == "websocket":
            gate = self._gate or await self._started()
            await (gate.websocket(scope, receive, send) if gate else refuse_socket(send))
        else:
            raise ValueError(f"st_auth does not let ASGI scopes of the kind {kind!r} pass.")

    async def _lifespan(self, scope: Scope, receive: Receive, send: Send) -> None:
        refused = False

        async def watched(message: Message) -> None:
            nonlocal refused
            if message["type"] == "lifespan.startup.complete" and await self._started() is None:
                refused = True
                text = str(self._failed or self._why_not_yet)  # the whole of it is in the log by now
                await send({"type": "lifespan.startup.failed", "message": text.partition("\n")[0]})
            elif not refused:
                if message["type"].startswith("lifespan.shutdown."):
                    await self.stop()  # before the server hears of it: it waits for nothing after that
                await send(message)

        async def received() -> Message:
            return {"type": "lifespan.shutdown"} if refused else await receive()  # so that the app ends in good order

        try:
            await self._app(scope, received, watched)
        finally:
            await self.stop()

    async def start(self) -> None:
        """Start in the running event loop, for a server that has started already. Raises what keeps it from starting."""
        if await self._started() is None:
            raise self._failed or Unavailable(self._why_not_yet, code="store")

    async def _started(self) -> Gate | None:
        """The gate, built at the first call; None if the configuration does not allow one."""
        async with self._starting:
            if self._gate is None and self._failed is None:
                await self._start()
        return self._gate

    async def _start(self) -> None:
        try:
            core = await anyio.to_thread.run_sync(self._make_core)
        except ConfigError as error:
            self._failed = error
            _LOGGER.error("%s", error)  # noqa: TRY400  # the text says it all; a traceback would hide it
            return
        except StAuthError as error:
            self._why_not_yet = str(error)
            _LOGGER.error("st_auth cannot start yet: %s", error)  # noqa: TRY400  # the same
            return
        gate = Gate(core, self._app, app_name())
        self._undo = [facts.trust_login_header(LOGIN_HEADER, gate.headers.believe), facts.leave_unwatched(_OURS)]
        facts.set_core(core)
        self._watch = asyncio.create_task(Watch(gate).run(), name="st_auth.watch")
        self._warming = asyncio.create_task(asyncio.to_thread(_warm_up, core), name="st_auth.warm_up")
        if core.config.freeze_heap:
            freeze()
        self._gate = gate

    async def stop(self) -> None:
        """Stop the watch and close what is open; a second time there is nothing left to do."""
        undo_all, self._undo = self._undo, []
        for undo in undo_all:
            undo()
        watch, self._watch = self._watch, None
        if watch is not None:
            watch.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await watch
        gate, self._gate = self._gate, None
        if gate is not None:
            await anyio.to_thread.run_sync(gate.core.close)
            if gate.core.config.freeze_heap:
                thaw()


def _warm_up(core: Core) -> None:
    """Ask each provider for its metadata now, so that no person waits for it; one that is down is asked again at a login."""
    for name, client in core.clients.items():
        try:
            client.metadata()
        except StAuthError as error:
            _LOGGER.warning("The provider %s cannot be used yet: %s", name, error)


def _broken() -> Any:
    text = problem("config")
    return problem_page("This app", text.heading, text.sentence, text.what_to_do, status=text.status)
