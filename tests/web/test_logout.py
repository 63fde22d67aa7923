"""The logout as the browser sees it: here first, then at the provider where it has an address for that."""

import re
from dataclasses import replace
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
    assert [why for _, why in house.core.live.unfinished.values()] == ["logout"]


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


# -- RP-initiated logout (OpenID Connect RP-Initiated Logout 1.0) ------------------------------------------------------------------

LANDING = "http://localhost:8501/oauth2callback"


def sent_by(answer) -> dict[str, list[str]]:
    return parse_qs(urlsplit(answer.location).query)


@pytest.fixture
def landing(build_house):
    """Somebody who is logged in where the provider sends people back to a registered landing."""
    browser = Browser(build_house(auth={"okta": {**SECTION, "post_logout_redirect_uri": LANDING}}))
    browser.log_in()
    return browser


def test_rp54_rpl01_the_provider_is_told_which_client_where_to_land_and_a_state_of_ours(landing):
    sent = sent_by(landing.visit("/auth/logout", site="same-origin"))

    assert (sent["client_id"], sent["post_logout_redirect_uri"]) == (["app"], [LANDING])
    assert landing.house.core.unsign("logout", sent["state"][0], 600) == "okta"
    assert landing.house.core.unsign("ended", sent["state"][0], 600) is None


def test_rp54_without_a_registered_landing_neither_landing_nor_state_is_sent(build_house):
    browser = Browser(build_house(auth={"okta": {**SECTION, "logout_landing": "configured"}}))
    browser.log_in()

    sent = sent_by(browser.visit("/auth/logout", site="same-origin"))

    assert sent == {"client_id": ["app"], "logout_hint": ["ana@example.com"]}


def test_rp54_who_comes_back_with_our_state_sees_that_they_are_logged_out(landing):
    sent = sent_by(landing.visit("/auth/logout", site="same-origin"))

    back = landing.visit(f"/oauth2callback?state={sent['state'][0]}", site="cross-site")

    assert back.location == "/auth/ended?why=logout"
    assert "You are logged out" in landing.visit(back.location).body


@pytest.mark.parametrize("state", ["other", "a.b.c", "%00", "é", "x" * 3000])
def test_rp55_who_comes_back_with_another_state_lands_safely_and_is_logged_out(landing, state):
    house = landing.house
    sent_by(landing.visit("/auth/logout", site="same-origin"))
    assert house.live == []

    back = landing.visit(f"/oauth2callback?state={state}", site="cross-site")

    assert back.location == "/auth/ended?why=logout"
    assert landing.visit("/").location.startswith("/auth/login")
    assert house.issuer.token_calls == 1


def test_rp55_a_state_that_we_did_not_sign_means_nothing_where_nobody_logged_out(landing):
    stranger = Browser(landing.house)

    assert stranger.visit("/oauth2callback?state=other", site="cross-site").status == 400
    assert landing.visit("/oauth2callback?state=other", site="cross-site").location == "/"
    assert len(landing.house.live) == 1


def test_rp56_who_comes_back_without_a_state_lands_safely_and_is_logged_out(landing):
    landing.visit("/auth/logout", site="same-origin")

    back = landing.visit("/oauth2callback", site="cross-site")

    assert back.location == "/auth/ended?why=logout"
    assert "You are logged out" in landing.visit(back.location).body
    assert landing.house.live == []


def test_rp56_whoever_is_logged_in_stays_so_on_a_landing_that_somebody_else_sent(landing):
    back = landing.visit("/oauth2callback", site="cross-site")

    assert landing.visit(back.location).location == "/"
    assert len(landing.house.live) == 1


def test_rpl01_the_session_is_gone_from_the_store_before_the_browser_leaves(landing):
    house = landing.house
    (session,) = house.live
    cookie = landing.cookies[house.gate.names.session]

    answer = landing.visit("/auth/logout", site="same-origin")

    assert answer.location.startswith("https://issuer.example/logout")
    assert house.core.sessions.reread(session.stored).why == "logout"
    assert Browser(house, {house.gate.names.session: cookie}).fetch("/_stcore/anything").status == 401


def test_rpl01_the_id_token_rests_sealed_and_goes_along_only_where_the_provider_insists(build_house):
    okta = {"profile": "generic", "issuer": "https://issuer.example", "client_id": "app", "client_secret": SECTION["client_secret"]}
    house = build_house(providers={"okta": okta})
    client = house.core.clients["okta"]
    client.provider = replace(client.provider, logout_wants_id_token=True)
    browser = Browser(house)
    browser.log_in()
    (session,) = house.live
    id_token = house.core.sessions.reread(session.stored).tokens.id_token.reveal()
    assert id_token.encode() not in house.core.store.get(session.stored.record_key).value

    sent = sent_by(browser.visit("/auth/logout", site="same-origin"))

    assert sent["id_token_hint"] == [id_token]
    assert id_token.encode() not in house.core.store.get(session.stored.record_key).value


@pytest.mark.parametrize("site", ["cross-site", "same-site", "none"])
@pytest.mark.parametrize("dest", ["image", "iframe", "document", "empty"])
def test_lc01_a_get_that_no_page_of_ours_made_logs_nobody_out(house, inside, site, dest):
    tab = inside.socket()

    answer = inside.ask("GET", "/auth/logout", {"sec-fetch-dest": dest, "sec-fetch-site": site})
    tab.settle()

    assert answer.status == 200
    assert (tab.sent_to, len(house.live)) == ([], 1)


def test_lc01_a_browser_without_fetch_metadata_is_asked(house, inside):
    assert inside.ask("GET", "/auth/logout", {}).status == 200
    assert len(house.live) == 1


def test_lc01_a_form_of_another_site_logs_nobody_out_even_with_a_token(house, inside):
    token = token_in(inside.visit("/auth/logout", site="cross-site"))
    evil = {"origin": "https://evil.example", "sec-fetch-site": "cross-site"}

    for headers in (evil, {"origin": "null", "sec-fetch-site": "cross-site"}, {"sec-fetch-site": "same-origin"}):
        assert inside.ask("POST", "/auth/logout", headers, f"token={token}".encode()).status == 200
    assert len(house.live) == 1
    assert inside.post("/auth/logout", {"token": token}).status == 303
    assert house.live == []
