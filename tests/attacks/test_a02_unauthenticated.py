"""A-02, A-09: whatever Streamlit can serve, by its own list of routes, a stranger gets none of it."""

import asyncio
import json
import re

import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from st_auth.web import gate
from st_auth.web.middleware import Middleware
from tests.pages import Page


def _http_gate_only() -> None:
    """As Starlette's BaseHTTPMiddleware would: sockets pass unseen."""

    async def pass_all(self, scope, receive, send):
        await self._app(scope, receive, send)

    gate.Gate.websocket = pass_all


def _no_http_gate() -> None:
    gate.Gate._refuse_unknown = lambda *_: None


def _all_kinds() -> None:
    async def call(self, scope, receive, send):
        await self._app(scope, receive, send)

    Middleware.__call__ = call


DISARM = {"A-02": _no_http_gate, "A-02.b": _http_gate_only, "A-02.c": _all_kinds}

METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "PROPFIND", "TRACE")
PUBLIC_PATHS = {"/_stcore/health", "/_stcore/host-config"}
# An app with a route of its own, which prints every path that the server knows once Streamlit has made its list.
WITH_ROUTES = """\
import json
import streamlit as st
import st_auth
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse
from starlette.routing import Route, WebSocketRoute
from streamlit.web.server.starlette import starlette_app

listed = starlette_app.create_streamlit_routes

def listing(runtime):
    routes = listed(runtime)
    print("ROUTES=" + json.dumps([getattr(r, "path", "") for r in routes]), flush=True)
    return routes

starlette_app.create_streamlit_routes = listing

async def secret(request):
    return PlainTextResponse("inside")

async def socket(websocket):
    await websocket.accept()
    await websocket.send_text("inside")

own = [Route("/api/secret", secret), WebSocketRoute("/api/socket", socket)]
app = st.App({script!r}, middleware=[Middleware(st_auth.Middleware)], routes=own)
"""
SCRIPT = "import streamlit as st\nprint('THE SCRIPT RAN', flush=True)\nst.text('inside')\n"


@pytest.fixture
def server(app):
    one = app(SCRIPT, way="asgi", begin=False, config={"server": {"enableStaticServing": True}})
    (one.folder / "asgi_app.py").write_text(WITH_ROUTES.format(script=str(one.script)), "utf-8")
    return one.start()


def _paths(server):
    """Every path of Streamlit's list, placeholders filled in, and some that people try."""
    listed = json.loads(re.search(r"ROUTES=(.*)", server.output)[1])
    assert len(listed) > 12, listed
    filled = {re.sub(r"\{[^}]*\}", "x", path) or "/" for path in listed}
    tried = {"/", "/index.html", "/api/secret", "/any/page", "/static/js/index.js", "/app/static/x.png"}
    return sorted({f"/{p.lstrip('/')}" for p in filled} | tried)


def _is_closed(page: Page) -> bool:
    """The way to a login, our own page, or a plain refusal; never a word of the app or of Streamlit."""
    if page.status in (301, 302, 303, 307, 308):
        return "/auth/" in (page.header("location") or "") or "127.0.0.1" in (page.header("location") or "")
    return page.status in (400, 401, 403, 404, 405) and not page.is_streamlit and "inside" not in page.text


def test_a02_every_route_of_streamlit_and_of_the_app_is_closed_to_strangers(server, person):
    stranger = person()

    opened = [
        (method, path, page.status)
        for path in _paths(server)
        for method in METHODS
        for page in [stranger.request(method, f"{server.origin}{path}", follow=False, referrer=server.url)]
        if path not in PUBLIC_PATHS and not _is_closed(page)
    ]

    assert opened == []
    assert "THE SCRIPT RAN" not in server.output


def test_a02b_a_strangers_socket_is_sent_away_and_the_script_never_runs(server, person):
    stranger = person()
    tab = stranger.tab(server.url, load=False)

    assert (tab.redirected_to or "").startswith("/auth/ended?why=no_session")
    assert tab.wait_closed() == 4401
    assert {m.WhichOneof("type") for m in tab.messages} == {"auth_redirect"}
    assert "THE SCRIPT RAN" not in server.output
    for path in ("/api/socket", "/_stcore/stream/", "/_stcore//stream", "/_stcore/stream/x", "/%5fSTCORE/stream"):
        with pytest.raises(InvalidStatus, match="403"):
            connect(f"ws://localhost:{server.port}{path}", origin=server.origin, proxy=None)


@pytest.mark.parametrize("kind", ["webtransport", "http.unknown", "", "HTTP"])
def test_a02c_a_kind_of_connection_that_nobody_knows_yet_is_refused(kind):
    reached = []

    async def app(scope, receive, send):
        reached.append(scope)

    with pytest.raises(ValueError, match="does not let ASGI scopes of the kind"):
        asyncio.run(Middleware(app)({"type": kind}, None, None))
    assert reached == []
