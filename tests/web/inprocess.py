"""One app behind the gate, in this process: a turned clock, a provider without sockets, an inner app that notes scopes, and browsers."""

import asyncio
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.cookies import SimpleCookie
from types import MappingProxyType
from typing import Any
from urllib.parse import parse_qs, unquote, urlencode, urlsplit

from st_auth import streamlit_facts as facts
from st_auth.config import Host, parse
from st_auth.core import Core, build
from st_auth.http import Http
from st_auth.live import LiveSession
from st_auth.stores import Store
from st_auth.testing import FakeIssuer
from st_auth.testing.store_contract import TurnedClock
from st_auth.web.gate import Gate

SECRET = "only for tests, and never anywhere else than here"
LOCAL = "http://localhost:8501/oauth2callback"
HTTPS = "https://sales.acme.com/oauth2callback"
_OF_TESTS = 100_000  # they log in more often than people do
DEV = {"dev": {"profile": "dev"}}


class Inner:
    """Stands for Streamlit: answers every request, accepts every socket, and keeps the scopes."""

    def __init__(self) -> None:
        self.scopes: list[dict[str, Any]] = []
        self.headers: list[tuple[bytes, bytes]] = [(b"content-type", b"text/plain")]
        self.received: list[dict[str, Any]] = []
        self.first: list[dict[str, Any]] = []
        self.lifespan: list[str] = []

    @property
    def paths(self) -> list[str]:
        return [scope["path"] for scope in self.scopes]

    def header(self, name: str) -> list[str]:
        """The values of a header of the last scope."""
        return [v.decode("latin-1") for k, v in self.scopes[-1]["headers"] if k == name.encode()]

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
            return
        self.scopes.append(scope)
        if scope["type"] == "http":
            await send({"type": "http.response.start", "status": 200, "headers": list(self.headers)})
            await send({"type": "http.response.body", "body": b"inner"})
            return
        await receive()
        await send({"type": "websocket.accept"})
        for message in self.first:
            await send(message)
        while (message := await receive())["type"] != "websocket.disconnect":
            self.received.append(message)
        self.received.append(message)

    async def _live(self, receive: Any, send: Any) -> None:
        while (message := await receive())["type"] != "lifespan.shutdown":
            self.lifespan.append(message["type"])
            await send({"type": f"{message['type']}.complete"})
        await send({"type": "lifespan.shutdown.complete"})


@dataclass
class Answer:
    """What came back from one request."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: str

    def header(self, name: str) -> str:
        return next((v.decode("latin-1") for k, v in self.headers if k == name.encode()), "")

    def all(self, name: str) -> list[str]:
        return [v.decode("latin-1") for k, v in self.headers if k == name.encode()]

    @property
    def location(self) -> str:
        return self.header("location")

    @property
    def next(self) -> str:
        """The `next` of the address that it leads to."""
        return parse_qs(urlsplit(self.location).query)["next"][0]

    @property
    def links(self) -> list[str]:
        return [link.replace("&amp;", "&") for link in re.findall(r'href="(/[^"]*)"', self.body)]


class House:
    """A Core behind a Gate in front of an Inner, in an event loop of its own."""

    def __init__(
        self,
        *,
        redirect_uri: str = LOCAL,
        providers: Mapping[str, Any] | None = None,
        st_auth: Mapping[str, Any] | None = None,
        auth: Mapping[str, Any] | None = None,
        base_path: str = "",
        store: Store | None = None,
        issuers: Mapping[str, FakeIssuer] = MappingProxyType({}),
        connections: Mapping[str, Any] = MappingProxyType({}),
    ) -> None:
        """`issuers` are further providers by the name of their section; all others are `self.issuer`."""
        self.runner = asyncio.Runner()
        self.clock = TurnedClock(datetime.now(UTC))
        self.issuer = FakeIssuer(serve=False, clock=self.clock.clock)
        self._issuers = issuers
        sections = {"okta": self.issuer.section()} if providers is None else providers
        secrets = {
            "auth": {"redirect_uri": redirect_uri, "cookie_secret": SECRET, **sections, **(auth or {})},
            "st_auth": {"store": "memory://", "freeze_heap": False, "logins_per_minute": _OF_TESTS, **(st_auth or {})},
            "connections": dict(connections),
        }
        self.config = parse(secrets, Host(port=8501, base_path=base_path), env={})
        own_transport = set(sections) if sections != DEV else set()
        self.core: Core = build(self.config, self.clock.clock, http=self._http if own_transport else None, store=store)
        self.inner = Inner()
        self.gate: Gate = self.run(self._gate)

    def _http(self, name: str) -> Http:
        return Http(self._issuers.get(name, self.issuer).transport)

    async def _gate(self) -> Gate:
        return Gate(self.core, self.inner, "Sales")

    def run(self, make: Callable[[], Any]) -> Any:
        """Run a coroutine function in the house's loop."""
        return self.runner.run(make())

    def advance(self, span: timedelta) -> None:
        """Let time pass while the store answers."""
        self.clock.advance(span)
        self.core.live.confirmed()

    def store_is_down(self) -> None:
        """Let the store answer nobody from now on."""
        self.core.store.close()

    @property
    def live(self) -> list[LiveSession]:
        return self.core.live.known()

    def close(self) -> None:
        self.run(self._settle)
        self.runner.close()
        self.core.close()
        assert not self.issuer.violations, self.issuer.violations

    async def _settle(self) -> None:
        for _ in range(5):
            await asyncio.sleep(0)


@dataclass
class Browser:
    """One person's browser: cookies by name, and the headers that Chromium sends."""

    house: House
    cookies: dict[str, str] = field(default_factory=dict)
    peer: str = "127.0.0.1"

    @property
    def origin(self) -> str:
        return self.house.config.origin

    @property
    def base(self) -> str:
        return self.house.config.base_path

    def visit(self, url: str, site: str = "none", **headers: str) -> Answer:
        """Open a page of its own, as from the address bar."""
        return self.ask("GET", url, {"sec-fetch-dest": "document", "sec-fetch-site": site, "accept": "text/html", **_dashed(headers)})

    def fetch(self, url: str, method: str = "GET", site: str = "same-origin", **headers: str) -> Answer:
        """Ask as a script of the page does."""
        own = {"origin": self.origin} if method not in ("GET", "HEAD") else {}
        return self.ask(method, url, {"sec-fetch-dest": "empty", "sec-fetch-site": site, **own, **_dashed(headers)})

    def post(self, url: str, form: Mapping[str, str], **headers: str) -> Answer:
        sent = {"sec-fetch-dest": "document", "sec-fetch-site": "same-origin", "origin": self.origin, **_dashed(headers)}
        return self.ask("POST", url, sent, urlencode(form).encode())

    def ask(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes = b"", *, raw: Sequence[tuple[bytes, bytes]] = ()
    ) -> Answer:
        """Send one request as it is given."""
        scope = {**self._scope("http", url, headers, raw), "method": method}
        sent: list[dict[str, Any]] = []

        async def go() -> None:
            parts = [{"type": "http.request", "body": body}]

            async def receive() -> dict[str, Any]:
                return parts.pop(0) if parts else {"type": "http.disconnect"}

            async def send(message: dict[str, Any]) -> None:
                sent.append(message)

            await self.house.gate.http(scope, receive, send)

        self.house.run(go)
        text = b"".join(m.get("body", b"") for m in sent[1:]).decode("utf-8", "replace")
        answer = Answer(sent[0]["status"], list(sent[0]["headers"]), text)
        self._keep(answer)
        return answer

    def socket(self, url: str = "", *, leave: bool = False, **headers: str) -> "Tab":
        """Open a WebSocket; with `leave` the browser is gone right after it."""
        path = url or f"{self.base}/_stcore/stream"
        sent = {"origin": self.origin, "sec-fetch-site": "same-origin", **_dashed(headers)}
        tab = Tab(self.house, self._scope("websocket", path, {k: v for k, v in sent.items() if v}, ()))
        tab.open(leave=leave)
        return tab

    def log_in(self, person: str = "ana", next_path: str = "/", provider: str = "okta") -> Answer:
        """Go through a whole login and return the callback's answer."""
        return self.come_back(self.go_to_provider(next_path, provider), person)

    def go_to_provider(self, next_path: str = "/", provider: str = "okta") -> Answer:
        return self.visit(f"{self.base}/auth/login?provider={provider}&next={next_path}")

    def come_back(self, away: Answer, person: str = "ana") -> Answer:
        callback = urlsplit(self.house.issuer.authorize(away.location, person))
        return self.visit(f"{callback.path}?{callback.query}", site="cross-site")

    def _scope(self, kind: str, url: str, headers: Mapping[str, str], raw: Sequence[tuple[bytes, bytes]]) -> dict[str, Any]:
        path, _, query = url.partition("?")
        sent = {"host": urlsplit(self.origin).netloc, **headers}
        if self.cookies and "cookie" not in sent:
            sent["cookie"] = "; ".join(f"{k}={v}" for k, v in self.cookies.items())
        return {
            "type": kind,
            "path": unquote(path),
            "raw_path": path.encode(),
            "query_string": query.encode("latin-1"),
            "headers": [*((k.encode(), v.encode("latin-1")) for k, v in sent.items()), *raw],
            "client": (self.peer, 50000) if self.peer else None,
        }

    def _keep(self, answer: Answer) -> None:
        for header in answer.all("set-cookie"):
            for name, morsel in SimpleCookie(header).items():
                if morsel["max-age"] == "0":
                    self.cookies.pop(name, None)
                else:
                    self.cookies[name] = morsel.value


class Tab:
    """One open page's WebSocket."""

    def __init__(self, house: House, scope: dict[str, Any]) -> None:
        self.house = house
        self.scope = scope
        self.sent: list[dict[str, Any]] = []
        self._inbox: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.gone = False
        self.task: asyncio.Task[None] | None = None

    def open(self, *, leave: bool = False) -> None:
        async def go() -> None:
            self._inbox.put_nowait({"type": "websocket.connect"})
            if leave:
                self._inbox.put_nowait({"type": "websocket.disconnect", "code": 1001})
            self.task = asyncio.create_task(self.house.gate.websocket(self.scope, self._inbox.get, self._send))
            await self._quiet()

        self.house.run(go)

    async def _send(self, message: dict[str, Any]) -> None:
        if self.gone:
            raise RuntimeError("the browser is gone")
        self.sent.append(message)

    async def _quiet(self) -> None:
        """Until nothing moves any more: threads of the store answer within milliseconds."""
        for _ in range(8):
            await asyncio.sleep(0.001)

    def say(self, data: bytes, kind: str = "bytes") -> None:
        """Send one message as the browser."""

        async def go() -> None:
            self._inbox.put_nowait({"type": "websocket.receive", kind: data})
            await self._quiet()

        self.house.run(go)

    def settle(self) -> None:
        self.house.run(self._quiet)

    def close(self) -> None:
        """The person closes the tab."""

        async def go() -> None:
            self._inbox.put_nowait({"type": "websocket.disconnect", "code": 1001})
            await self._quiet()

        self.house.run(go)

    @property
    def kinds(self) -> list[str]:
        return [message["type"] for message in self.sent]

    @property
    def was_refused(self) -> bool:
        return self.kinds == ["websocket.close"]

    @property
    def sent_to(self) -> list[str]:
        """Where it was sent, by redirects."""
        return [u for u in (_redirect_of(m) for m in self.sent) if u]

    @property
    def toasts(self) -> list[str]:
        return [t for t in (_toast_of(m) for m in self.sent) if t]


def _forward(message: Mapping[str, Any]) -> Any:
    from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

    found = ForwardMsg()
    found.ParseFromString(message.get("bytes") or b"")
    return found


def _redirect_of(message: Mapping[str, Any]) -> str:
    return str(_forward(message).auth_redirect.url)


def _toast_of(message: Mapping[str, Any]) -> str:
    return str(_forward(message).delta.new_element.toast.body)


def rerun(url: str = "http://localhost:8501/", *, query: str = "", auto: bool = False) -> bytes:
    """The message that a tab sends to run the script."""
    from streamlit.proto.BackMsg_pb2 import BackMsg

    message = BackMsg()
    message.rerun_script.context_info.url = url
    message.rerun_script.query_string = query
    message.rerun_script.is_auto_rerun = auto
    return bytes(message.SerializeToString())


def image(path: str, caption: str = "") -> bytes:
    """A message to the browser that shows a picture at `path`."""
    from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

    message = ForwardMsg()
    picture = message.delta.new_element.imgs.imgs.add()
    picture.url, picture.caption = path, caption
    return bytes(message.SerializeToString())


def script_finished() -> bytes:
    from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

    message = ForwardMsg()
    message.script_finished = 0
    return bytes(message.SerializeToString())


def tab_of(session: LiveSession) -> dict[str, object]:
    """What Streamlit holds of a tab of this login."""
    return {facts.LOGIN_ID_KEY: session.login_id, "is_logged_in": True, "email": "somebody@else.example"}


def _dashed(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in headers.items()}


__all__ = ["DEV", "HTTPS", "LOCAL", "SECRET", "Answer", "Browser", "House", "Inner", "Tab", "facts", "image", "rerun", "script_finished"]
