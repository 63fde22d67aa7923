"""Issue 2: a person logs in through a provider, comes back to the page they asked for, and a logout reaches every tab."""

import re

import pytest
from playwright.sync_api import expect

from st_auth.testing import FakeIssuer
from tests.browser.ground import PROBE, claims_of, expect_ended, expect_fact, expect_out_at_provider, expect_person, log_in, running, stays
from tests.browser.pages import answer_provider, fact, press, see
from tests.servers.processes import free_port, wait_until
from tests.servers.streamlit_app import StreamlitApp, auth_secrets

NOT_IN = re.compile("Log in to|You are logged out")
DEEP = "?region=eu&q=caf%C3%A9%20au%20lait&q=2"


@pytest.fixture(scope="module")
def probe(openid_provider, tmp_path_factory):
    with running(openid_provider, tmp_path_factory.mktemp("probe")) as app:
        yield app


@pytest.fixture
def silent_app(tmp_path):
    """An app whose provider answers without asking, and has no logout of its own: whoever is sent there is back in at once."""
    port = free_port()
    origin = f"http://localhost:{port}"
    with FakeIssuer(redirect_uris=(f"{origin}/oauth2callback",)) as issuer:
        issuer.metadata = {"end_session_endpoint": None}
        app = StreamlitApp(PROBE, tmp_path, secrets=auth_secrets(**issuer.section()), port=port)
        with app:
            yield app


def test_a_deep_link_is_still_the_same_after_the_login(probe, new_context):
    page = new_context().new_page()
    page.goto(f"{probe.url}{DEEP}")
    answer_provider(page, "alice")

    expect_person(page, "alice")
    assert page.url == f"{probe.url}{DEEP}"
    assert fact(page, "query") == '{"q": "2", "region": "eu"}'


def test_a_second_tab_is_logged_in_without_asking(probe, new_context):
    context = new_context()
    log_in(context.new_page(), probe.url)
    second = context.new_page()
    asked = []
    second.on("request", lambda request: asked.append(request.url) if "/auth/" in request.url else None)
    second.goto(probe.url)

    expect_person(second, "alice")
    assert asked == []


def test_a_logout_in_one_tab_is_over_in_the_other_within_two_seconds(probe, new_context):
    context = new_context()
    one, other = context.new_page(), context.new_page()
    log_in(one, probe.url)
    other.goto(f"{probe.url}{DEEP}")
    expect_person(other, "alice")

    press(one, "Log out")
    expect_ended(other, "logout", seconds=2)

    see(other, "You are logged out")
    other.reload()
    see(other, "You are logged out")
    one.goto(probe.url)
    see(one, NOT_IN)


def test_a_provider_that_answers_without_asking_lets_nobody_back_in_without_a_click(silent_app, new_context):
    context = new_context()
    one, other = context.new_page(), context.new_page()
    one.goto(silent_app.url)
    expect_person(one, "ana")
    other.goto(f"{silent_app.url}{DEEP}")
    expect_person(other, "ana")
    first_login = fact(one, "login_id")

    press(one, "Log out")
    expect_ended(other, "logout", seconds=2)
    expect_ended(one, "logout")
    assert stays(one, milliseconds=4000)
    assert "/auth/ended" in other.url

    one.goto(silent_app.url)
    see(one, NOT_IN)
    assert stays(one, milliseconds=1000)

    other.get_by_role("link", name="Log in again").click()
    expect_person(other, "ana")
    assert other.url == f"{silent_app.url}{DEEP}"
    assert fact(other, "login_id") != first_login


def test_the_provider_is_told_of_a_logout_however_many_tabs_are_open(probe, new_context):
    context = new_context()
    tabs = [context.new_page() for _ in range(3)]
    log_in(tabs[0], probe.url)
    for tab in tabs[1:]:
        tab.goto(probe.url)
        expect_person(tab, "alice")
    asked = []
    tabs[0].on("request", lambda request: asked.append(request.url) if "/session/end" in request.url else None)

    press(tabs[0], "Log out")
    expect_out_at_provider(tabs[0])
    assert asked
    for tab in tabs[1:]:
        expect_ended(tab, "logout", seconds=2)


def test_st_logout_ends_the_login_too(probe, new_context):
    context = new_context()
    one, other = context.new_page(), context.new_page()
    log_in(one, probe.url)
    other.goto(probe.url)
    expect_person(other, "alice")
    press(one, "st.logout")

    expect_ended(other, "logout", seconds=2)


def test_back_after_a_logout_shows_nothing(probe, new_context):
    page = new_context().new_page()
    log_in(page, probe.url, "bob")
    press(page, "Count")
    expect_fact(page, "count", "1")
    press(page, "Log out")
    expect_out_at_provider(page)
    headings = []
    while page.url != "about:blank":
        page.go_back()
        assert "bob" not in page.content()
        headings += page.get_by_role("heading", level=1).all_inner_texts() if page.url.startswith(probe.url) else []

    assert headings
    assert {heading.split(" to ")[0] for heading in headings} <= {"You are logged out", "Log in"}


def test_another_person_in_the_same_tab_sees_nothing_of_the_first(probe, new_context):
    context = new_context()
    page = context.new_page()
    log_in(page, probe.url, "alice")
    press(page, "Count")
    expect_fact(page, "count", "1")
    page.get_by_label("Note").fill("a secret of alice")
    page.get_by_label("Note").press("Enter")
    expect_fact(page, "note", "a secret of alice")

    press(page, "Log out")
    expect_out_at_provider(page)
    page.goto(probe.url)
    page.get_by_role("link", name=re.compile("Continue with|Log in again")).click()
    answer_provider(page, "bob")
    expect_person(page, "bob")

    expect_fact(page, "count", "0")
    assert "alice" not in page.content()
    assert claims_of(page)["email"] == "bob@example.test"
    while page.url != "about:blank":
        page.go_back()
        assert "alice" not in page.content()


def test_five_tabs_log_in_at_once_and_all_of_them_end_live(probe, new_context):
    context = new_context()
    tabs = [context.new_page() for _ in range(5)]
    for number, tab in enumerate(tabs):
        tab.goto(f"{probe.url}?tab={number}")
        expect(tab.locator("input[name=username]")).to_be_visible()
    for tab in tabs:
        if tab.locator("input[name=username]").is_visible():
            answer_provider(tab, "alice")
            tab.wait_for_url(f"{probe.origin}/**")

    for number, tab in enumerate(tabs):
        expect_person(tab, "alice")
        assert tab.url == f"{probe.url}?tab={number}"
    newest = fact(tabs[-1], "login_id")
    for tab in tabs:
        expect_fact(tab, "login_id", newest)
        press(tab, "Count")
        expect_fact(tab, "count", "1")


def test_another_person_in_another_tab_ends_the_first_ones_tab(probe, new_context):
    context = new_context()
    old = context.new_page()
    log_in(old, probe.url, "alice")
    new = context.new_page()
    new.goto(f"{probe.url}auth/login?provider=default")
    if new.locator("input[name=username]").count() == 0:
        context.clear_cookies(domain="127.0.0.1")
        new.goto(f"{probe.url}auth/login?provider=default")
    answer_provider(new, "bob")
    expect_person(new, "bob")

    expect_ended(old, "replaced")
    see(old, "You logged in again")
    assert "alice" not in old.content()


@pytest.mark.parametrize("button", ["Log out", "st.logout"])
def test_a_slow_provider_is_still_told_of_the_logout(probe, provider, new_context, button):
    """The tab waits for the provider's answer, and nothing of ours calls it back meanwhile."""
    page = new_context().new_page()
    log_in(page, probe.url)
    provider.fault("/session/end", delay=1.5)
    provider.events(reset=True)

    press(page, button)
    expect_out_at_provider(page)
    wait_until(lambda: any(e["name"] == "end_session.success" for e in provider.events()), "the provider's own end of session", seconds=5)
