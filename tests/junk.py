"""What strangers send: requests for every public path of an app, none of which means anything, and threads that send them."""

import base64
import http.client
import json
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from urllib.parse import urlsplit

from websockets.sync.client import ClientConnection, connect
from websockets.typing import Origin, Subprotocol

FORM = {"Content-Type": "application/x-www-form-urlencoded"}
DOCUMENT = {"Sec-Fetch-Dest": "document", "Sec-Fetch-Site": "none", "Accept": "text/html"}
Request = tuple[str, str, dict[str, str], bytes | None]


def requests(cookie: str, issuer: str) -> Iterator[Request]:
    """Junk without end. `cookie` is the name of the app's session cookie, with another value each time; `issuer` is the provider."""
    for number in count():
        wrong = {"Cookie": f"{cookie}=1{number:043d}"}
        attempt = {"Cookie": f"{cookie}-a-00000000={'x' * 600}"}
        token = _unsigned(issuer, number).encode()
        yield "GET", "/", DOCUMENT | wrong, None
        yield "GET", f"/page-{number}", wrong, None
        yield "GET", "/auth/login", {}, None
        yield "GET", "/auth/login?provider=default&next=%2F", DOCUMENT, None
        yield "GET", "/auth/login?provider=default&next=%2F", DOCUMENT | wrong, None
        yield "GET", f"/oauth2callback?code={number}&state={number}", DOCUMENT | attempt, None
        yield "GET", "/oauth2callback", DOCUMENT, None
        yield "GET", "/auth/ended?why=idle&next=%2F" + "a" * 500, DOCUMENT | wrong, None
        yield "GET", "/auth/logout", DOCUMENT | wrong, None
        yield "POST", "/auth/logout", FORM | wrong, b"token=" + b"x" * 4000
        yield "GET", f"/auth/connect?ask={number}" + "x" * 500, DOCUMENT | wrong, None
        yield "POST", f"/auth/connect?ask={number}", FORM | wrong, b"user=x&password=" + b"x" * 4000
        yield "POST", "/auth/backchannel-logout", FORM, b"logout_token=" + token
        yield "POST", "/auth/backchannel-logout", FORM, b"logout_token=" + b"x" * 40_000
        yield "GET", f"/auth/frontchannel-logout?iss={issuer}&sid={number}", {}, None
        yield "GET", "/auth/stay", DOCUMENT | wrong, None
        yield "GET", "/auth/health", {}, None
        yield "GET", "/auth/nothing", {}, None
        yield "GET", "/_stcore/health", {}, None
        yield "GET", "/_stcore/host-config", {}, None
        yield "PUT", f"/_stcore/upload_file/{number}/x", wrong, b"x" * 2000
        yield "GET", "/_stcore/agent/openapi.json", {}, None


def _unsigned(issuer: str, number: int) -> str:
    """What looks like a logout token of the provider's, for this app, and is signed by nobody."""
    claims = {"iss": issuer, "aud": "web", "jti": str(number), "sub": "alice"}
    parts = ({"alg": "RS256", "kid": f"k{number}", "typ": "logout+jwt"}, claims)
    return ".".join([*(base64.urlsafe_b64encode(json.dumps(p).encode()).rstrip(b"=").decode() for p in parts), "c2lnbmF0dXJl"])


@dataclass(slots=True)
class Flood:
    """Threads that send junk to an app until the `with` block ends. `rate` is requests a second in all; 0 is as fast as it goes."""

    url: str
    cookie: str
    issuer: str
    threads: int = 4
    rate: float = 0
    statuses: Counter[int] = field(default_factory=Counter)
    begun: int = 0
    sockets: int = 0
    failures: list[str] = field(default_factory=list)
    _stop: threading.Event = field(default_factory=threading.Event)
    _running: list[threading.Thread] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __enter__(self) -> "Flood":
        source = requests(self.cookie, self.issuer)
        pace = self.threads / self.rate if self.rate else 0.0
        begin = [pace * number / self.threads for number in range(self.threads)]  # one after the other, not all in one moment
        acts: list[Callable[[], None]] = [*(partial(self._send, source, pace, wait) for wait in begin), self._shake_hands]
        self._running = [threading.Thread(target=act, daemon=True) for act in acts]
        for thread in self._running:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._running:
            thread.join(30)

    def _send(self, source: Iterator[Request], pace: float, wait: float) -> None:
        target = urlsplit(self.url)
        connection = http.client.HTTPConnection(target.hostname or "", target.port, timeout=20)
        self._stop.wait(wait)
        due = time.monotonic()
        while not self._stop.is_set():
            with self._lock:
                method, path, headers, body = next(source)
            try:
                connection.request(method, path, body, headers)
                _acknowledge_at_once(connection.sock)
                answer = connection.getresponse()
                answer.read()
            except (OSError, http.client.HTTPException) as error:
                connection.close()
                self._count(path, 0, f"{type(error).__name__} at {path}")
            else:
                self._count(path, answer.status, answer.getheader("location", ""))
            due = max(due + pace, time.monotonic() - 1)
            self._stop.wait(max(0.0, due - time.monotonic()))
        connection.close()

    def _count(self, path: str, status: int, location: str) -> None:
        with self._lock:
            self.statuses[status] += 1
            if not status:
                self.failures.append(location)
            self.begun += path.startswith("/auth/login") and location.startswith(self.issuer)

    def _shake_hands(self) -> None:
        """Open sockets without a session, which say nothing and are sent away; up to twenty at a time."""
        target = urlsplit(self.url)
        held: list[ClientConnection] = []
        while not self._stop.is_set():
            with suppress(OSError, TimeoutError):
                held.append(_socket(target.netloc))
                self.sockets += 1
            if len(held) > 20:
                held.pop(0).socket.close()
            self._stop.wait(0.05)
        for one in held:
            one.socket.close()


def _acknowledge_at_once(kept: socket.socket) -> None:
    """Head and body of an answer are two writes, and on a kept connection the server's second one waits 40 ms for our word on the first."""
    if quick := getattr(socket, "TCP_QUICKACK", None):  # Linux
        kept.setsockopt(socket.IPPROTO_TCP, quick, 1)


def _socket(host: str) -> ClientConnection:
    protocols = [Subprotocol("streamlit")]
    return connect(f"ws://{host}/_stcore/stream", origin=Origin(f"http://{host}"), subprotocols=protocols, proxy=None, close_timeout=0.1)
