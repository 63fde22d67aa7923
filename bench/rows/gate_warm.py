"""`gate_warm`: `require_login()` in a running script against `st.user.is_logged_in`, and that it stops once the session has ended."""

import json
import threading
import time
from collections.abc import Callable
from pathlib import Path

from bench.apps import gated, native
from bench.ground import Ground, Person, by_turns
from bench.result import Note, Row, against_peer
from tests.servers.streamlit_app import StreamlitApp
from tests.tab import Tab

# Streamlit's magic writes bare expressions to the page, so each call's value is given a name.
_TIMING = """
import json
import time
from pathlib import Path
from statistics import median

HERE = Path(__file__).parent


def measure(call, batches=15, calls=2000):
    figures = []
    for _ in range(batches):
        began = time.thread_time_ns()
        call(calls)
        figures.append((time.thread_time_ns() - began) / calls)
    return median(figures)
"""

_OURS = gated(f"""{_TIMING}

def many(calls):
    for _ in range(calls):
        someone = st_auth.require_login()


def measure_until_the_end():
    first_half = measure(many)
    (HERE / "half").touch()
    while not (HERE / "ended").exists():
        time.sleep(0.001)
    try:
        someone = st_auth.require_login()
        outcome = "went on"
    except BaseException as stop:
        outcome = type(stop).__name__
    (HERE / "outcome.tmp").write_text(json.dumps([first_half, outcome]))
    (HERE / "outcome.tmp").rename(HERE / "outcome")


if st.button("Measure"):
    st.text(f"ns={{measure(many)}}")
if st.button("Measure until the end"):
    measure_until_the_end()
""")

_PEER = native(f"""{_TIMING}

def many(calls):
    for _ in range(calls):
        known = st.user.is_logged_in


if st.button("Measure"):
    st.text(f"ns={{measure(many)}}")
""")


def gate_warm(ground: Ground) -> list[Row | Note]:
    """Thread CPU of one call in a script run, medians of batches, taking turns; then the session ends between two calls of one run."""
    apps = ground.app(_OURS, "run", st_auth={"allow": "anyone"}), ground.app(_PEER, "native")
    people = [Person(app) for app in apps]
    for one in people:
        one.log_in()
    tabs = [one.tab(one.app.url) for one in people]
    ours, peer = by_turns(25, *(_measure_in(tab) for tab in tabs))
    first_half, outcome = _end_half_way(apps[0], people[0], tabs[0])
    row = against_peer("gate_warm", ours / 1000, peer / 1000, "µs", "≤ 0.3", holds=outcome == "StopException")
    said = f"gate_warm: half-way ({first_half / 1000:.2f} µs a call until then) the session ended; the next call of that run: {outcome}"
    return [row, Note(said)]


def _measure_in(tab: Tab) -> Callable[[], float]:
    def measured() -> float:
        tab.click("Measure")
        return float(tab.fact("ns"))

    return measured


def _end_half_way(app: StreamlitApp, person: Person, tab: Tab) -> tuple[float, str]:
    """Let a run measure, end its session from outside once it is half-way, and return what the call after that did."""
    waiting = threading.Thread(target=tab.click, args=["Measure until the end"], daemon=True)
    waiting.start()
    _wait_for(app.folder / "half")
    answer = person.open(f"{app.url}auth/logout", referrer=app.url, follow=False)
    if answer.status not in (302, 303):
        raise AssertionError(f"logout answered {answer.status}")
    (app.folder / "ended").touch()
    _wait_for(app.folder / "outcome")
    waiting.join(5)
    first_half, outcome = json.loads((app.folder / "outcome").read_text())
    return first_half, outcome


def _wait_for(file: Path) -> None:
    began = time.monotonic()
    while not file.exists():
        if time.monotonic() - began > 20:
            raise AssertionError(f"the script did not write {file.name}")
        time.sleep(0.002)


ROWS = {"gate_warm": gate_warm}
