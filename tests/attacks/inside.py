"""The gate without a server: one ASGI scope at a time, thousands in a second. What it lets pass lands in `reached`."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from st_auth.config import Host, parse
from st_auth.core import build
from st_auth.secret import Secret
from st_auth.testing import Somebody
from st_auth.web.gate import Gate

PUBLIC = "https://sales.acme.test"
Headers = Sequence[tuple[bytes, bytes]]


@dataclass(slots=True, repr=False)
class Answer:
    """What came back. `reached` is the scope that the app behind the gate saw, None if it saw nothing."""

    sent: list[dict[str, Any]]
    reached: dict[str, Any] | None

    @property
    def status(self) -> int:
        return next((m["status"] for m in self.sent if m["type"] == "http.response.start"), 0)

    @property
    def was_accepted(self) -> bool:
        return any(m["type"] == "websocket.accept" for m in self.sent)

    @property
    def body(self) -> str:
        return b"".join(m.get("body", b"") for m in self.sent).decode("utf-8", "replace")

    def header(self, name: bytes) -> str:
        """An answer's header, `""` without it."""
        found = (v for m in self.sent for k, v in m.get("headers", ()) if k == name)
        return next(found, b"").decode("latin-1")


@dataclass(slots=True, repr=False)
class Inside:
    """One gate in an event loop of its own, with an app behind it that says yes to everything."""

    gate: Gate
    loop: asyncio.Runner
    reached: list[dict[str, Any]] = field(default_factory=list)

    @property
    def origin(self) -> str:
        return self.gate.core.config.origin

    @property
    def host(self) -> bytes:
        return self.origin.partition("://")[2].encode()

    def login(self, **person: Any) -> tuple[bytes, bytes]:
        """Log somebody in and return their Cookie header."""
        cookie, stored = self.gate.core.sessions.begin(Somebody(**person))
        self.gate.core.live.adopt(stored)
        return b"cookie", f"{self.gate.names.session}={cookie.reveal()}".encode()

    def http(self, path: str, headers: Headers = (), *, method: str = "GET", host: bytes | None = None, **more: Any) -> Answer:
        """One request; the Host is ours unless one is given."""
        scope = {"type": "http", "method": method, "path": path, "raw_path": path.encode(), "query_string": b"", **more}
        return self._one(scope, headers, host, [{"type": "http.request", "body": b""}])

    def websocket(self, headers: Headers = (), *, path: str = "/_stcore/stream", host: bytes | None = None, **more: Any) -> Answer:
        """One handshake; the browser says nothing afterwards."""
        return self._one({"type": "websocket", "path": path, **more}, headers, host, [{"type": "websocket.connect"}])

    def _one(self, scope: dict[str, Any], headers: Headers, host: bytes | None, incoming: list[dict[str, Any]]) -> Answer:
        scope |= {"headers": [(b"host", self.host if host is None else host), *headers]}
        scope.setdefault("client", ("198.51.100.7", 4711))
        incoming.append({"type": f"{scope['type']}.disconnect"})
        sent: list[dict[str, Any]] = []

        async def receive() -> dict[str, Any]:
            return incoming.pop(0) if incoming else {"type": f"{scope['type']}.disconnect"}

        async def send(message: Any) -> None:
            sent.append(dict(message))

        before = len(self.reached)
        self.loop.run((self.gate.http if scope["type"] == "http" else self.gate.websocket)(scope, receive, send))
        return Answer(sent, self.reached[-1] if len(self.reached) > before else None)


@contextmanager
def inside(folder: Path, *, origin: str = PUBLIC, base: str = "", **own: Any) -> Iterator[Inside]:
    """A gate for an app at `origin`, `[st_auth]` being `own`; sessions in memory."""
    auth = {
        "redirect_uri": f"{origin}{base}/oauth2callback",
        "cookie_secret": "a-secret-of-the-tests-with-more-than-32-bytes",
        "client_id": "web",
        "client_secret": "secret",
        "server_metadata_url": "https://idp.acme.test/.well-known/openid-configuration",
    }
    config = parse({"auth": auth, "st_auth": {"store": "memory://", "freeze_heap": False, **own}}, Host(8501, base, folder), {})
    core = build(config)
    reached: list[dict[str, Any]] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        reached.append(dict(scope))
        if scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.accept"})
        else:
            await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
            await send({"type": "http.response.body", "body": b"inside"})

    try:
        with asyncio.Runner() as loop:
            loop.run(asyncio.sleep(0))
            yield Inside(_gate(core, app, loop), loop, reached)
    finally:
        core.close()


def _gate(core: Any, app: Any, loop: asyncio.Runner) -> Gate:
    async def make() -> Gate:
        return Gate(core, app, "Sales")

    return loop.run(make())


def secret_of(cookie: tuple[bytes, bytes]) -> Secret[str]:
    """The value of the session cookie that `login` gave."""
    return Secret(cookie[1].partition(b"=")[2].decode())
