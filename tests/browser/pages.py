"""What the browser tests do again and again, in words."""

import re

from playwright.sync_api import Page, expect

from tests.servers.openid_provider import password_of


def answer_provider(page: Page, person: str) -> None:
    """Look at the provider's login form and fill it in as this person."""
    page.bring_to_front()
    page.locator("input[name=username]").fill(person)
    page.locator("input[name=password]").fill(password_of(person))
    page.locator("#go").click()


def press(page: Page, label: str) -> None:
    """Look at this tab, and press the button with exactly this label. Chromium draws a tab behind another only once a second."""
    page.bring_to_front()
    page.get_by_role("button", name=label, exact=True).click()


def see(page: Page, text: str, *, seconds: float = 15) -> None:
    """Wait until the page shows this text."""
    expect(page.get_by_text(text).first).to_be_visible(timeout=seconds * 1000)


def expect_path(page: Page, path: str, *, seconds: float = 15) -> None:
    """Wait until the address bar shows this path (and query), whatever the origin."""
    expect(page).to_have_url(re.compile(r"^https?://[^/]+" + re.escape(path) + "$"), timeout=seconds * 1000)


def fact(page: Page, name: str) -> str:
    """Return what stands after `name=` on the page of the probe app."""
    line = page.get_by_text(re.compile(f"^{re.escape(name)}=")).first
    expect(line).to_be_visible()
    return (line.text_content() or "").partition("=")[2]
