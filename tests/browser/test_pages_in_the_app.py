"""Our pages where they really stand: served by an app, with the accessibility checker, in the dark, and by keyboard only."""

import json
import re

import pytest
from playwright.sync_api import expect

from tests.browser.ground import expect_ended, running
from tests.browser.pages import answer_provider, see
from tests.browser.test_pages_look import AXE
from tests.servers.streamlit_app import auth_secrets

HELLO = """
import streamlit as st

import st_auth

user = st_auth.require_login()
st.text(f"Hello, {user.name}")
st.button("Log out", on_click=st_auth.logout)
"""


@pytest.fixture(scope="module")
def two_ways(openid_provider, tmp_path_factory):
    secrets = auth_secrets(staff=openid_provider.auth_section(), partners=openid_provider.auth_section(client="second"))
    folder = tmp_path_factory.mktemp("apps") / "sales desk"
    folder.mkdir()
    with running(openid_provider, folder, HELLO, secrets=secrets) as app:
        yield app


@pytest.fixture(params=["light", "dark"])
def page(request, new_context):
    return new_context(color_scheme=request.param, bypass_csp=True).new_page()


def judge(page) -> None:
    """Nothing serious, says axe."""
    page.evaluate((AXE / "node_modules" / "axe-core" / "axe.min.js").read_text("utf-8"))
    violations = page.evaluate("axe.run().then(r => r.violations.map(v => [v.impact, v.id, v.nodes.map(n => n.html)]))")
    serious = [v for v in violations if v[0] in ("serious", "critical")]
    assert not serious, json.dumps(serious, indent=1)


def go_by_keyboard(page, text: str) -> None:
    """Press Tab until the link with this text has the focus, then Enter."""
    for _ in range(12):
        page.keyboard.press("Tab")
        focused = page.locator("a:focus, button:focus")
        if focused.count() and text in focused.inner_text():
            page.keyboard.press("Enter")
            return
    raise AssertionError(f"the keyboard does not reach {text!r}")


def test_login_problem_and_ended_page_by_keyboard_and_for_everybody(two_ways, page):
    page.goto(f"{two_ways.url}?q=1")
    see(page, "Log in to Sales desk")
    assert page.locator("li .words").all_inner_texts() == ["Continue with Staff", "Continue with Partners"]
    judge(page)

    go_by_keyboard(page, "Continue with Partners")
    expect(page.locator("#cancel")).to_be_visible()
    page.locator("#cancel").focus()
    page.keyboard.press("Enter")
    see(page, "You were not logged in")
    judge(page)

    go_by_keyboard(page, "Try again")
    answer_provider(page, "alice")
    see(page, "Hello, Alice A")
    assert page.url == f"{two_ways.url}?q=1"
    go_by_keyboard(page, "Log out")
    expect_ended(page, "logout")
    judge(page)

    go_by_keyboard(page, "Log in again")
    see(page, "Log in to Sales desk")
    go_by_keyboard(page, "Continue with Staff")
    answer_provider(page, "bob")
    see(page, "Hello, Bob B")


def test_a_logout_that_another_site_starts_is_asked_first(two_ways, page):
    page.goto(two_ways.url)
    go_by_keyboard(page, "Continue with Staff")
    answer_provider(page, "alice")
    see(page, "Hello, Alice A")
    page.goto(f"{two_ways.url}auth/logout")
    see(page, "Log out of Sales desk")
    judge(page)
    go_by_keyboard(page, "Stay logged in")
    see(page, "Hello, Alice A")

    page.goto(f"{two_ways.url}auth/logout")
    go_by_keyboard(page, "Log out")
    expect_ended(page, "logout")
    page.goto(two_ways.url)
    see(page, re.compile("Log in to Sales desk|You are logged out"))
