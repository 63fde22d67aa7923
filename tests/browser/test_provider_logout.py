"""Logouts that begin at the provider, in a real Chromium: the certified provider's back channel, and a frame on a provider's page."""

from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlencode

import httpx2
import pytest

from st_auth.testing import FakeIssuer
from tests.browser.ground import PROBE, expect_ended, expect_fact, expect_person, log_in, running, stays
from tests.browser.pages import answer_provider, press, see
from tests.servers.openid_provider import OpenIdProvider
from tests.servers.processes import free_port, wait_until
from tests.servers.streamlit_app import StreamlitApp, auth_secrets


@contextmanager
def client_of_its_own(provider: OpenIdProvider, folder) -> Iterator[StreamlitApp]:
    """An app that the provider knows as a client by its port, with a back channel of its own."""
    port = free_port()
    secrets = auth_secrets(**provider.auth_section(client=f"web-{port}"))
    with running(provider, folder, secrets=secrets, port=port) as app:
        yield app


@pytest.fixture(scope="module")
def sales(openid_provider, tmp_path_factory):
    with client_of_its_own(openid_provider, tmp_path_factory.mktemp("sales")) as app:
        yield app


@pytest.fixture(scope="module")
def stock(openid_provider, tmp_path_factory):
    with client_of_its_own(openid_provider, tmp_path_factory.mktemp("stock")) as app:
        yield app


def delivered(provider):
    return [e["name"] for e in provider.events() if e["name"].startswith("backchannel.")]


def test_rp44_bcl10_bcl12_a_logout_at_the_provider_ends_every_open_tab_of_that_person(sales, provider, new_context):
    ana, other = new_context(), new_context()
    tabs = [ana.new_page(), ana.new_page()]
    log_in(tabs[0], sales.url, "alice")
    tabs[1].goto(f"{sales.url}?region=eu")
    expect_person(tabs[1], "alice")
    bob = other.new_page()
    log_in(bob, sales.url, "bob")
    provider.events(reset=True)

    at_provider = ana.new_page()
    at_provider.goto(f"{provider.issuer}/session/end")
    at_provider.wait_for_url("**/session/end/success*")
    for tab in tabs:
        expect_ended(tab, "ended", seconds=2)

    see(tabs[0], "Your login was ended")
    assert delivered(provider) == ["backchannel.success"]
    assert stays(tabs[0], milliseconds=1000)
    press(bob, "Count")
    expect_fact(bob, "count", "1")

    tabs[1].get_by_role("link", name="Log in again").click()
    answer_provider(tabs[1], "alice")
    expect_person(tabs[1], "alice")
    assert tabs[1].url == f"{sales.url}?region=eu"


def test_rp44_rp54_a_logout_in_one_app_is_over_in_the_other_apps_of_that_provider(sales, stock, provider, new_context):
    context = new_context()
    here, there = context.new_page(), context.new_page()
    log_in(here, sales.url, "alice")
    there.goto(stock.url)
    expect_person(there, "alice")
    provider.events(reset=True)

    press(here, "Log out")

    expect_ended(there, "ended", seconds=5)
    expect_ended(here, "logout")
    assert here.url.startswith(f"{sales.url}auth/ended")
    assert sorted(delivered(provider)) == ["backchannel.success", "backchannel.success"]  # also to who had ended it already
    there.goto(stock.url)
    see(there, "Log in to")


@pytest.fixture
def framing(tmp_path):
    """An app at a provider whose logout page opens the front-channel address in a frame, as Entra's does."""
    port = free_port()
    with (
        FakeIssuer(redirect_uris=(f"http://localhost:{port}/oauth2callback",)) as issuer,
        StreamlitApp(PROBE, tmp_path, secrets=auth_secrets(**issuer.section()), port=port) as app,
    ):

        def logout(_: httpx2.Request) -> httpx2.Response:
            asked = urlencode({"iss": issuer.issuer, "sid": issuer.sids["ana"]}).replace("&", "&amp;")
            frame = f'<iframe src="{app.url}auth/frontchannel-logout?{asked}"></iframe>'
            return httpx2.Response(200, html=f"<!doctype html><title>Logged out</title><p>You are logged out.</p>{frame}")

        issuer.answers["/logout"] = logout
        yield app, issuer


def test_rp52_fcl01_a_frame_on_the_providers_page_ends_the_tab_without_any_cookie(framing, new_context):
    app, issuer = framing
    context = new_context()
    tab, at_provider = context.new_page(), context.new_page()
    tab.goto(app.url)
    expect_person(tab, "ana")
    framed = []
    at_provider.on("response", lambda response: framed.append(response) if "frontchannel" in response.url else None)

    at_provider.goto(f"{issuer.issuer}/logout")

    expect_ended(tab, "ended", seconds=3)
    (answer,) = framed
    assert answer.status == 200
    assert "cookie" not in answer.request.all_headers()
    assert at_provider.frames[1].content().count("<title>Logged out</title>") == 1  # the frame shows it: nothing was blocked


def test_rp53_a_frame_after_our_own_logout_finds_it_ended_already(framing, new_context):
    app, _ = framing
    page = new_context().new_page()
    page.goto(app.url)
    expect_person(page, "ana")
    framed = []
    page.on("response", lambda response: framed.append(response.status) if "frontchannel" in response.url else None)

    press(page, "Log out")

    see(page, "You are logged out.")
    wait_until(lambda: page.evaluate("1") == 1 and framed, "the frame's answer")  # evaluate lets Playwright hear of it
    assert framed == [200]
    page.goto(app.url)
    see(page, "Log in to")
