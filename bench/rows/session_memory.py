"""`session_memory`: what a live idle session adds to the registry's process, in memory and in objects for the garbage collector."""

import gc
import json
import os
import sys

from bench.apps import WITH_ST_LOGIN
from bench.fixture import a_config, a_login
from bench.ground import Ground, Person, in_fresh_process, rss_kib, settled_cpu
from bench.result import Note, Row, absolute

_SESSIONS = 20_000
_TABS = 60


def session_memory(ground: Ground) -> list[Row | Note]:
    """RSS a session over 20 000 that were read from their sealed records and that a script has asked for; beside a tab of Streamlit's."""
    kib, objects = in_fresh_process("bench.rows.session_memory", "user")
    read_kib, read_objects = in_fresh_process("bench.rows.session_memory", "claims")
    return [
        absolute("session_memory", kib, "KiB", "≤ 4 KiB", peer=_streamlits_session(ground)),
        absolute("session_objects", objects, "gc objects", "≤ 25"),
        Note(f"session_memory where the script has also read user.claims and user.email: {read_kib:.2f} KiB, {read_objects:.1f} objects"),
    ]


def _streamlits_session(ground: Ground) -> float:
    """RSS of an idle tab that is logged in through `st.login`: its Streamlit session, with its socket."""
    app = ground.app(WITH_ST_LOGIN, "native")
    person = Person(app)
    person.log_in()
    for _ in range(10):
        person.straight_tab()
    settled_cpu(app)
    before = rss_kib(app.pid)
    for _ in range(_TABS):
        person.straight_tab()
    settled_cpu(app)
    return (rss_kib(app.pid) - before) / _TABS


def _measure(what: str) -> tuple[float, float]:
    from st_auth.app.place import PLACE
    from st_auth.core import build
    from st_auth.user import User

    core = build(a_config(max_per_user=2))
    people = iter(range(10**9))

    def add(count: int) -> None:
        for _ in range(count):
            live = core.live.adopt(_as_read_from_the_store(core, next(people)))
            live.anchor = user = User(live, PLACE, core.grants, core.pool)
            if what == "claims":
                user.claims, user.email  # noqa: B018  # what a script that looks at its person does

    add(500)
    gc.collect()
    before, objects = rss_kib(os.getpid()), len(gc.get_objects())
    add(_SESSIONS)
    gc.collect()
    return (rss_kib(os.getpid()) - before) / _SESSIONS, (len(gc.get_objects()) - objects) / _SESSIONS


def _as_read_from_the_store(core, number: int):
    """A session as `resume` makes it, without the record that it was made from."""
    cookie, session = core.sessions.begin(a_login(number))
    read = core.sessions.resume(cookie)
    core.store.delete(session.record_key)
    return read


ROWS = {"session_memory": session_memory}

if __name__ == "__main__":
    print(json.dumps(_measure(sys.argv[1])))
