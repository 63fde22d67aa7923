"""The ASGI middleware: it starts with the server, stops with it, and lets nothing pass before it stands."""

import asyncio
import logging

import pytest
from streamlit import config

from st_auth import streamlit_facts as facts
from st_auth.errors import ConfigError, Problem, Unavailable
from st_auth.web.headers import LOGIN_HEADER
from st_auth.web.middleware import Middleware
from tests.streamlit_runtime import options
from tests.web.inprocess import Inner

pytestmark = pytest.mark.usefixtures("runtime", "kept")
WRONG = ConfigError([Problem("secrets.toml", "auth", "is missing", "add it")])


@pytest.fixture
def kept():
    with options():
        yield


class Server:
    """What a server does with an app: start, ask, stop."""

    def __init__(self, middleware, inner):
        self.middleware, self.inner, self.sent = middleware, inner, []
        self.open_when_told = []

    async def life(self, during=None):
        inbox = asyncio.Queue()
        inbox.put_nowait({"type": "lifespan.startup"})
        answered = asyncio.Event()

        async def send(message):
            self.sent.append(message)
            self.open_when_told.append(self.middleware._gate is not None)
            answered.set()

        task = asyncio.create_task(self.middleware({"type": "lifespan"}, inbox.get, send))
        await answered.wait()
        if during:
            await during()
        inbox.put_nowait({"type": "lifespan.shutdown"})
        await task

    async def ask(self, path="/", kind="http"):
        sent = []

        async def send(message):
            sent.append(message)

        async def receive():
            return {"type": "websocket.connect"}

        headers = [(b"host", b"localhost:8501"), (b"sec-fetch-dest", b"document")]
        scope = {"type": kind, "path": path, "method": "GET", "headers": headers, "query_string": b"", "client": ("127.0.0.1", 1)}
        await self.middleware(scope, receive, send)
        return sent[0]


@pytest.fixture
def make(house):
    def make(make_core=None):
        inner = Inner()
        return Server(Middleware(inner, make_core=make_core or (lambda: house.core)), inner)

    return make


def test_it_starts_with_the_server_and_stops_with_it(house, make):
    server, seen = make(), {}

    async def during():
        seen["answer"] = await server.ask("/sales")
        seen["core"] = facts.core()
        seen["watch"] = server.middleware._watch
        seen["trusted"] = config.get_option("server.trustedUserHeaders")
        seen["warm"] = await server.middleware._warming

    house.run(lambda: server.life(during))

    assert [m["type"] for m in server.sent] == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
    assert seen["answer"]["status"] == 303
    assert seen["core"] is house.core
    assert seen["trusted"][LOGIN_HEADER] == facts.LOGIN_ID_KEY
    assert house.issuer.metadata_calls == 1
    assert server.middleware._watch is None
    assert seen["watch"].cancelled()
    assert server.open_when_told == [True, False]
    with pytest.raises(Unavailable):
        house.core.store.get("x")


def test_a_server_with_a_wrong_configuration_does_not_start(house, make, caplog):
    def wrong():
        raise WRONG

    server = make(wrong)
    house.run(server.life)

    assert server.sent[0]["type"] == "lifespan.startup.failed"
    assert "auth: is missing" in caplog.text
    assert "Traceback" not in caplog.text


def test_where_no_start_is_told_nothing_passes_until_it_is_right(house, make):
    def wrong():
        raise WRONG

    server = make(wrong)

    assert house.run(server.ask)["status"] == 500
    assert house.run(lambda: server.ask(kind="websocket")) == {"type": "websocket.close", "code": 1008}
    assert server.inner.scopes == []
    with pytest.raises(ConfigError):
        house.run(server.middleware.start)
    house.run(server.middleware.stop)


def test_a_store_that_is_not_up_yet_is_asked_for_again(house, make, caplog):
    answers = [Unavailable("not yet", code="store"), Unavailable("not yet", code="store"), house.core]

    def soon():
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    server = make(soon)

    assert house.run(server.ask)["status"] == 500
    with pytest.raises(Unavailable, match="not yet"):
        house.run(server.middleware.start)
    assert house.run(server.ask)["status"] == 303
    assert "cannot start yet" in caplog.text
    house.run(server.middleware.stop)


def test_requests_at_once_start_it_once(house, make):
    made = []
    server = make(lambda: made.append(1) or house.core)

    async def many():
        return await asyncio.gather(*(server.ask() for _ in range(5)))

    assert [a["status"] for a in house.run(many)] == [303] * 5
    assert made == [1]
    house.run(server.middleware.stop)


def test_a_socket_passes_the_gate_too(house, make):
    server = make()

    assert house.run(lambda: server.ask("/_stcore/stream", "websocket")) == {"type": "websocket.close", "code": 1008}
    house.run(server.middleware.stop)


def test_a_kind_of_scope_that_we_do_not_know_is_refused(house, make):
    with pytest.raises(ValueError, match="webtransport"):
        house.run(lambda: make().ask(kind="webtransport"))


def test_a_provider_that_is_down_at_the_start_is_logged_and_asked_again_at_a_login(house, make, caplog):
    import httpx2

    caplog.set_level(logging.WARNING)
    house.issuer.answers["/.well-known/openid-configuration"] = httpx2.Response(500)
    server = make()

    async def during():
        await server.middleware._warming

    house.run(lambda: server.life(during))

    assert "The provider okta cannot be used yet" in caplog.text


def test_the_heap_is_frozen_while_it_runs_and_not_when_python_ends(build_house):
    import gc

    house = build_house(st_auth={"freeze_heap": True})
    middleware = Middleware(Inner(), make_core=lambda: house.core)
    try:
        house.run(middleware.start)
        assert gc.get_freeze_count() > 0
        house.run(middleware.stop)
        assert gc.get_freeze_count() == 0
    finally:
        gc.unfreeze()


def test_it_stops_before_it_started_without_a_word(house, make):
    house.run(make().middleware.stop)
