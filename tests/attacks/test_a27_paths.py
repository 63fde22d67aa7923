"""A-27: however a path is spelled, mounted or based, nobody without a login gets a word of the app."""

import http.client
import socket
from contextlib import ExitStack, suppress

import pytest
from hypothesis import HealthCheck, example, given, settings, strategies as st
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route, WebSocketRoute

from st_auth.web import gate
from tests.attacks.inside import PUBLIC, inside
from tests.tab import BackMsg


def _by_part() -> None:
    """As a gate does that looks for the open paths anywhere in the path."""
    local = gate.Gate._local

    def looking(self, scope):
        path = local(self, scope)
        return "/_stcore/health" if "health" in path.lower() or "/_stcore/" in path else path

    gate.Gate._local = looking


def _sockets_open() -> None:
    async def pass_all(self, scope, receive, send):
        await self._app(scope, receive, send)

    gate.Gate.websocket = pass_all


DISARM = {"A-27": _by_part, "A-27.b": _sockets_open, "A-27.c": _by_part, "A-27.d": _by_part}

HEALTH = (
    "/_stcore/./health",
    "/_stcore//health",
    "//_stcore/health",
    "/%5fstcore/health",
    "/%5Fstcore/health/",
    "/_stcore/%68ealth",
    "/_stcore%2fhealth",
    "/%2f_stcore/health",
    "/x/../_stcore/health",
    "/media/../_stcore/health",
    "/_stcore/health/../stream",
    "/_stcore/health/../../",
    "/_stcore/health/..%2f..%2f",
    "/_stcore/health%00",
    "/_stcore/health%0a",
    "/_stcore/health;x",
    "/_stcore/health.json",
    "/_stcore/health/",
    "/_STCORE/health",
    "/_stcore/HEALTH",
    "/_stcore\\health",
    "/_stcore/%2e/health",
    "/_stcore/%252e/health",
    "/static/../_stcore/metrics",
    "/_stcore/metrics",
    "/_stcore/allowed-message-origins",
    "/_stcore/host-config/../metrics",
    "/_stcore/host-config/",
    "/app/static/../../_stcore/metrics",
    "/;/_stcore/health",
    "/static/index.html",
    "/index.html",
    "/./",
    "/../",
    "//",
    "///",
    "/.",
    "/%2e",
    "/*",
    "*",
    "_stcore/health",
)
STREAM = (
    "/%5fstcore/stream",
    "/_stcore/%73tream",
    "/_stcore/./stream",
    "//_stcore/stream",
    "/_stcore//stream",
    "/x/../_stcore/stream",
    "/media/../_stcore/stream",
    "/_STCORE/stream",
    "/_stcore/stream/",
    "/_stcore/health/../stream",
    "/_stcore/stream%00",
    "/_stcore/health",
    "/_stcore/host-config",
    "/",
)
SCRIPT = "import streamlit as st\nprint('THE SCRIPT RAN', flush=True)\nst.text('inside')\n"


def _raw(port, method, path, **headers):
    """One request with the path as it stands, which no client of ours would send; status and body."""
    connection = http.client.HTTPConnection("localhost", port, timeout=10)
    connection._validate_path = lambda _: None
    try:
        connection.putrequest(method, path, skip_accept_encoding=True)
        for name, value in headers.items():
            connection.putheader(name.replace("_", "-"), value)
        connection.endheaders()
        answer = connection.getresponse()
        return answer.status, answer.read()
    except (http.client.HTTPException, OSError):
        return 0, b""
    finally:
        connection.close()


def test_a27_no_spelling_gets_anything_of_the_app_from_the_real_server(app):
    one = app(SCRIPT, config={"server": {"enableStaticServing": True}})

    answers = {
        (path, method, accept): _raw(one.port, method, path, accept=accept)
        for path in HEALTH
        for accept in ("text/html", "*/*")
        for method in ("GET", "HEAD")
    }

    plain = {path for (path, method, _), (_, body) in answers.items() if method == "GET" and body == b"ok"}
    opened = {asked: status for asked, (status, _) in answers.items() if status < 300 and status and asked[0] not in plain}
    assert opened == {}
    assert plain == {"/%5fstcore/health", "/_stcore/%68ealth", "/_stcore%2fhealth"}, "these decode to the health check's very path"


def test_a27b_no_spelling_of_the_sockets_path_runs_the_script_for_a_stranger(app):
    one = app(SCRIPT)
    message = BackMsg()
    message.rerun_script.query_string = ""
    run, taken = message.SerializeToString(), {}
    for path in STREAM:
        with socket.create_connection(("localhost", one.port), timeout=10) as raw:
            raw.sendall(
                f"GET {path} HTTP/1.1\r\nHost: localhost:{one.port}\r\nOrigin: {one.origin}\r\nUpgrade: websocket\r\n"
                "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                "Sec-WebSocket-Protocol: streamlit, x\r\n\r\n".encode()
            )
            taken[path] = raw.recv(64).split(b" ")[1:2]
            raw.sendall(_frame(run))
            raw.settimeout(1)
            with suppress(OSError):
                while raw.recv(4096):
                    continue

    assert "THE SCRIPT RAN" not in one.output
    decoded = {"/%5fstcore/stream", "/_stcore/%73tream"}
    assert [path for path, status in taken.items() if status == [b"101"] and path not in decoded] == []


def _frame(data):
    """A short binary WebSocket frame, masked with zeros (RFC 6455 section 5.2)."""
    return bytes([0x82, 0x80 | len(data), 0, 0, 0, 0]) + data


BASES = {"": "", "base": "/app", "deep": "/a/b"}
PARTS = ["_stcore", "health", "host-config", "stream", "metrics", "media", "static", "app", "a", "b", "st", "auth", "index.html"]
PARTS += [".", "..", "", "%2e", "%2f", "%5f", "\\", ";", "\x00", "\n", " ", "_STCORE", "Health", "\ufb01", "\uff3fstcore", "health\x00"]


@pytest.fixture(scope="module")
def bases(tmp_path_factory):
    with ExitStack() as stack:
        yield {base: stack.enter_context(inside(tmp_path_factory.mktemp("base"), base=base)) for base in BASES.values()}


@settings(max_examples=600, deadline=None, suppress_health_check=list(HealthCheck), report_multiple_bugs=False)
@given(
    base=st.sampled_from(sorted(BASES.values())),
    inner=st.booleans(),
    parts=st.lists(st.sampled_from(PARTS) | st.text(max_size=5), max_size=6),
    slash=st.sampled_from(["/", "//", ""]),
)
@example(base="", inner=True, parts=["_stcore", "health", ""], slash="/")
@example(base="/app", inner=False, parts=["_stcore", "health"], slash="/")
@example(base="/app", inner=True, parts=["app", "_stcore", "health"], slash="/")
def test_a27c_no_decoded_path_passes_but_the_two_open_ones_letter_by_letter(bases, base, inner, parts, slash):
    path = f"{base if inner else ''}{slash}{'/'.join(parts)}"
    door = bases[base]

    reached = [
        answer.reached["path"]
        for headers in ([], [(b"accept", b"text/html"), (b"sec-fetch-dest", b"document")], [(b"sec-fetch-site", b"same-origin")])
        for method in ("GET", "POST", "OPTIONS")
        if (answer := door.http(path, headers, method=method)).reached
    ]
    opened = door.websocket([(b"origin", PUBLIC.encode())], path=path).reached

    assert set(reached) <= {f"{base}/_stcore/health", f"{base}/_stcore/host-config"}
    assert opened is None


MOUNTS = ["/st", "/a/b", "/media"]


@pytest.fixture(scope="module")
def mounts(tmp_path_factory):
    with ExitStack() as stack:
        yield {base: stack.enter_context(inside(tmp_path_factory.mktemp("mount"), base=base)) for base in ("", *MOUNTS)}


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck), report_multiple_bugs=False)
@given(parts=st.lists(st.sampled_from(PARTS), max_size=5), mounted=st.sampled_from(MOUNTS), own=st.booleans())
@example(parts=["_stcore", "metrics"], mounted="/st", own=True)
@example(parts=["_stcore", "metrics"], mounted="/st", own=False)
def test_a27d_mounted_below_another_app_nothing_passes_that_does_not_pass_otherwise(mounts, parts, mounted, own):
    """Whether `redirect_uri` says where the app is mounted or not."""
    served = []

    async def page(request):
        served.append(request.scope["path"].removeprefix(request.scope.get("root_path", "")))
        return PlainTextResponse("inside")

    async def stream(websocket):
        served.append("socket")
        await websocket.accept()

    door = mounts[mounted if own else ""]
    streamlit = Starlette(routes=[WebSocketRoute("/{any:path}", stream), Route("/{any:path}", page, methods=["GET", "POST"])])
    door.gate._app = streamlit

    async def app(scope, receive, send):
        await (door.gate.websocket if scope["type"] == "websocket" else door.gate.http)(scope, receive, send)

    outer = Starlette(routes=[Mount(mounted, app=app)])
    path = f"{mounted}/{'/'.join(parts)}"
    sent = []

    async def send(message):
        sent.append(message)

    for kind in ("http", "websocket"):
        incoming = [{"type": "websocket.connect"}] if kind == "websocket" else [{"type": "http.request", "body": b""}]

        async def receive(waiting=incoming, kind=kind):
            return waiting.pop(0) if waiting else {"type": f"{kind}.disconnect"}

        headers = [(b"host", door.host), (b"origin", PUBLIC.encode())]
        scope = {"type": kind, "path": path, "raw_path": path.encode(), "root_path": "", "query_string": b"", "headers": headers}
        scope |= {"method": "GET", "client": ("198.51.100.7", 1), "server": ("x", 443), "subprotocols": []}
        door.loop.run(outer(scope, receive, send))

    assert set(served) <= {"/_stcore/health", "/_stcore/host-config"}
