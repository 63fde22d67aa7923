"""The gate: every request and every socket passes here, with a live session or not at all."""

import asyncio
import json
import logging
from collections.abc import Callable
from typing import Any, Final, TypeVar

import anyio
import anyio.to_thread

from st_auth import streamlit_facts as facts
from st_auth.core import Core
from st_auth.errors import Unavailable
from st_auth.live import LiveSession
from st_auth.secret import Secret
from st_auth.sessions import Ended, Session, parse_cookie
from st_auth.web.answers import redirect, refuse_socket, respond, short
from st_auth.web.asgi import App, Message, Receive, Request, Scope, Send
from st_auth.web.cold import ColdReads
from st_auth.web.cookies import ENDED_MARK_AGE, CookieNames, read_cookies, set_cookie
from st_auth.web.headers import LOGIN_HEADER, HeaderRules
from st_auth.web.origin import client_address, host_answer, is_own_origin, return_path
from st_auth.web.pages import Page, problem_page
from st_auth.web.routes import Routes
from st_auth.web.sockets import TabSocket
from st_auth.web.visitors import Visitors
from st_auth.web.words import problem

__all__ = ["LOGIN_HEADER", "Gate"]

_STREAM: Final = "/_stcore/stream"
_OPEN: Final = frozenset({"/_stcore/health", "/_stcore/host-config"})
_CLOSED: Final = "/_stcore/agent"  # and all that begins with it
_ISSUED: Final = ("/media/", "/_stcore/upload_file/")
_SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_STORE_THREADS: Final = 16
_WAY_TO_PROVIDER: Final = 5.0
_JUST_NOW: Final = 15
_STRANGERS_WORDS: Final = 65_536
_HEARD_AT_MOST: Final = 256
_LOGGER = logging.getLogger("st_auth")

T = TypeVar("T")


class Gate:
    """Judges each HTTP and WebSocket scope of one app, and lets it on to Streamlit with the person's login id and claims."""

    def __init__(self, core: Core, app: App, app_name: str) -> None:
        self.core = core
        self._app = app
        self._config = core.config
        self._host = core.config.origin.partition("://")[2].encode()
        self.names = CookieNames.of(core.config)
        self.store_threads = anyio.CapacityLimiter(_STORE_THREADS)
        self._cold = ColdReads(core.sessions.resume, core.clock)
        self._heard = 0
        self._resuming: dict[str, asyncio.Task[Session | Ended | None]] = {}
        self._visitors = Visitors()
        self._routes = Routes(self, app_name)
        self._app_name = app_name
        self.headers = HeaderRules(core.config)
        self._freezes_left = 2 if core.config.freeze_heap else 0

    # -- HTTP ------------------------------------------------------------------------------------------------------------

    async def http(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One HTTP request."""
        headers: dict[bytes, bytes] = dict(scope["headers"])
        local = self._local(scope)
        ours, rest = read_cookies(scope["headers"], self.names, facts.CLAIMS_COOKIES)
        if local in _OPEN and (local == "/_stcore/health" or host_answer(headers.get(b"host"), self._config) == "ok"):
            await self._pass(scope, receive, send, rest, local)
            return
        request = self._request(scope, headers, ours, local)
        page = self._misdirected(request)
        if page is None and self._routes.has(local):
            page = await self._routes.answer(request, receive)
        if page is not None:
            await respond(page, send, head=request.method == "HEAD")
            return
        if local in self._config.public and request.method in _SAFE_METHODS:
            await self._pass(scope, receive, send, rest, local)
            return
        try:
            session = await self.session_of(ours, request)
        except Unavailable as error:
            await respond(self.unavailable(request, error), send)
            return
        if isinstance(session, LiveSession):
            refused = self._refuse_known(request, session)
        else:
            refused = self._refuse_unknown(request, session, rest)
            if refused is None and facts.is_authors_route(scope):
                refused = short(401, "log in first")
        if refused is not None:
            await respond(refused, send, head=request.method == "HEAD")
        else:
            await self._pass(scope, receive, send, rest, local)

    def _local(self, scope: Scope) -> str:
        """The decoded path below the app's base path; `""` for a path outside of it. A mounted app's root path is part of it."""
        path: str = scope["path"]
        base = self._config.base_path
        if not base:
            return path
        if path == base:
            return "/"
        return path[len(base) :] if path.startswith(f"{base}/") else ""

    def _request(self, scope: Scope, headers: dict[bytes, bytes], ours: dict[str, str], local: str) -> Request:
        peer = scope.get("client")
        query = scope.get("query_string", b"").decode("latin-1")
        method = scope.get("method", "GET")  # a WebSocket's handshake is one (RFC 6455 section 4.1)
        return Request(method, local, scope["path"], query, headers, ours, peer[0] if peer else "")

    def _misdirected(self, request: Request) -> Page | None:
        """What a request for another host gets, or for what is closed to everybody."""
        host = request.headers.get(b"host")
        answer = "ok" if host == self._host else host_answer(host, self._config)
        if answer != "ok" and request.path != "/auth/health":
            if answer == "alias" and request.method in ("GET", "HEAD"):
                return redirect(f"{self._config.origin}{request.address}", status=308)
            return self.problem("wrong_host", action=("Open the app", f"{self._config.origin}{self._config.base_path}/"))
        return short(404, "not found") if request.path.startswith(_CLOSED) else None

    def _refuse_known(self, request: Request, session: LiveSession) -> Page | None:
        """What a logged-in person may not ask for either: other people's files, and acts that another site asks for."""
        if request.method not in _SAFE_METHODS and not is_own_origin(dict(request.headers), self._config.origin):
            return short(403, "not from this app's own page")
        if request.path.startswith(_ISSUED) and request.method != "OPTIONS" and not session.may_ask_for(request.path):
            return short(404, "not found")
        if request.is_of_person:
            session.saw_person(self.core.clock)
        return None

    def _refuse_unknown(self, request: Request, why: str, rest: bytes) -> Page | None:
        """What somebody without a login gets: the way to log in for a document, 401 for everything else."""
        if request.path == "":
            return self.problem("not_found", action=("Go to the app", f"{self._config.base_path}/"))
        if why and request.wants_document and request.method == "GET":
            return self._routes.to_ended(why, request)
        if self._config.require_login == "in_script":
            return self._refuse_anonymous(request, rest)
        if request.method == "GET" and request.wants_document:
            return self._routes.first_visit(request)
        return short(401, "log in first", (b"www-authenticate", b'Cookie realm="app"'))

    def _refuse_anonymous(self, request: Request, rest: bytes) -> Page | None:
        """In `in_script` mode the script decides; files still go only to the browser that they were made for."""
        if request.method not in _SAFE_METHODS and not is_own_origin(dict(request.headers), self._config.origin):
            return short(403, "not from this app's own page")
        if request.path.startswith(_ISSUED) and request.method != "OPTIONS" and not self._visitors.may_ask_for(rest, request.path):
            return short(404, "not found")
        if request.path.startswith(("/app/static/", "/_stcore/metrics")):
            return short(401, "log in first")
        return None

    async def _pass(self, scope: Scope, receive: Receive, send: Send, cookies: bytes, local: str) -> None:
        rules = self.headers

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = rules.guarded(message.get("headers", ()), local)
            await send(message)

        await self._app({**scope, "headers": rules.cleaned(scope, cookies)}, receive, guarded)

    # -- sessions --------------------------------------------------------------------------------------------------------

    async def session_of(self, ours: dict[str, str], request: Request | None = None) -> LiveSession | str:
        """The live session of a request's cookie, or why there is none: `""` if the browser brought no cookie at all.

        A session in the registry is resolved here in the event loop; another one is read from the store in a thread, once
        however many requests of a page ask at the same time. `request` tells the address that asks.
        Raises `Unavailable` if the store does not answer, or too many wait for it.
        """
        text = ours.get(self.names.session)
        if not text:
            return ""
        cookie = Secret(text)
        raw = parse_cookie(cookie)
        if raw is None:
            return "no_session"
        key = self.core.vault.record_key(raw)
        live = self.core.live.by_key(key)
        if live is not None:
            return live
        task = self._resuming.get(key)
        if task is None:
            task = self._resuming[key] = asyncio.ensure_future(self.read_cold(cookie, request))
            task.add_done_callback(lambda _: self._resuming.pop(key, None))
        stored = await asyncio.shield(task)
        if isinstance(stored, Session):
            live = self.core.live.adopt(stored)
            return live.lapsed(self.core.clock.monotonic()) or live  # over here, by a clock that nobody sets back
        return stored.why if isinstance(stored, Ended) else "no_session"

    async def read_cold(self, cookie: Secret[str], request: Request | None) -> Session | Ended | None:
        """What the store has for a cookie; whoever sent many that nobody has waits behind all others."""
        return await self._cold.read(cookie, self.address_of(request) if request else "")

    def address_of(self, request: Request) -> str:
        """The address that a request came from, as far as proxies that are trusted tell it."""
        return client_address(request.peer, dict(request.headers), self._config.trusted_proxies)

    async def in_store_thread(self, call: Callable[..., T], *arguments: Any) -> T:
        """Run a call that asks the store, in a thread of our own limit."""
        return await anyio.to_thread.run_sync(call, *arguments, limiter=self.store_threads)

    def mark_cookie(self, mark: str) -> tuple[bytes, bytes]:
        """The cookie that remembers that this browser's last login ended: nobody goes straight in behind it."""
        return set_cookie(self.names, self.names.ended, mark, ENDED_MARK_AGE)

    def problem(
        self, code: str, *, action: tuple[str, str] | None = None, reference: str = "", retry_after: int | None = None, **words: str
    ) -> Page:
        """The page for what went wrong, by code."""
        text = problem(code, address=f"{self._config.origin}{self._config.base_path}/", **words)
        retry = 5 if text.status == 503 else retry_after
        return problem_page(
            self._app_name,
            text.heading,
            text.sentence,
            text.what_to_do,
            status=text.status,
            action=action,
            reference=reference,
            retry_after=retry,
        )

    def unavailable(self, request: Request, error: Unavailable) -> Page:
        """What a browser gets while the store is silent: nobody new is let in."""
        if error.code != "busy":
            _LOGGER.warning("The store does not answer; nobody new is let in: %s", error)
        if not request.wants_document:
            return short(503, "try again later", (b"retry-after", b"5"))
        code = "busy" if error.code == "busy" else "store_unavailable"
        return self.problem(code, action=("Try again", return_path(request.address, self._config.base_path)))

    # -- WebSocket -------------------------------------------------------------------------------------------------------

    async def websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One WebSocket: refused, sent to log in, or on to Streamlit."""
        headers: dict[bytes, bytes] = dict(scope["headers"])
        local = self._local(scope)
        if host_answer(headers.get(b"host"), self._config) != "ok" or not is_own_origin(headers, self._config.origin):
            await refuse_socket(send)
            return
        ours, rest = read_cookies(scope["headers"], self.names, facts.CLAIMS_COOKIES)
        try:
            session = await self.session_of(ours, self._request(scope, headers, ours, local))
            claims = await self._claims_of(session) if isinstance(session, LiveSession) else ""
        except Unavailable:
            await refuse_socket(send)  # the browser tries again by itself
            return
        if isinstance(session, LiveSession):
            await self._with_login(scope, receive, send, session, rest, claims)
        elif local != _STREAM:
            await refuse_socket(send)
        elif self._is_logging_out(scope, session, ours):
            await self._send_away(receive, send, "logout", patience=_WAY_TO_PROVIDER)
        elif self._config.require_login == "in_script" and not session:
            await self._without_login(scope, receive, send, rest)
        else:
            await self._send_away(receive, send, session or "no_session")

    async def _claims_of(self, session: LiveSession) -> str:
        """The cookies that make Streamlit's `st.user` hold this person's claims, as they were at login."""
        at_login = session.stored.claims_at_login or session.stored.claims_json
        tokens = await self._exposed_tokens(session) if self._config.expose_tokens else {}
        return facts.claims_cookies(json.loads(at_login), session.stored.card.provider, self._config.origin, tokens)

    async def _exposed_tokens(self, session: LiveSession) -> dict[str, str]:
        stored = await self.in_store_thread(self.core.sessions.reread, session.stored)
        if not isinstance(stored, Session) or stored.tokens is None:
            return {}
        tokens = {"id_token": stored.tokens.id_token, "access_token": stored.tokens.access_token}
        return {
            kind: token.reveal()
            for kind, token in tokens.items()
            if token is not None and kind.removesuffix("_token") in self._config.expose_tokens
        }

    async def _with_login(self, scope: Scope, receive: Receive, send: Send, session: LiveSession, rest: bytes, claims: str) -> None:
        socket = TabSocket(session, self.core.live, receive, send, self._config.base_path, self._run_ended)
        if not self.core.live.join(session, socket):
            await self._send_away(receive, send, session.ended)
            return
        cookies = b"; ".join(part for part in (rest, claims.encode("latin-1")) if part)
        inner = self._socket_scope(scope, cookies, session.login_id)
        inner[facts.SOCKET_KEY] = socket
        try:
            await self._app(inner, socket.receive, socket.send)
        finally:
            self.core.live.part(session, socket)

    async def _without_login(self, scope: Scope, receive: Receive, send: Send, rest: bytes) -> None:
        """An anonymous tab, in `in_script` mode: its Streamlit session is bound to this browser and to nobody's login."""
        visitor = self._visitors.of(rest)
        await self._app(self._socket_scope(scope, rest, visitor.handle), *visitor.watch(receive, send))

    def _socket_scope(self, scope: Scope, cookies: bytes, login_id: str) -> Scope:
        self.headers.believe(facts.keep_trusting(LOGIN_HEADER))  # Streamlit reads them at a handshake alone
        headers = self.headers.cleaned(scope, cookies)
        headers.append((LOGIN_HEADER.encode(), login_id.encode()))
        return {**scope, "headers": headers}

    def _is_logging_out(self, scope: Scope, why: str, ours: dict[str, str]) -> bool:
        """Whether a tab resumes (by a third subprotocol) just after a logout: it may still wait for the provider's answer."""
        if len(scope.get("subprotocols", ())) < 3:
            return False
        return why == "logout" or self.core.unsign("ended", ours.get(self.names.ended, ""), _JUST_NOW) == "logout"

    async def _send_away(self, receive: Receive, send: Send, why: str, *, patience: float = 0) -> None:
        """Accept only to send the tab to where it is told what happened, if it does not go by itself within `patience` seconds.

        A refused handshake would leave it on a spinner. Where 256 are being heard, the next one goes at once, and lands at the start.
        """
        message = await receive()
        await send({"type": "websocket.accept", "subprotocol": "streamlit"})
        url = ""
        if self._heard < _HEARD_AT_MOST:
            self._heard += 1
            try:
                message, url = await self._hear(receive, message, patience)
            finally:
                self._heard -= 1
        if message["type"] == "websocket.disconnect":
            return
        await send({"type": "websocket.send", "bytes": facts.auth_redirect(self._routes.ended_url(why, url))})
        await send({"type": "websocket.close", "code": 4401})

    async def _hear(self, receive: Receive, message: Message, patience: float) -> tuple[Message, str]:
        """The last message of a tab without a session, and the address that its first one names."""
        url = ""
        with anyio.move_on_after(2):
            message = await receive()
            data = message.get("bytes") or b""
            seen = facts.read_back_msg(data) if len(data) <= _STRANGERS_WORDS else None
            url = seen.url if seen else ""
        with anyio.move_on_after(patience):
            while patience and message["type"] != "websocket.disconnect":
                message = await receive()
        return message, url

    def _run_ended(self) -> None:
        """The first script run is over: the app's own modules are loaded, so the heap is frozen once more."""
        if self._freezes_left:
            self._freezes_left = 0
            self._app_loaded()

    def _app_loaded(self) -> None:
        from st_auth.web.heap import freeze

        freeze()
