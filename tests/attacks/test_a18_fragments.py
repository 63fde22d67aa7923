"""A-18: fragments and callbacks do not run the top of the script, and yet nothing of them runs for a login that is over."""

import pytest

from st_auth.live import Live
from st_auth.user import User
from tests.servers.processes import wait_until


def _tell_no_tab() -> None:
    Live.end = lambda *_, **__: None


def _ask_nobody() -> None:
    User._here = lambda self: self._live


DISARM = {"A-18": _tell_no_tab, "A-18.b": _ask_nobody}

# What runs without the top of the script says so. "Hold" keeps the person in a callback until the test makes a file.
APP = """\
import pathlib, time
import streamlit as st
import st_auth

user = st_auth.require_login()
st.session_state.person = user
st.button("Log out", on_click=st_auth.logout)

def called():
    print("RAN", flush=True)

def hold():
    held = st.session_state.person
    print("WAITS", flush=True)
    while not pathlib.Path("go").exists():
        time.sleep(0.02)
    for name in ("subject", "issuer", "name", "email", "groups", "claims", "provider", "session"):
        try:
            print("SAW", name, getattr(held, name), flush=True)
        except st_auth.errors.LoginRequired as error:
            print("REFUSED", name, error.code, flush=True)
    print("DONE", flush=True)

st.button("Call", on_click=called)

@st.fragment(run_every=1)
def part():
    print("RAN", flush=True)
    st.button("In part", on_click=called)
    st.button("Hold", on_click=hold)
    st.text(f"seen={user.subject}")

part()
"""


@pytest.fixture
def tabs(app, logged_in):
    one = app(APP)
    alice = logged_in(one, "alice")
    return one, alice.tab(one.url), alice.tab(one.url)


def _log_out(tab):
    tab.click("Log out", wait=False)
    tab.wait_for(lambda t: t.redirected_to, "the logout", seconds=5)


def test_a18_after_a_logout_neither_a_fragment_nor_a_callback_runs(tabs):
    one, here, there = tabs
    there.click("In part")
    assert there.fact("seen") == "alice"

    _log_out(here)
    ran = one.output.count("RAN")
    for _ in range(3):
        there.tick(wait=False)
        there.click("In part", wait=False)
        there.click("Call", wait=False)

    there.wait_for(lambda t: t.close_code or one.output.count("RAN") > ran, "the end of the tab, or a run", seconds=5)
    assert there.browser.fetch(f"{one.origin}/_stcore/health", page=one.url).status == 200
    assert one.output.count("RAN") == ran
    assert there.close_code == 4401


def test_a18b_a_person_who_is_held_in_a_callback_of_a_fragment_is_refused_by_every_attribute(tabs):
    one, here, there = tabs
    there.click("Hold", wait=False)
    wait_until(lambda: "WAITS" in one.output, "the callback to wait")
    _log_out(here)
    there.wait_closed(seconds=5)

    (one.folder / "go").touch()
    wait_until(lambda: "DONE" in one.output, "the callback to go on")

    assert "SAW" not in one.output
    assert one.output.count("REFUSED") == 8
