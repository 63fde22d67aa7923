"""`connect_cpu`: from the WebSocket handshake to the end of the first run, a new tab of somebody who is logged in."""

from collections.abc import Callable

from bench.apps import WITH_ST_AUTH, WITH_ST_LOGIN
from bench.ground import Ground, Person, by_turns, cpu_each
from bench.result import Note, Row, against_peer
from tests.servers.streamlit_app import StreamlitApp

_TABS = 15


def connect_cpu(ground: Ground) -> list[Row | Note]:
    """Server CPU a tab, until the app rests again; the tabs stay open, as people's do."""
    apps = ground.app(WITH_ST_AUTH, "run", st_auth={"allow": "anyone"}), ground.app(WITH_ST_LOGIN, "native")
    ours, peer = by_turns(3, *(_cpu_of_tab(app) for app in apps))
    return [against_peer("connect_cpu", ours * 1000, peer * 1000, "ms CPU", "≤ 0.5")]


def _cpu_of_tab(app: StreamlitApp) -> Callable[[], float]:
    person = Person(app)
    person.log_in()
    for _ in range(3):
        person.straight_tab()

    def measured() -> float:
        cost = cpu_each(app, _TABS, person.straight_tab)
        if name := person.tabs[-1].exceptions or (None if "Ana Analyst" in person.tabs[-1].lines else person.tabs[-1].text):
            raise AssertionError(f"the tab does not show the person: {name}")
        return cost

    return measured


ROWS = {"connect_cpu": connect_cpu}
