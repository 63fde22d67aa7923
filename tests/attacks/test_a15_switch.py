"""A-15: nothing of one person is left for the next one in the same browser."""

import pytest

from st_auth import streamlit_facts as facts
from st_auth.live import Live
from st_auth.web import headers


def _bind_nothing() -> None:
    """Streamlit compares what it knows of two people: without the login id, and without claims, everybody is the same."""
    facts.trust_login_header = lambda *_: lambda: None
    facts.keep_trusting = lambda header: {header: facts.LOGIN_ID_KEY}
    facts.claims_cookies = lambda *_: ""


def _tell_no_tab() -> None:
    Live.end = lambda *_, **__: None


def _store_pages() -> None:
    headers._DOCUMENT = [h for h in headers._DOCUMENT if h[0] != b"cache-control"]
    headers._MEDIA = headers._MEDIA_MARKUP = []


DISARM = {"A-15": _bind_nothing, "A-15.b": _tell_no_tab, "A-15.c": _store_pages}

# The app must also run where the login id is not known.
APP = """\
import streamlit as st

st.session_state.setdefault("notes", [])
note = st.text_input("Note")
if note:
    st.session_state.notes.append(note)
st.text(f"notes={st.session_state.notes}")
st.download_button("Download", data="a file", file_name="mine.txt")
"""
MARK = "alice-wrote-this"


@pytest.fixture
def alices(app, logged_in):
    one = app(APP)
    tab = logged_in(one, "alice").tab(one.url)
    tab.set_text("Note", MARK)
    assert MARK in tab.text
    return one, tab


def _switch(one, browser, name):
    """Log in as somebody else in the same browser, as after a logout at the provider."""
    browser.jar.cookies = {key: c for key, c in browser.jar.cookies.items() if c.host == "localhost"}
    page = browser.answer_provider(browser.open(f"{one.origin}/auth/login?provider=default"), name)
    assert page.is_streamlit, page.text[:1000]


def _is_in(tab, mark):
    return any(mark.encode() in m.SerializeToString() for m in tab.messages)


def test_a15_the_next_person_resumes_nothing_of_the_first_ones(alices):
    one, tab = alices
    session_id = tab.session_id

    _switch(one, tab.browser, "bob")
    tab.close()
    bob = tab.browser.tab(one.url, session_id=session_id)

    assert not _is_in(bob, MARK)
    assert bob.session_id != session_id
    bob.close()
    _switch(one, tab.browser, "alice")
    assert not _is_in(tab.browser.tab(one.url, session_id=session_id), MARK), "nor does the same person with a new login"


def test_a15b_a_tab_of_the_first_person_that_stays_open_is_sent_away_and_shows_nothing_more(alices):
    one, tab = alices

    _switch(one, tab.browser, "bob")

    assert tab.wait_closed(seconds=5) == 4401
    assert tab.redirected_to.startswith("/auth/ended?why=replaced")
    seen = len(tab.messages)
    tab.rerun(wait=False)
    assert not tab.read(0.2)
    assert len(tab.messages) == seen


def test_a15c_no_page_of_the_app_and_no_file_is_kept_for_the_back_button_of_the_next(alices):
    one, tab = alices

    kept = {
        url: page.header("cache-control")
        for url in (one.url, f"{one.origin}/any", f"{one.origin}/index.html", f"{one.origin}/auth/stay", *tab.media)
        for page in [tab.browser.open(url, follow=False)]
        if "no-store" not in (page.header("cache-control") or "")
    }

    assert kept == {}
