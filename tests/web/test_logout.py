"""The logout as the browser sees it: here first, then at the provider where it has an address for that."""

import re
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.web.inprocess import DEV, Browser

SECTION = {
    "client_id": "app",
    "server_metadata_url": "https://issuer.example/.well-known/openid-configuration",
    "client_secret": "s3cret/+ %&é",
}


@pytest.fixture
def inside(browser):
    browser.log_in()
    return browser


def token_in(page) -> str:
    return re.search(r'name="token" value="([^"]+)"', page.body)[1]


def test_a_click_in_the_app_ends_the_session_everywhere_and_goes_on_to_the_provider(house, inside):
    tab = inside.socket()
    cookie = inside.cookies[house.gate.names.session]

    answer = inside.visit("/auth/logout", site="same-origin")
    tab.settle()

    assert answer.location.startswith("https://issuer.example/logout?client_id=app&logout_hint=ana%40example.com")
    assert "id_token_hint" not in answer.location
    assert tab.sent_to == ["/auth/ended?why=logout&next=%2F"]
    assert house.live == []
    assert house.gate.names.session not in inside.cookies
    assert Browser(house, {house.gate.names.session: cookie}).visit("/").location.startswith("/auth/ended?why=logout")
    assert answer.header("clear-site-data") in ("", '"cache"')


@pytest.mark.parametrize("site", ["cross-site", "same-site", "none"])
def test_a20_a_link_from_elsewhere_ends_nothing_but_asks(house, inside, site):
    page = inside.visit("/auth/logout", site=site)

    assert page.status == 200
    assert len(house.live) == 1
    assert "form-action 'self' https://issuer.example" in page.header("content-security-policy")
    answer = inside.post("/auth/logout", {"token": token_in(page)})
    assert answer.location.startswith("https://issuer.example/logout")
    assert house.live == []


@pytest.mark.parametrize(
    ("form", "headers"),
    [
        ({}, {}),
        ({"token": "forged"}, {}),
        ({"token": "…"}, {"origin": "https://evil.example"}),
        ({"token": "…"}, {"sec_fetch_site": "cross-site"}),
        ({"token": "…", "x": "y" * 20_000}, {}),
        ({"token": "…", **{f"f{n}": "1" for n in range(60)}}, {}),
    ],
)
def test_a20_a_post_that_the_person_did_not_make_only_asks_again(house, inside, form, headers):
    token = token_in(inside.visit("/auth/logout", site="cross-site"))
    form = {k: token if v == "…" else v for k, v in form.items()}

    page = inside.post("/auth/logout", form, **headers)

    assert page.status == 200
    assert token_in(page)
    assert len(house.live) == 1


def test_a20_one_persons_form_does_not_end_anothers_session(house, inside):
    bob = Browser(house)
    bob.log_in("bob")
    token = token_in(inside.visit("/auth/logout", site="cross-site"))

    assert bob.post("/auth/logout", {"token": token}).status == 200
    assert len(house.live) == 2


def test_who_is_not_logged_in_lands_on_the_page_that_says_so(browser):
    answer = browser.visit("/auth/logout", site="cross-site")

    assert answer.location == "/auth/ended?why=logout"


def test_while_the_store_is_down_the_session_ends_here_and_the_store_is_told_later(house, inside):
    house.store_is_down()

    answer = inside.visit("/auth/logout", site="same-origin")

    assert answer.location == "/auth/ended?why=logout"
    assert house.live == []
    assert list(house.core.live.unfinished.values()) == ["logout"]


def test_a_landing_that_is_configured_brings_the_browser_back_to_a_page_of_ours(build_house):
    landing = "http://localhost:8501/oauth2callback"
    house = build_house(providers={"okta": {**SECTION}}, auth={"okta": {**SECTION, "post_logout_redirect_uri": landing}})
    browser = Browser(house)
    browser.log_in()

    query = parse_qs(urlsplit(browser.visit("/auth/logout", site="same-origin").location).query)

    assert query["post_logout_redirect_uri"] == [landing]
    back = browser.visit(f"/oauth2callback?state={query['state'][0]}", site="cross-site")
    assert back.location == "/auth/ended?why=logout"
    assert Browser(house).visit("/oauth2callback?state=forged").status == 400


def test_a_profile_may_say_that_the_redirect_uri_serves_as_landing(build_house):
    profile = {"profile": "auth0", "domain": "acme.eu.auth0.com", "client_id": "app", "client_secret": "x"}
    house = build_house(providers={"auth0": profile}, st_auth={"allow": "anyone"})
    landings = {name: house.gate._routes._logout._landing(name) for name in house.core.clients}

    uses = house.config.providers["auth0"].logout_landing == "redirect_uri"
    assert landings == {"auth0": "http://localhost:8501/oauth2callback" if uses else None}


def test_at_the_development_provider_there_is_nothing_to_log_out_of(build_house):
    browser = Browser(build_house(providers=DEV))
    callback = urlsplit(browser.visit("/auth/login?provider=dev&persona=dev-ana").location)
    browser.visit(f"{callback.path}?{callback.query}")

    asked = browser.visit("/auth/logout", site="cross-site")
    assert "form-action 'self';" in asked.header("content-security-policy")
    assert browser.visit("/auth/logout", site="same-origin").location == "/auth/ended?why=logout"


def test_a_logout_that_broke_off_is_no_longer_said_after_a_new_login(house, inside):
    inside.visit("/auth/logout", site="same-origin")
    page = inside.visit("/")
    assert inside.visit(page.location).status == 200

    inside.log_in()

    assert house.gate.names.ended not in inside.cookies
