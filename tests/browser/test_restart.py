"""Logins outlive the server and the browser, and a tab whose server was away comes back by itself."""

import re

import pytest

from tests.browser.ground import expect_ended, expect_fact, expect_out_at_provider, expect_person, log_in, running
from tests.browser.pages import fact, press, see
from tests.servers.processes import wait_until
from tests.servers.streamlit_app import StreamlitApp


@pytest.fixture(scope="module")
def probe(openid_provider, tmp_path_factory):
    with running(openid_provider, tmp_path_factory.mktemp("restart")) as app:
        yield app


@pytest.mark.parametrize("end", [StreamlitApp.stop, StreamlitApp.kill], ids=["stopped", "killed"])
def test_a_tab_whose_server_was_away_comes_back_by_itself(probe, new_context, end):
    context = new_context()
    page = context.new_page()
    log_in(page, f"{probe.url}?q=1")
    login_id = fact(page, "login_id")
    press(page, "Count")
    expect_fact(page, "count", "1")

    end(probe)
    see(page, "CONNECTING")
    probe.start()

    expect_fact(page, "count", "0", seconds=40)
    assert fact(page, "login_id") == login_id
    assert page.url == f"{probe.url}?q=1"
    before = int(fact(page, "ticks"))
    wait_until(lambda: int(fact(page, "ticks")) > before, "the fragment to run again")
    second = context.new_page()
    second.goto(probe.url)
    expect_fact(second, "login_id", login_id)


def test_a_restart_of_the_browser_keeps_the_login(probe, new_context):
    before = new_context()
    page = before.new_page()
    log_in(page, probe.url)
    login_id = fact(page, "login_id")
    kept = before.storage_state()
    before.close()
    after = new_context(storage_state={**kept, "cookies": [c for c in kept["cookies"] if c["expires"] > 0]}).new_page()
    after.goto(probe.url)

    expect_person(after, "alice")
    assert fact(after, "login_id") == login_id


def test_a_tab_that_wakes_up_without_its_session_is_told_so(probe, new_context):
    context = new_context()
    page = context.new_page()
    log_in(page, f"{probe.url}?q=1")
    probe.stop()
    for file in (probe.folder / ".streamlit" / "st_auth").glob("vault.db*"):
        file.unlink()
    probe.start()

    expect_ended(page, "no_session", seconds=40)
    see(page, "You are not logged in")
    assert "next=%2F%3Fq%3D1" in page.url


def test_going_back_to_the_app_after_a_logout_elsewhere_asks_for_a_click(probe, new_context):
    context = new_context()
    page = context.new_page()
    log_in(page, probe.url)
    page.goto("about:blank")
    other = context.new_page()
    other.goto(probe.url)
    expect_person(other, "alice")
    press(other, "Log out")
    expect_out_at_provider(other)
    page.go_back()

    see(page, re.compile("Log in to|You are logged out"))
    assert "alice" not in page.content()
