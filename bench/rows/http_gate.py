"""`http_gate`: what one request for a static file costs in the middleware, beyond the app behind it."""

import asyncio
import time
from statistics import median

from bench.fixture import a_config, a_login
from bench.ground import Ground, in_fresh_process
from bench.result import Note, Row, absolute

_BATCHES = 300
_REQUESTS = 100


def http_gate(_: Ground) -> list[Row | Note]:
    """The gate called directly as ASGI with a live session's cookie: CPU of a request, less that of the same inner app alone.

    The median of many short batches counts; the fastest, which other work on a shared machine touches least, is stated beside it.
    """
    through, alone = in_fresh_process("bench.rows.http_gate")
    note = Note(f"http_gate: through the gate {through[1]:.1f} µs (fastest {through[0]:.1f}), the inner app alone {alone[1]:.2f} µs")
    return [absolute("http_gate", through[1] - alone[1], "µs", "≤ 25 µs"), note]


async def _inner(_scope, _receive, send) -> None:
    """An app that answers a static file at once, with the headers that Streamlit gives one."""
    headers = [
        (b"content-type", b"text/javascript; charset=utf-8"),
        (b"content-length", b"2"),
        (b"cache-control", b"public, max-age=31536000, immutable"),
        (b"etag", b'"5d41402abc4b2a76b9719d911017c592"'),
        (b"last-modified", b"Sun, 22 Nov 2026 08:00:00 GMT"),
    ]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"ok"})


def _middleware():
    """The middleware as it stands in a server that has started, and the cookie of a session that is live in it."""
    from st_auth.core import build
    from st_auth.web.gate import Gate
    from st_auth.web.middleware import Middleware

    core = build(a_config())
    cookie, session = core.sessions.begin(a_login(1))
    core.live.adopt(session)
    middleware = Middleware(_inner)
    middleware._gate = Gate(core, _inner, "Bench")
    return middleware, f"{middleware._gate.names.session}={cookie.reveal()}"


def _scope(cookie: str) -> dict[str, object]:
    """What Chromium sends for a script of the page."""
    headers = {
        "host": "localhost:8501",
        "connection": "keep-alive",
        "sec-ch-ua-platform": '"Linux"',
        "user-agent": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36",
        "sec-ch-ua": '"Chromium";v="156", "Not)A;Brand";v="24"',
        "sec-ch-ua-mobile": "?0",
        "accept": "*/*",
        "origin": "http://localhost:8501",
        "sec-fetch-site": "same-origin",
        "sec-fetch-mode": "cors",
        "sec-fetch-dest": "script",
        "referer": "http://localhost:8501/",
        "accept-encoding": "gzip, deflate, br, zstd",
        "accept-language": "en-US,en;q=0.9",
        "cookie": f"_streamlit_xsrf=2|7d0cd6a9|0f6b5c4d3e2f1a0b9c8d7e6f5a4b3c2d|1790000000; {cookie}",
    }
    path = "/static/js/index.Bq3kVx9Z.js"
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "server": ("127.0.0.1", 8501),
        "client": ("127.0.0.1", 50000),
        "scheme": "http",
        "method": "GET",
        "root_path": "",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
    }


async def _measure() -> list[tuple[float, float]]:
    """The fastest and the median batch, through the gate and of the inner app alone."""
    middleware, cookie = _middleware()
    scope = _scope(cookie)
    statuses = await _answers(middleware, scope)
    if statuses != [200]:
        raise AssertionError(f"the gate answered {statuses}")
    if await _answers(middleware, _scope("")) == [200]:
        raise AssertionError("the gate let a request without a session pass")
    figures = {app: [] for app in (middleware, _inner)}
    for _ in range(_BATCHES):
        for app, kept in figures.items():
            kept.append(await _batch(app, scope))
    return [(min(kept), median(kept)) for kept in figures.values()]


async def _answers(app, scope) -> list[int]:
    seen = []

    async def send(message) -> None:
        if message["type"] == "http.response.start":
            seen.append(message["status"])

    await app(scope, _receive, send)
    return seen


async def _receive() -> dict[str, object]:
    return {"type": "http.request", "body": b"", "more_body": False}


async def _ignore(_message) -> None:
    pass


async def _batch(app, scope) -> float:
    """Microseconds of a request; each gets a scope of its own, as from a server."""
    scopes = [dict(scope) for _ in range(_REQUESTS)]
    began = time.process_time_ns()
    for one in scopes:
        await app(one, _receive, _ignore)
    return (time.process_time_ns() - began) / 1000 / _REQUESTS


ROWS = {"http_gate": http_gate}

if __name__ == "__main__":
    import json

    print(json.dumps(asyncio.run(_measure())))
