"""The test ground itself: a native `st.login` app, the certified provider, a real Chromium, and the speaker, without st_auth."""

import pytest

from tests.browser.pages import answer_provider, expect_path, press, see
from tests.conftest import APPS
from tests.servers.streamlit_app import StreamlitApp
from tests.speaker import together

COUNTER = """
import streamlit as st

st.session_state.setdefault("n", 0)
if st.button("Add"):
    st.session_state.n += 1
st.text(f"n={st.session_state.n}")
"""


@pytest.fixture
def desk(app, native_secrets):
    return app(APPS / "native", way="native", secrets=native_secrets)


def test_chromium_logs_in_to_a_native_app(desk: StreamlitApp, new_context):
    page = new_context().new_page()
    page.goto(desk.url)
    press(page, "Log in as staff")
    answer_provider(page, "zoe")

    see(page, "Good morning, Zoë 陳 Ω")
    see(page, "Group: équipe-données")


def test_chromium_logs_out_of_a_native_app_inside_a_fragment(desk: StreamlitApp, new_context):
    page = new_context().new_page()
    page.goto(desk.url)
    press(page, "Log in as staff")
    answer_provider(page, "bob")
    see(page, "You may close the month.")
    press(page, "Log out")

    see(page, "Please log in.")
    expect_path(page, "/")


def test_the_speaker_logs_in_to_a_native_app(desk: StreamlitApp, person, provider):
    zoe = person()
    landed = zoe.login(desk.url, "zoe", button="Log in as a partner")
    tab = zoe.tab(desk.url)

    assert landed.is_streamlit
    assert "Good morning, Zoë 陳 Ω" in tab.lines
    tab.go_to("Account")
    assert "Provider: partners" in tab.lines
    assert "Tokens: access, id" in tab.lines
    assert "ID token parts: 3" in tab.lines
    assert tab.exceptions == []


def test_the_speaker_keeps_the_state_of_a_tab(desk: StreamlitApp, person):
    alice = person()
    alice.login(desk.url, "alice", button="Log in as staff")
    tab = alice.tab(f"{desk.url}orders?status=open")
    tab.click("Look again")
    tab.click("Look again")

    assert {"Status: open", "Orders: Lamp, Chair", "Total: 160", "Looked at: 2"} <= set(tab.lines)


def test_the_speaker_resumes_a_session(desk: StreamlitApp, person):
    alice = person()
    alice.login(desk.url, "alice", button="Log in as staff")
    tab = alice.tab(f"{desk.url}orders")
    tab.click("Look again")
    before = tab.session_id
    tab.reconnect()

    assert tab.session_id == before
    assert "Looked at: 1" in tab.lines


def test_a_provider_session_answers_without_asking(desk: StreamlitApp, person):
    alice = person()
    alice.login(desk.url, "alice", button="Log in as staff")
    alice.jar.cookies = {key: cookie for key, cookie in alice.jar.cookies.items() if cookie.host != "localhost"}
    landed = alice.login(desk.url, "bob", button="Log in as staff")

    assert not any("/interaction/" in step.url and step.method == "POST" for step in landed.steps)
    assert "Good morning, Alice A" in alice.tab(desk.url).lines


def test_the_provider_counts_and_fails_on_request(desk: StreamlitApp, person, provider):
    provider.counts(reset=True)
    provider.fault("/token", status=500, times=1)
    alice = person()
    alice.login(desk.url, "alice", button="Log in as staff")

    assert provider.counts()["/token"] == 1
    assert "Please log in." in alice.tab(desk.url).text


def test_two_hundred_tabs_in_one_process(app, person):
    crowd = app(COUNTER, way="native")
    browser = person()
    tabs = together([lambda: browser.tab(crowd.url, load=False)] * 200, threads=16)
    together([lambda tab=tab: tab.click("Add") for tab in tabs], threads=16)

    assert {tab.fact("n") for tab in tabs} == {"1"}
    assert len({tab.session_id for tab in tabs}) == 200


def test_an_app_shows_its_own_words_when_it_does_not_start(app):
    with pytest.raises(AssertionError, match="no_such_option"):
        app("", way="native", options=["--no_such_option"])


def test_an_app_comes_back_on_its_port_after_a_crash(desk: StreamlitApp, person):
    alice = person()
    alice.login(desk.url, "alice", button="Log in as staff")
    tab = alice.tab(desk.url)
    desk.kill()
    assert tab.wait_closed() in (1001, 1006, 1012)
    desk.start()
    tab.reconnect()

    assert "Good morning, Alice A" in tab.lines
