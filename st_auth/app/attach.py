"""Plain `streamlit run app.py`: at the first `require_login()` the middleware is put in front of the server that already runs."""

import asyncio
import atexit
import threading
from dataclasses import replace
from typing import Any

from st_auth import streamlit_facts as facts
from st_auth.config import Config
from st_auth.core import Core, build
from st_auth.errors import ConfigError, Problem
from st_auth.web.middleware import Middleware
from st_auth.web.start import read_config

__all__ = ["attach"]

_LOCK = threading.Lock()
_PATIENCE = 30.0


def attach() -> None:
    """Wrap the running server's application, once, and send tabs that are open already back through it.

    It is always `require_login = "in_script"`, as the script has run before. Raises ConfigError.
    """
    with _LOCK:
        if facts.core() is not None:
            return
        config = _checked(read_config())
        app = facts.app_of_runtime()
        if app is None:
            raise ConfigError([_no_app()])
        middleware = Middleware(app.middleware_stack, make_core=lambda: build(config))
        future = asyncio.run_coroutine_threadsafe(_switch(app, middleware), facts.event_loop())
        future.result(_PATIENCE)


async def _switch(app: Any, middleware: Middleware) -> None:
    await middleware.start()
    app.middleware_stack = middleware
    for socket in facts.open_sockets():
        await socket.close(4401)
    core: Core = facts.core()
    atexit.register(core.close)


def _checked(config: Config) -> Config:
    if not config.is_loopback:
        raise ConfigError(
            [
                Problem(
                    ".streamlit/secrets.toml",
                    "auth.redirect_uri",
                    "plain `streamlit run` guards the app only once the script has run, which is not enough beyond this machine",
                    "start it with `st-auth run app.py`, or with st.App(middleware=[Middleware(st_auth.Middleware)])",
                )
            ]
        )
    return replace(config, require_login="in_script")


def _no_app() -> Problem:
    return Problem("streamlit", "server", "the running application was not found", "start the app with `st-auth run app.py`")
