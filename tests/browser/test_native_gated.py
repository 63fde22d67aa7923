"""The promise to existing apps: the sales desk of tests/apps/native, unedited, under `st-auth run`."""

import re

import pytest
from playwright.sync_api import expect

from tests.browser.ground import expect_ended, running, stays
from tests.browser.pages import answer_provider, press, see
from tests.conftest import APPS
from tests.servers.streamlit_app import COOKIE_SECRET

NATIVE = APPS / "native"


def secrets(provider, more: str = "") -> str:
    from string import Template

    template = Template((NATIVE / "secrets.toml.template").read_text("utf-8"))
    return template.substitute(metadata_url=provider.metadata_url, cookie_secret=COOKIE_SECRET) + more


@pytest.fixture(scope="module")
def gated(openid_provider, tmp_path_factory):
    with running(openid_provider, tmp_path_factory.mktemp("gated"), NATIVE, secrets=secrets(openid_provider)) as app:
        yield app


@pytest.fixture(scope="module")
def landing(openid_provider, tmp_path_factory):
    text = secrets(openid_provider, '\n[st_auth]\nrequire_login = "in_script"\n')
    with running(openid_provider, tmp_path_factory.mktemp("landing"), NATIVE, secrets=text) as app:
        yield app


def read_account(page, provider: str) -> None:
    """The account page: claims, the provider's name and the tokens that the app asked for."""
    page.get_by_role("link", name="Account").click()
    see(page, "E-mail: zoe@example.test (verified: True)")
    see(page, f"Provider: {provider}")
    see(page, "Tokens: access, id")
    see(page, "ID token parts: 3")
    see(page, re.compile("Claims: .*st_auth_login_id"))


def test_before_app_the_login_comes_first_and_the_desk_is_as_it_was(gated, new_context):
    context = new_context()
    page = context.new_page()
    page.goto(f"{gated.url}orders?status=open")
    see(page, "Log in to")
    page.get_by_role("link", name="Continue with staff").click()
    answer_provider(page, "zoe")

    see(page, "Status: open")
    see(page, "Orders: Lamp, Chair")
    assert page.url == f"{gated.url}orders?status=open"
    page.get_by_role("link", name="Overview").click()
    see(page, "Good morning, Zoë 陳 Ω")
    see(page, "Group: équipe-données")
    read_account(page, "staff")
    assert page.locator("[data-testid=stException]").count() == 0

    other = context.new_page()
    other.goto(gated.url)
    see(other, "Good morning, Zoë 陳 Ω")
    press(other, "Log out")
    expect_ended(page, "logout", seconds=2)


@pytest.mark.parametrize(("button", "name"), [("Log in as staff", "staff"), ("Log in as a partner", "partners")])
def test_in_script_the_landing_page_and_both_logins_work(landing, new_context, button, name):
    context = new_context()
    page = context.new_page()
    page.goto(landing.url)
    see(page, "Orders and customers of all regions. Please log in.")
    press(page, button)
    answer_provider(page, "zoe")

    see(page, "Good morning, Zoë 陳 Ω")
    see(page, "Group: équipe-données")
    read_account(page, name)

    other = context.new_page()
    other.goto(landing.url)
    see(other, "Good morning, Zoë 陳 Ω")
    press(other, "Log out")
    expect_ended(page, "logout", seconds=2)
    page.goto(landing.url)
    see(page, "Orders and customers of all regions. Please log in.")
    expect(page.get_by_text("Zoë")).to_have_count(0)
    assert stays(page, milliseconds=1000)
