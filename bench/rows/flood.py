"""`flood`, measured only when it is named: what a minute of junk at every public path costs somebody who is logged in."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from bench.apps import WITH_ST_AUTH, WITH_ST_LOGIN
from bench.ground import LOGIN_COOKIES, Ground, Person, close_tabs, rss_kib, settled_cpu
from bench.result import Note, Row, absolute, against_peer
from tests.junk import Flood
from tests.servers.streamlit_app import StreamlitApp

_SECONDS = 60
_PAUSE = 0.05
_RATE = float(os.environ.get("FLOOD_RATE", "100"))


@dataclass(frozen=True)
class _Felt:
    """What a person felt: milliseconds of each act before and during the flood, what the server grew by, and what the strangers saw."""

    quiet: dict[str, list[float]]
    busy: dict[str, list[float]]
    grown: float
    said: dict[str, Any]


def flood(ground: Ground) -> list[Row | Note]:
    """99 of 100 documents and reruns of a person before and during the flood, and the server's memory before and after it.

    The same flood then meets Streamlit's own login, which tells what of it is the server's.
    """
    ours = _flooded(ground.app(WITH_ST_AUTH, "run", st_auth={"allow": "anyone"}))
    rows = [against_peer(f"flood_{name}", _p99(ours.busy[name]), _p99(ours.quiet[name]), "ms p99", "< 2") for name in ours.quiet]
    memory = absolute("flood_memory", ours.grown / 1024, "MiB", "< 8 MiB")
    alone = _flooded(ground.app(WITH_ST_LOGIN, "native"))
    return [*rows, memory, Note(f"flood: {_told(ours)}"), Note(f"flood of Streamlit with its own login: {_told(alone)}")]


def _flooded(app: StreamlitApp) -> _Felt:
    person = Person(app)
    person.log_in()
    tab = person.tab(app.url)
    acts: dict[str, Callable[[], object]] = {
        "document": lambda: person.request("GET", app.url),
        "rerun": lambda: tab.click("Again"),
    }
    issuer = person.request("GET", person.login_url, follow=False).header("location").partition("/authorize")[0]
    with _strangers(person, issuer, 5):
        _times(acts, 5)  # what is loaded and filled once is no growth
    settled_cpu(app)
    quiet, before = _times(acts, _SECONDS), rss_kib(app.pid)
    with _strangers(person, issuer, _SECONDS) as said:
        busy = _times(acts, _SECONDS)
    settled_cpu(app)
    felt = _Felt(quiet, busy, rss_kib(app.pid) - before, said)
    close_tabs(person)
    return felt


def _told(felt: _Felt) -> str:
    said = felt.said
    what = f"{said['requests'] / _SECONDS:.0f} requests/s, {said['sockets']} sockets, {said['begun']} logins begun: {said['statuses']}"
    acts = [
        f"{name} p99 {_p99(felt.quiet[name]):.0f} and {_p99(felt.busy[name]):.0f} ms, "
        f"median {_median(felt.quiet[name]):.1f} and {_median(felt.busy[name]):.1f} ms"
        for name in felt.quiet
    ]
    return f"{what}; before and during: {'; '.join(acts)}; memory {felt.grown / 1024:+.1f} MiB"


@contextmanager
def _strangers(person: Person, issuer: str, seconds: float) -> Iterator[dict[str, Any]]:
    """Junk from a process of its own. The block ends when that does; what was sent and what came back is then in the dictionary."""
    session = next(c.name for c in person.jar.for_host() if c.name.startswith(LOGIN_COOKIES))
    command = [sys.executable, "-m", "bench.rows.flood", person.app.url, session, issuer, str(seconds)]
    said: dict[str, Any] = {}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    yield said
    said.update(json.loads(process.communicate()[0]))


def _times(acts: dict[str, Callable[[], object]], seconds: float) -> dict[str, list[float]]:
    """Milliseconds of each act, by turns, a person's pause between."""
    times: dict[str, list[float]] = {name: [] for name in acts}
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        for name, act in acts.items():
            began = time.monotonic()
            act()
            times[name].append((time.monotonic() - began) * 1000)
            time.sleep(_PAUSE)
    return times


def _p99(times: list[float]) -> float:
    return sorted(times)[int(len(times) * 0.99)]


def _median(times: list[float]) -> float:
    return sorted(times)[len(times) // 2]


def main() -> None:
    """Send junk for some seconds and print what came back."""
    url, session, issuer, seconds = sys.argv[1:]
    with Flood(url, session, issuer, rate=_RATE) as strangers:
        time.sleep(float(seconds))
    counts = {"requests": sum(strangers.statuses.values()), "sockets": strangers.sockets, "begun": strangers.begun}
    print(json.dumps(counts | {"statuses": dict(sorted(strangers.statuses.items()))}))


EXTRAS = {"flood": flood}

if __name__ == "__main__":
    main()
