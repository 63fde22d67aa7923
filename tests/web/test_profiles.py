"""What a provider's profile changes for the browser: hints on the page, a logout of its own, and a login without OpenID."""

import re
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest

from tests.web.inprocess import Browser

OPENID = """
name    = "Acme"
source  = "https://wiki.acme.com/login"
checked = 2026-11-22
issuer  = "https://issuer.example"
scopes  = ["openid", "profile", "email"]
"""
HINTS = """
[hints]
invalid_scope = 'Tick "Refresh Token" <at> Acme.'
"""
OWN_LOGOUT = """
quirks               = ["logout_takes_logout_uri"]
end_session_endpoint = "https://pool.example/logout"
"""
PLAIN = """
name    = "Acme"
source  = "https://wiki.acme.com/login"
checked = 2026-11-22
openid  = false
issuer  = "https://issuer.example"
scopes  = ["profile"]
authorization_endpoint = "https://issuer.example/authorize"
token_endpoint         = "https://issuer.example/token"
userinfo_endpoint      = "https://issuer.example/me"
[claims]
sub = "id"
"""
LANDING = "https://sales.acme.com/bye"


@pytest.fixture
def at(build_house, tmp_path):
    """Build a house whose provider is described by that file, and a browser in front of it."""

    def make(text, **section):
        path = tmp_path / "acme.toml"
        path.write_text(text)
        client = {"client_id": "app", "client_secret": "s3cret/+ %&é"}
        return Browser(build_house(providers={"okta": {"profile": str(path), **client, **section}}))

    return make


def refused_with(browser, error):
    state = parse_qs(urlsplit(browser.go_to_provider("/sales").location).query)["state"][0]
    return browser.visit(f"/oauth2callback?error={error}&state={state}&iss=https%3A%2F%2Fissuer.example", site="cross-site")


def test_a_refusal_says_what_to_tick_on_the_page_and_in_the_log(at, caplog):
    page = refused_with(at(OPENID + HINTS), "invalid_scope")

    assert page.status == 502
    assert "If you run this app: Tick &#34;Refresh Token&#34; &lt;at&gt; Acme." in page.body.replace("&quot;", "&#34;")
    assert "Acme refused the way" in page.body
    assert 'Tick "Refresh Token" <at> Acme.' in caplog.text


def test_a_refusal_that_no_profile_knows_gets_the_general_hint(at):
    page = refused_with(at(OPENID + HINTS), "unsupported_response_type")

    assert "Compare client_id, redirect_uri and scopes" in page.body


def test_a_refused_token_request_says_what_to_do_too(at):
    browser = at(OPENID + "[hints]\ninvalid_client = 'The secret has expired.'")
    browser.house.issuer.answers["/token"] = httpx2.Response(401, json={"error": "invalid_client"})

    assert "The secret has expired." in browser.come_back(browser.go_to_provider()).body


def test_a_logout_that_wants_a_registered_page_gets_it_and_the_page_that_asks_may_go_there(at):
    browser = at(OPENID + OWN_LOGOUT, post_logout_redirect_uri=LANDING)
    browser.log_in()

    page = browser.visit("/auth/logout", site="cross-site")
    assert "form-action 'self' https://pool.example" in page.header("content-security-policy")
    token = re.search(r'name="token" value="([^"]+)"', page.body)[1]
    away = browser.post("/auth/logout", {"token": token})

    assert away.location.startswith("https://pool.example/logout?")
    assert parse_qs(urlsplit(away.location).query) == {"client_id": ["app"], "logout_uri": [LANDING]}


def test_without_a_registered_page_that_logout_stays_here(at):
    browser = at(OPENID + OWN_LOGOUT)
    browser.log_in()

    assert browser.visit("/auth/logout", site="same-origin").location == "/auth/ended?why=logout"


def test_a_login_without_openid_makes_a_session(at):
    browser = at(PLAIN)
    browser.house.issuer.answers["/token"] = httpx2.Response(200, json={"access_token": "acc3ss", "token_type": "bearer"})
    browser.house.issuer.answers["/me"] = httpx2.Response(200, json={"id": 7, "name": "Ana"})
    state = parse_qs(urlsplit(browser.go_to_provider("/sales").location).query)["state"][0]

    back = browser.visit(f"/oauth2callback?code=c&state={state}", site="cross-site")

    assert (back.status, back.location) == (303, "/sales")
    (live,) = browser.house.live
    assert (live.stored.card.issuer, live.stored.card.subject, live.stored.card.name) == ("https://issuer.example", "7", "Ana")


def test_f2_06_a_login_without_openid_belongs_to_the_browser_that_began_it(at):
    browser = at(PLAIN)
    state = parse_qs(urlsplit(browser.go_to_provider("/sales").location).query)["state"][0]

    page = Browser(browser.house).visit(f"/oauth2callback?code=c&state={state}", site="cross-site")

    assert page.status == 400
    assert browser.house.issuer.token_calls == 0
    assert not browser.house.live
