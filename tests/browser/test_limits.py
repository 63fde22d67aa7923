"""Idle and absolute limit as a person meets them: on time, announced, and kept off only by what the person does."""

import re
import time
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import Page, expect

from tests.browser.ground import expect_ended, expect_fact, expect_person, log_in, running
from tests.browser.pages import answer_provider, fact, press, see
from tests.servers.processes import wait_until

IDLE, ABSOLUTE = 6, 16
NOTICE = re.compile("Nothing was clicked for a while")


@pytest.fixture(scope="module")
def strict(openid_provider, tmp_path_factory):
    """An app with short limits; the probe's fragment runs every second all the while."""
    limits = {"idle_timeout": f"{IDLE}s", "absolute_timeout": f"{ABSOLUTE}s"}
    with running(openid_provider, tmp_path_factory.mktemp("strict"), st_auth=limits) as app:
        yield app


def ticks(page: Page) -> int:
    return int(fact(page, "ticks"))


def wait_ticks(page: Page, count: int) -> None:
    """Let the fragment run so many times: the page is alive, and nobody touches it."""
    last = ticks(page) + count
    wait_until(lambda: ticks(page) >= last, f"{count} runs of the fragment")


def test_a_page_that_only_refreshes_itself_ends_on_time_after_a_notice(strict, new_context):
    page = new_context().new_page()
    log_in(page, f"{strict.url}?q=1")
    press(page, "Count")
    expect_fact(page, "count", "1")
    touched = time.monotonic()

    expect(page.get_by_text(NOTICE)).to_be_visible(timeout=IDLE * 1000)
    noticed = time.monotonic() - touched
    expect_ended(page, "idle", seconds=IDLE)
    ended = time.monotonic() - touched

    assert IDLE / 2 < noticed < IDLE
    assert IDLE - 0.5 <= ended <= IDLE + 2.5
    see(page, "You were away for 6 seconds")

    page.get_by_role("link", name="Log in again").click()
    expect(page.locator("input[name=username]")).to_be_visible()
    answer_provider(page, "alice")
    expect_person(page, "alice")
    assert page.url == f"{strict.url}?q=1"
    expect_fact(page, "count", "0")


def test_after_idle_the_provider_is_told_to_ask_again(strict, new_context):
    page = new_context().new_page()
    log_in(page, strict.url)
    expect_ended(page, "idle", seconds=IDLE + 4)
    asked = []
    page.on("request", lambda request: asked.append(request.url) if "/auth?" in request.url else None)
    page.goto(strict.url)
    page.get_by_role("link", name=re.compile("Continue with|Log in again")).click()
    expect(page.locator("input[name=username]")).to_be_visible()

    assert len(asked) == 1, "and it does ask, although alice is still logged in there: prompt=login, which went there by a push"


def test_the_link_in_the_notice_keeps_the_person_in(strict, new_context):
    context = new_context()
    page = context.new_page()
    log_in(page, strict.url)
    expect(page.get_by_text(NOTICE)).to_be_visible(timeout=(IDLE + 2) * 1000)
    with context.expect_page() as opened:
        page.get_by_role("link", name="Stay logged in").click()

    see(opened.value, "You stay logged in until")
    wait_ticks(page, 4)
    expect_person(page, "alice")


def test_clicks_and_typing_keep_the_session_until_the_absolute_limit(strict, new_context):
    page = new_context().new_page()
    began = time.monotonic()
    log_in(page, strict.url)
    expires_at = datetime.fromisoformat(fact(page, "expires_at"))
    clicks = 0
    while expires_at - datetime.now(UTC) > timedelta(seconds=4):
        clicks += 1
        press(page, "Count")
        expect_fact(page, "count", str(clicks))
        page.get_by_label("Note").fill(f"note {clicks}")
        page.get_by_label("Note").press("Enter")
        expect_fact(page, "note", f"note {clicks}")
        wait_ticks(page, 1)

    assert time.monotonic() - began > IDLE * 1.5
    see(page, "Your login ends in")
    expect_ended(page, "absolute", seconds=ABSOLUTE)
    assert ABSOLUTE - 2 < time.monotonic() - began < ABSOLUTE + 5
    see(page, "A login lasts 16 seconds here")
