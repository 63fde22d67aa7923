"""What freezing the heap does to the memory of an app with pandas and two charts. Not a bar; measured only when it is named."""

from bench.apps import gated
from bench.ground import Ground, Person, cpu_each, rss_kib, settled_cpu
from bench.result import Note, Row
from tests.servers.streamlit_app import StreamlitApp
from tests.tab import Tab

_RERUNS = 300
_VISITS = 60

_SOURCE = gated("""
import random

import altair as alt
import pandas as pd

days = pd.date_range("2026-01-01", periods=400)
frame = pd.DataFrame({"day": days, **{f"region {i}": [random.random() for _ in days] for i in range(8)}})
long = frame.melt("day", var_name="region", value_name="sales")
st.dataframe(long.groupby("region").sales.describe())
st.line_chart(frame, x="day")
st.altair_chart(alt.Chart(long).mark_bar().encode(x="region", y="mean(sales)", color="region"))
st.dataframe(frame)
st.button("Again")
""")


def heap_memory(ground: Ground) -> list[Row | Note]:
    """RSS after the first reruns, after 300 of one tab, and after 60 more visits; CPU of a rerun; with the heap frozen and without."""
    notes = []
    for frozen in (True, False):
        app = ground.app(_SOURCE, "run", st_auth={"allow": "anyone", "freeze_heap": frozen})
        notes.append(Note(f"freeze_heap = {str(frozen).lower()}: {_story_of(app)}"))
        app.stop()
    return notes


def _story_of(app: StreamlitApp) -> str:
    person = Person(app)
    person.log_in()
    tab = person.tab(app.url)
    said = []
    spent = 0.0
    for reruns in (10, 100, _RERUNS):
        done = tab.runs_finished - 1
        spent = cpu_each(app, reruns - done, lambda: _again(tab))
        said.append(f"{rss_kib(app.pid) / 1024:.0f} MiB after {reruns} reruns")
    for _ in range(_VISITS):
        person.straight_tab().close()
    settled_cpu(app)
    said.append(f"{rss_kib(app.pid) / 1024:.0f} MiB after {_VISITS} more tabs came and went")
    person.close()
    return f"{', '.join(said)}; {spent * 1000:.0f} ms CPU a rerun"


def _again(tab: Tab) -> None:
    tab.click("Again")
    tab.messages.clear()
    if tab.exceptions:
        raise AssertionError(tab.exceptions)


EXTRAS = {"heap_memory": heap_memory}
