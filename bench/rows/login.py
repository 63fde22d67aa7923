"""`login` and `login_rate`: one code flow from the login's address to the app's document, a fresh browser each."""

import time
from functools import cache

from bench.apps import WITH_ST_AUTH, WITH_ST_LOGIN
from bench.ground import Ground, Person, by_turns, cpu_each, login_url_of
from bench.result import Note, Row, against_peer
from tests.servers.streamlit_app import StreamlitApp
from tests.speaker import together

_AT_ONCE = 8
_EACH = 4


@cache
def _apps(ground: Ground) -> tuple[StreamlitApp, StreamlitApp]:
    apps = ground.app(WITH_ST_AUTH, "run", st_auth={"allow": "anyone"}), ground.app(WITH_ST_LOGIN, "native")
    for app in apps:
        Person(app).log_in()  # what is loaded at the first login is not a login's cost
    return apps


def login(ground: Ground) -> list[Row | Note]:
    """Server CPU of one login. The provider is another process and costs nobody anything here."""
    ours, peer = by_turns(3, *(_cpu_of_login(app) for app in _apps(ground)))
    return [against_peer("login", ours * 1000, peer * 1000, "ms CPU", "≤ 0.25")]


def _cpu_of_login(app: StreamlitApp):
    url = login_url_of(app)
    return lambda: cpu_each(app, 10, lambda: Person(app, url).log_in())


def login_rate(ground: Ground) -> list[Row | Note]:
    """Logins per second with eight people at once."""
    ours, peer = by_turns(3, *(_rate_of(app) for app in _apps(ground)))
    return [against_peer("login_rate", ours, peer, "logins/s", "≥ 3")]


def _rate_of(app: StreamlitApp):
    url = login_url_of(app)

    def one_person():
        for _ in range(_EACH):
            Person(app, url).log_in()

    def rate():
        began = time.monotonic()
        together([one_person] * _AT_ONCE, threads=_AT_ONCE)
        return _AT_ONCE * _EACH / (time.monotonic() - began)

    return rate


ROWS = {"login": login, "login_rate": login_rate}
