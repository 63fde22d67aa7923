"""A-13: a logout is over everywhere at once: in the other tabs, in runs that go on, and for whoever comes back."""

import time

import pytest

from st_auth.live import Live
from st_auth.user import User
from st_auth.web import gate
from tests.servers.processes import wait_until


def _tell_no_tab() -> None:
    Live.end = lambda *_, **__: None


def _ask_nobody() -> None:
    User._here = lambda self: self._live


def _resume_all() -> None:
    _tell_no_tab()

    async def anybody(self, ours, request=None):
        known = self.core.live.known()
        return known[0] if known else "no_session"

    gate.Gate.session_of = anybody


DISARM = {"A-13": _tell_no_tab, "A-13.b": _ask_nobody, "A-13.c": _resume_all}

# Each run says that it ran; "Wait" blocks, without a word to Streamlit, until the test makes a file.
APP = """\
import pathlib, time
import streamlit as st
import st_auth

user = st_auth.require_login()
print("RAN", flush=True)
st.session_state.setdefault("count", 0)
st.session_state.count += st.button("Count")
st.text(f"count={st.session_state.count}")
st.button("Log out", on_click=st_auth.logout)

@st.fragment(run_every=1)
def clock():
    print("RAN", flush=True)
    st.text(time.time())

clock()

if st.button("Wait"):
    print("WAITS", flush=True)
    while not pathlib.Path("go").exists():
        time.sleep(0.02)
    try:
        print("SAW", user.email, flush=True)
    except st_auth.errors.LoginRequired as error:
        print("REFUSED", error.code, flush=True)
"""


@pytest.fixture
def tabs(app, logged_in):
    one = app(APP)
    alice = logged_in(one, "alice")
    return one, alice.tab(one.url), alice.tab(one.url)


def test_a13_the_other_tab_is_sent_away_within_a_second_and_nothing_runs_afterwards(tabs):
    one, here, there = tabs
    here.click("Log out", wait=False)
    here.wait_for(lambda t: t.redirected_to, "the logout in this tab", seconds=5)

    began = time.monotonic()
    assert there.wait_closed(seconds=5) == 4401
    assert time.monotonic() - began < 1
    assert there.redirected_to.startswith("/auth/ended?why=logout")
    ran = one.output.count("RAN")
    for tab in (here, there):
        tab.rerun(wait=False)
        tab.tick(wait=False)
        tab.click("Count", wait=False)
    assert there.browser.fetch(f"{one.origin}/_stcore/health", page=one.url).status == 200
    wait_until(lambda: not there.is_open, "the socket to be closed")
    assert one.output.count("RAN") == ran


def test_a13b_a_run_that_goes_on_is_refused_at_its_next_use_of_the_person(tabs):
    one, here, there = tabs
    there.click("Wait", wait=False)
    wait_until(lambda: "WAITS" in one.output, "the run to wait")
    here.click("Log out", wait=False)
    there.wait_closed(seconds=5)

    (one.folder / "go").touch()

    wait_until(lambda: "SAW" in one.output or "REFUSED" in one.output, "the run to go on")
    assert "REFUSED session_ended" in one.output
    assert "SAW" not in one.output


def test_a13c_nobody_resumes_what_a_logout_has_ended(tabs, logged_in):
    """Not with the old cookie, and not the same person with a new login and the old Streamlit session id."""
    one, here, there = tabs
    there.click("Count")
    before = there.browser.jar.copy()
    here.click("Log out", wait=False)
    here.wait_for(lambda t: t.redirected_to, "the logout", seconds=5)
    there.browser.jar = before
    assert (there.browser.open(one.url, follow=False).header("location") or "").startswith("/auth/ended?why=logout")

    again = there.browser.tab(one.url, load=False, session_id=there.session_id)
    assert (again.redirected_to or "").startswith("/auth/ended?why=logout")
    new = logged_in(one, "alice").tab(one.url, session_id=there.session_id)
    assert (new.fact("count"), new.session_id == there.session_id) == ("0", False)
