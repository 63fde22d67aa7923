"""What a person uses in their own name, in a real Chromium: tokens that renew themselves, a step-up in a new tab, a second account."""

from datetime import UTC, datetime

import pytest
from playwright.sync_api import expect

from st_auth.testing import FakeIssuer
from tests.browser.ground import expect_ended, expect_fact, expect_out_at_provider, expect_person, running
from tests.browser.pages import answer_provider, fact, press, see
from tests.conftest import APPS
from tests.servers.openid_provider import OpenIdProvider
from tests.servers.processes import wait_until
from tests.servers.streamlit_app import COOKIE_SECRET

APP = APPS / "grants.py"
OFFLINE = {"scope": "openid profile email offline_access", "prompt": "consent"}


@pytest.fixture(scope="module")
def short(tmp_path_factory):
    """A provider whose access tokens live for two seconds."""
    with OpenIdProvider(tmp_path_factory.mktemp("short"), AT_TTL="2") as provider:
        yield provider


@pytest.fixture(scope="module")
def lake():
    with FakeIssuer(client_id="lake") as issuer:
        yield issuer


@pytest.fixture(scope="module")
def app(short, lake, tmp_path_factory):
    auth = {
        "redirect_uri": "http://localhost:{port}/oauth2callback",
        "cookie_secret": COOKIE_SECRET,
        "main": short.auth_section(client_kwargs=OFFLINE),
        "lake": lake.section(),
    }
    with running(short, tmp_path_factory.mktemp("grants"), APP, secrets={"auth": auth}) as app:
        yield app


@pytest.fixture
def alice(app, new_context):
    page = new_context().new_page()
    page.goto(f"{app.url}auth/login?provider=main&next=%2F")
    answer_provider(page, "alice")
    expect_person(page, "alice")
    return page


def refreshes(provider):
    return [e["name"] for e in provider.events() if e["grant_type"] == "refresh_token"]


def forget_provider(page):
    """Let the provider not know this browser any more, so that it asks who is there."""
    page.context.clear_cookies(domain="127.0.0.1")


def switch(page, label):
    page.get_by_text(label, exact=True).click()


def test_rp27_bcp13_short_tokens_renew_themselves_during_reruns_and_reuse_detection_never_trips(app, short, alice):
    short.events(reset=True)
    switch(alice, "Tokens")
    expect_fact(alice, "speaks_for", "alice")
    seen = {fact(alice, "token")}

    def renewed():
        press(alice, "Again")
        expect_fact(alice, "speaks_for", "alice")
        seen.add(fact(alice, "token"))
        return len(seen) > 3

    wait_until(renewed, "three renewed tokens", seconds=40)

    names = refreshes(short)
    assert len(names) >= 3
    assert set(names) == {"grant.success"}
    assert not [e for e in short.events() if e["name"] == "grant.revoked"]
    assert [e["name"] for e in short.events() if e["grant_type"].endswith("token-exchange")]


def test_rev01_a_logout_revokes_the_grant_at_the_provider(app, short, alice):
    short.counts(reset=True)

    alice.goto(f"{app.url}auth/logout")
    press(alice, "Log out")
    expect_out_at_provider(alice)

    wait_until(lambda: short.counts().get("/token/revocation") == 1, "the revocation")
    assert "grant.revoked" in [e["name"] for e in short.events()]


def test_bba04_a_grant_that_the_provider_ended_ends_the_open_tab_and_says_why(app, short, alice):
    switch(alice, "Tokens")
    expect_fact(alice, "speaks_for", "alice")
    short.restart()

    alice.evaluate("setInterval(() => [...document.querySelectorAll('button')].find((b) => b.innerText.trim() === 'Again')?.click(), 300)")

    expect_ended(alice, "grant_expired", seconds=30)
    see(alice, "Time to log in again")


def test_a_step_up_happens_in_a_new_tab_and_the_page_goes_on_with_every_widget_as_it_was(app, short, alice, tmp_path):
    above, below = alice.get_by_label("Above"), alice.get_by_label("Below")
    above.fill("typed above")
    above.press("Enter")
    below.fill("typed below")
    below.press("Enter")
    began = datetime.now(UTC).timestamp()
    forget_provider(alice)

    switch(alice, "Careful")
    see(alice, "Please confirm that it is you")
    expect(below).to_have_value("typed below")
    with alice.context.expect_page() as opened:
        alice.get_by_role("link", name="Confirm in a new tab").click()
    tab = opened.value
    answer_provider(tab, "alice")
    see(tab, "The page that you came from goes on by itself")

    expect(alice.get_by_text("careful=")).to_be_visible(timeout=10_000)
    assert int(fact(alice, "careful")) >= int(began) - 1
    expect(above).to_have_value("typed above")
    expect(below).to_have_value("typed below")
    press(alice, "Again")
    expect(below).to_have_value("typed below")
    expect_person(alice, "alice")


def test_a_step_up_by_somebody_else_is_refused_and_the_page_stays(app, short, alice):
    forget_provider(alice)
    switch(alice, "Careful")
    with alice.context.expect_page() as opened:
        alice.get_by_role("link", name="Confirm in a new tab").click()
    tab = opened.value

    answer_provider(tab, "bob")

    see(tab, "That was another account")
    see(alice, "Please confirm that it is you")
    expect_person(alice, "alice")


def test_a_second_account_is_linked_from_a_click_and_stays_with_this_login_alone(app, short, lake, alice, new_context):
    lake.person = "bob"
    switch(alice, "Lake")
    with alice.context.expect_page() as opened:
        alice.get_by_role("link", name="Connect the lake").click()
    see(opened.value, "The page that you came from goes on by itself")

    expect_fact(alice, "lake", "linked")
    expect_person(alice, "alice")
    zoe = new_context().new_page()
    zoe.goto(f"{app.url}auth/login?provider=main&next=%2F")
    answer_provider(zoe, "zoe")
    expect_person(zoe, "zoe")
    switch(zoe, "Lake")
    expect(zoe.get_by_role("link", name="Connect the lake")).to_be_visible()
