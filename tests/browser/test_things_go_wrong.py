"""What people see when a login fails: a page that says so and a way to go on; those who are in stay in."""

import re

import pytest

from tests.browser.ground import PROBE, expect_fact, expect_person, log_in, running
from tests.browser.pages import answer_provider, fact, press, see
from tests.servers.openid_provider import OpenIdProvider
from tests.servers.processes import wait_until
from tests.servers.streamlit_app import StreamlitApp, auth_secrets


@pytest.fixture(scope="module")
def probe(openid_provider, tmp_path_factory):
    with running(openid_provider, tmp_path_factory.mktemp("wrong")) as app:
        yield app


def calm(page) -> None:
    """No trace of our insides on the page."""
    text = page.content()
    assert "Traceback" not in text
    assert "st_auth" not in text
    assert "/token" not in text


def test_a_provider_that_is_down_is_said_and_the_login_works_once_it_is_back(tmp_path, new_context):
    provider = OpenIdProvider(tmp_path)
    app = StreamlitApp(PROBE, tmp_path / "app", secrets=auth_secrets(**provider.auth_section()))
    try:
        app.start()
        page = new_context().new_page()
        page.goto(app.url)
        see(page, "The login is not answering")
        calm(page)
        assert page.get_by_role("link", name="Try again").is_visible()
        page.get_by_role("link", name="Try again").click()
        see(page, "The login is not answering")

        provider.start()
        provider.add_app(app.origin)
        wait_until(lambda: _asks(page, provider), "the provider to be asked again (five seconds after it failed)")
        answer_provider(page, "alice")
        expect_person(page, "alice")

        provider.stop()
        press(page, "Count")
        expect_fact(page, "count", "1")
        page.reload()
        expect_person(page, "alice")
        assert "Traceback" not in app.output
    finally:
        app.stop()
        provider.stop()


def _asks(page, provider) -> bool:
    page.get_by_role("link", name="Try again").click()
    page.wait_for_load_state()
    return page.url.startswith(provider.issuer)


def test_a_login_that_the_person_cancels(probe, new_context):
    page = new_context().new_page()
    page.goto(f"{probe.url}?q=1")
    page.locator("#cancel").click()
    see(page, "You were not logged in")
    calm(page)

    page.get_by_role("link", name="Try again").click()
    answer_provider(page, "alice")
    expect_person(page, "alice")
    assert page.url == f"{probe.url}?q=1"


@pytest.mark.parametrize(
    ("path", "fault", "heading"),
    [
        ("/token", {"status": 500}, "The login is not answering"),
        ("/token", {"status": 200, "body": "<html>", "type": "text/html"}, "The login gave a wrong answer"),
        ("/me", {"status": 500}, "The login is not answering"),
    ],
    ids=["token-500", "token-html", "userinfo-500"],
)
def test_a_provider_that_fails_half_way(probe, provider, new_context, path, fault, heading):
    page = new_context().new_page()
    provider.fault(path, **fault)
    page.goto(probe.url)
    answer_provider(page, "alice")
    see(page, re.compile(heading))
    calm(page)
    provider.clear_faults()

    page.get_by_role("link", name="Try again").click()
    expect_person(page, "alice")


@pytest.mark.parametrize("pushed", [True, False])
def test_a_wrong_client_secret_is_a_page_and_a_log_line(openid_provider, new_context, tmp_path, pushed):
    """Where requests are pushed it shows before anybody has to give a password."""
    secrets = auth_secrets(**openid_provider.auth_section(pushed_authorization_requests=pushed))
    secrets["auth"]["client_secret"] = "not-the-secret-of-this-client"
    with running(openid_provider, tmp_path, secrets=secrets) as app:
        page = new_context().new_page()
        page.goto(app.url)
        if not pushed:
            answer_provider(page, "alice")
        see(page, "The login is not set up right")
        calm(page)
        reference = page.locator("code").inner_text()

        assert reference in app.output
        assert "invalid_client" in app.output
        assert "Check client_id, client_secret" in app.output
        assert "not-the-secret-of-this-client" not in app.output + page.content()


def test_somebody_who_is_not_allowed_is_told_so(openid_provider, new_context, tmp_path):
    with running(openid_provider, tmp_path, st_auth={"allow": {"email": ["bob@example.test"]}}) as app:
        page = new_context().new_page()
        page.goto(app.url)
        answer_provider(page, "alice")
        see(page, "This account has no access")
        calm(page)
        assert "bob@example.test" not in page.content()

        page = new_context().new_page()
        log_in(page, app.url, "bob")
        assert fact(page, "email") == "bob@example.test"


def test_old_and_foreign_callbacks_are_a_page(probe, new_context):
    page = new_context().new_page()
    page.goto(f"{probe.url}oauth2callback?code=x&state=of-somebody-else")
    see(page, "Your browser did not keep our cookie")
    calm(page)
    page.goto(f"{probe.url}auth/nothing-here")
    see(page, "There is nothing here")


def test_another_name_of_this_machine_leads_to_the_right_one(probe, new_context):
    page = new_context().new_page()
    page.goto(f"{probe.url.replace('localhost', '127.0.0.1')}?q=1")
    answer_provider(page, "alice")
    expect_person(page, "alice")

    assert page.url == f"{probe.url}?q=1"
