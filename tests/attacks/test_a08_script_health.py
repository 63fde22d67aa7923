"""A-08: Streamlit's script health check runs the whole app as test@example.com. It is refused at the start; if it ran, nobody is in."""

import sys
from pathlib import Path

from st_auth import streamlit_facts as facts
from st_auth.app import gate as script
from tests.servers.processes import Process, clean_environment, wait_until


def _serve_it() -> None:
    facts.unsafe_options = list
    from st_auth.web import gate

    gate.Gate._refuse_unknown = lambda *_: None
    _believe_every_run()


def _believe_every_run() -> None:
    """As a gate would that takes any identity for a login, as apps do that look at st.user.email."""
    script._ask = lambda _provider: None


DISARM = {"A-08": _serve_it, "A-08.b": _believe_every_run}
APP = """\
import streamlit as st
import st_auth

print("BEFORE THE GATE", st.user.to_dict(), flush=True)
st_auth.require_login()
print("BEHIND THE GATE", flush=True)
"""


def test_a08_with_the_option_on_nothing_starts(app, person):
    one = app(APP, begin=False, options=["--server.scriptHealthCheckEnabled", "true"]).start(wait=False)
    wait_until(lambda: not one.process.is_running or one.is_healthy(), "a start or a refusal", seconds=40)
    answer = person().fetch(f"{one.origin}/_stcore/script-health-check", page=one.url).status if one.process.is_running else 0

    assert (one.process.exit_code, answer) == (2, 0)
    assert "server.scriptHealthCheckEnabled" in one.output


def test_a08b_if_such_a_run_happens_all_the_same_require_login_lets_nobody_past(tmp_path, disarmed):
    (tmp_path / "app.py").write_text(APP)
    check = ["tests.attacks.script_health", "app.py"]
    launched = ["tests.attacks.launch", __name__, "A-08.b", *check] if disarmed else check

    process = Process(
        [sys.executable, "-m", *launched],
        folder=tmp_path,
        environment=clean_environment(tmp_path, PYTHONPATH=str(Path(__file__).parents[2])),
        log=tmp_path / "log",
    )

    code = process.wait(30)
    process.stop()

    assert code == 0, process.output
    assert "BEFORE THE GATE {'email': 'test@example.com'}" in process.output
    assert "BEHIND THE GATE" not in process.output
