"""A-01: who knows a Streamlit session id has nothing; only the login that began a session takes it up again."""

import time

import pytest

from st_auth import streamlit_facts as facts
from tests.servers.processes import wait_until


def _bind_nothing() -> None:
    """Streamlit compares what it knows of two people: without the login id, and without claims, everybody is the same."""
    facts.trust_login_header = lambda *_: lambda: None
    facts.keep_trusting = lambda header: {header: facts.LOGIN_ID_KEY}
    facts.claims_cookies = lambda *_: ""


DISARM = {"A-01": _bind_nothing}

# An app's page says the login id only where one is; the app must also run where the defence is off.
APP = """\
import streamlit as st

st.session_state.setdefault("count", 0)
st.session_state.count += st.button("Count")
st.text(f"count={st.session_state.count}")
"""
EXPIRES_AFTER = 9  # longer than the gate waits for a tab that is on its way to the provider


@pytest.fixture
def victim(app, logged_in):
    """Alice, who has counted to two, and her app."""
    one = app(APP, config={"server": {"disconnectedSessionTTL": EXPIRES_AFTER}})
    tab = logged_in(one, "alice").tab(one.url)
    tab.click("Count")
    tab.click("Count")
    assert tab.fact("count") == "2"
    return one, tab


@pytest.fixture
def thieves(logged_in, person, victim):
    """Everybody else, by what they have: nothing, another login, another login of the same person, a login that is over."""
    one, _ = victim
    gone = logged_in(one, "alice")
    before = gone.jar.copy()
    gone.open(f"{one.origin}/auth/logout", referrer=one.url, follow=False)
    gone.jar = before
    return {"nobody": person(), "bob": logged_in(one, "bob"), "alice elsewhere": logged_in(one, "alice"), "logged out": gone}


def _ask(thieves, one, session_id):
    """Let each thief ask for a session; some are told at once that there is nothing for them, others after a while."""
    tabs = {who: browser.tab(one.url, load=False, run=False, session_id=session_id) for who, browser in thieves.items()}
    for tab in tabs.values():
        tab.rerun(wait=False)
    return tabs


def _counts_of(tabs):
    """What each thief has come to see."""
    return {who: _count(tab) for who, tab in tabs.items()}


def _count(tab):
    tab.wait_for(lambda t: t.runs_finished or t.redirected_to or t.close_code, "an answer")
    seen = tab.fact("count")
    tab.close()
    return seen or "0"


def test_a01_a_session_that_is_live_stored_or_expired_is_resumed_by_nobody_else(victim, thieves):
    one, tab = victim
    session_id = tab.session_id

    live = _ask(thieves, one, session_id)
    tab.click("Count")
    assert tab.fact("count") == "3", "the victim's own tab still works"

    tab.close()
    stored = _ask(thieves, one, session_id)
    tab.reconnect()
    assert (tab.session_id, tab.fact("count")) == (session_id, "3"), "the owner's own reconnect keeps the state"

    tab.close()
    forgotten_at = time.monotonic() + EXPIRES_AFTER
    wait_until(lambda: time.monotonic() > forgotten_at, "the stored session to expire")
    assert _counts_of(live) == dict.fromkeys(thieves, "0")
    assert _counts_of(stored) == dict.fromkeys(thieves, "0")
    expired = _ask(thieves, one, session_id)
    assert _counts_of(expired) == dict.fromkeys(thieves, "0")
