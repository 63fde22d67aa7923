"""Plain `streamlit run`: the middleware is put in front of a server that already runs; here that is a runtime without a socket."""

import asyncio

import pytest
from streamlit import config
from streamlit.web.server.starlette.starlette_app import create_starlette_app

from st_auth import streamlit_facts as facts
from st_auth.app.attach import attach
from st_auth.errors import ConfigError
from st_auth.web.middleware import Middleware
from tests.streamlit_runtime import a_loop, a_runtime, options, secrets_of
from tests.web.inprocess import SECRET

PROVIDER = {"client_id": "x", "client_secret": "x", "server_metadata_url": "http://localhost:1/.well-known/openid-configuration"}
AUTH = {"redirect_uri": "http://localhost:8501/oauth2callback", "cookie_secret": SECRET, **PROVIDER}


@pytest.fixture
def server():
    """A runtime that has started, in its loop."""
    with options(server_port=8501), a_runtime() as runtime, a_loop() as loop:
        config._config_options["server.port"].set_value(8501, "<default>")
        asyncio.run_coroutine_threadsafe(runtime.start(), loop).result(10)
        yield runtime, loop
        loop.call_soon_threadsafe(runtime.stop)
        asyncio.run_coroutine_threadsafe(_stopped(runtime), loop).result(10)


async def _stopped(runtime):
    await runtime.stopped


def settings(**auth):
    return secrets_of({"auth": {**AUTH, **auth}, "st_auth": {"store": "memory://", "freeze_heap": False}})


class Tab:
    """An open WebSocket that only notes how it is closed."""

    def __init__(self):
        self.scope, self.codes = {}, []

    async def close(self, code):
        self.codes.append(code)


def stop(app, loop):
    asyncio.run_coroutine_threadsafe(app.middleware_stack.stop(), loop).result(10)


def test_the_running_application_is_wrapped_once_and_open_tabs_are_sent_back_through_it(server):
    from types import SimpleNamespace

    runtime, loop = server
    app, tab = create_starlette_app(runtime), Tab()
    app.middleware_stack = inner = app.build_middleware_stack()
    runtime._session_mgr._active_session_info_by_id["s"] = SimpleNamespace(client=SimpleNamespace(_websocket=tab), session=None)

    with settings():
        attach()
        attach()
    runtime._session_mgr._active_session_info_by_id.clear()

    assert isinstance(app.middleware_stack, Middleware)
    assert app.middleware_stack._app is inner
    assert tab.codes == [4401]
    assert facts.core().config.require_login == "in_script"
    stop(app, loop)


def test_beyond_this_machine_it_names_the_ways_that_guard_from_the_start(server):
    with settings(redirect_uri="https://sales.acme.com/oauth2callback"), pytest.raises(ConfigError, match=r"st-auth run app\.py"):
        attach()

    assert facts.core() is None


def test_without_an_application_it_says_how_to_start_one(server):
    with settings(), pytest.raises(ConfigError, match="the running application was not found"):
        attach()
