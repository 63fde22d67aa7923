"""`rerun_cpu`: one rerun of a small script behind our gate, against the same script without any login."""

from functools import partial

from bench.apps import NO_LOGIN, WITH_ST_AUTH
from bench.ground import Ground, Person, by_turns, close_tabs, cpu_each
from bench.result import TIMES, Note, Row, against_peer
from tests.servers.streamlit_app import StreamlitApp
from tests.speaker import Browser

_RERUNS = 25
_WARM_UP = 5


def rerun_cpu(ground: Ground) -> list[Row | Note]:
    """Server CPU, Streamlit's collection after each run included. Also what it costs with `freeze_heap = false`."""
    apps = (
        ground.app(WITH_ST_AUTH, "run", st_auth={"allow": "anyone"}),
        ground.app(WITH_ST_AUTH, "run", st_auth={"allow": "anyone", "freeze_heap": False}),
        ground.app(NO_LOGIN, "native", secrets=False),
    )
    people = [_somebody(app) for app in apps]
    tabs = [one.tab(app.url) for one, app in zip(people, apps, strict=True)]
    for tab in tabs:
        for _ in range(_WARM_UP):
            tab.rerun()
    measures = [partial(cpu_each, app, _RERUNS, tab.rerun) for app, tab in zip(apps, tabs, strict=True)]
    ours, unfrozen, peer = by_turns(5, *measures)
    close_tabs(*people)
    return [
        against_peer("rerun_cpu", ours * 1000, peer * 1000, "ms CPU", "≤ 0.3"),
        Note(f"rerun_cpu with freeze_heap = false: {unfrozen * 1000:.1f} ms CPU, {unfrozen / peer:.2f} {TIMES} the app without any login"),
    ]


def _somebody(app: StreamlitApp) -> Browser:
    if app.way == "native":
        return Browser()
    person = Person(app)
    person.log_in()
    return person


ROWS = {"rerun_cpu": rerun_cpu}
