"""The login as the browser sees it: choose a provider, go there, come back, and everything that may go wrong on the way."""

import asyncio
import json
import logging
import threading
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest

from st_auth import streamlit_facts as facts
from st_auth.errors import Unavailable
from st_auth.web.cookies import AT_MOST_ATTEMPTS
from st_auth.web.login import _PROVIDER_THREADS, _QUEUE_AT_MOST
from tests.web.inprocess import DEV, HTTPS, Browser

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
SECTION = {
    "client_id": "app",
    "server_metadata_url": "https://issuer.example/.well-known/openid-configuration",
    "client_secret": "s3cret/+ %&é",
}


def asked(answer) -> dict[str, str]:
    """The parameters of the authorization request that a browser is sent with."""
    return {k: v[0] for k, v in parse_qs(urlsplit(answer.location).query).items()}


def attempts(browser) -> list[str]:
    return [name for name in browser.cookies if name.startswith(browser.house.gate.names.attempt)]


# -- going there ---------------------------------------------------------------------------------------------------------------


def test_a_first_visit_goes_straight_to_the_only_provider(browser):
    answer = browser.visit(browser.visit("/sales").location)

    assert answer.location.startswith("https://issuer.example/authorize?")
    request = asked(answer)
    assert request["redirect_uri"] == "http://localhost:8501/oauth2callback"
    assert request["code_challenge_method"] == "S256"
    assert {"state", "nonce", "code_challenge"} <= request.keys()
    assert "prompt" not in request or request["prompt"] == "select_account"


def test_a_click_is_needed_where_it_is_no_visit_or_a_login_has_ended(house, browser):
    assert browser.fetch("/auth/login").status == 200

    browser.visit("/auth/ended?why=logout")

    page = browser.visit("/auth/login?next=/sales")
    assert page.status == 200
    assert page.links == ["/auth/login?provider=okta&next=%2Fsales"]


@pytest.mark.parametrize(("why", "prompt"), [("idle", "login"), ("ended", "login"), ("too_many", "login"), ("logout", "select_account")])
def test_after_some_ends_the_provider_is_asked_to_ask_again(browser, why, prompt):
    browser.visit(f"/auth/ended?why={why}")

    assert asked(browser.go_to_provider())["prompt"] == prompt


def test_a_forged_mark_of_an_end_means_nothing(house, browser):
    browser.cookies[house.gate.names.ended] = house.core.sign("another purpose", "idle")

    assert browser.visit("/auth/login").status == 303


def test_who_is_logged_in_is_sent_back_and_not_to_the_provider(browser):
    browser.log_in()

    assert browser.visit("/auth/login?next=/sales").location == "/sales"
    assert browser.visit("/auth/login?provider=nobody&next=/sales").location == "/sales"


def test_with_several_providers_the_person_chooses(build_house):
    browser = Browser(build_house(providers={"okta": {**SECTION, "label": "Acme"}, "entra": SECTION}))

    page = browser.visit("/auth/login?next=/sales")

    assert page.links == ["/auth/login?provider=okta&next=%2Fsales", "/auth/login?provider=entra&next=%2Fsales"]
    assert "Continue with Acme" in page.body
    assert browser.visit(page.links[1]).location.startswith("https://issuer.example/authorize")


def test_streamlits_own_signed_token_names_a_provider_and_its_page_is_come_back_to(browser):
    from streamlit.auth_util import encode_provider_token
    from streamlit.runtime.secrets import secrets_singleton

    secrets_singleton._secrets, kept = {"auth": {"cookie_secret": "x" * 32}}, secrets_singleton._secrets
    try:
        token = encode_provider_token("okta")
        away = browser.visit(f"/auth/login?provider={token}", site="same-origin", referer="http://localhost:8501/sales?x=1")
    finally:
        secrets_singleton._secrets = kept

    assert away.location.startswith("https://issuer.example/authorize")
    assert browser.come_back(away).location == "/sales?x=1"


@pytest.mark.parametrize("referer", ["https://evil.example/x", "http://localhost:8501.evil.example/x", "http://localhost:8502/x", ""])
def test_a23_a_referer_elsewhere_is_no_place_to_come_back_to(browser, referer):
    away = browser.visit("/auth/login?provider=okta", referer=referer)

    assert browser.come_back(away).location == "/"


@pytest.mark.parametrize("token", ["a.b.c", "..", "okta.x.y", "eyJhbGciOiJub25lIn0.eyJwcm92aWRlciI6Im9rdGEifQ."])
def test_a_forged_token_names_nobody(browser, token):
    assert browser.fetch(f"/auth/login?provider={token}").status == 200


def test_a23_a_hostile_next_comes_back_to_the_start(browser):
    away = browser.visit("/auth/login?provider=okta&next=//evil.example")

    assert browser.come_back(away).location == "/"


# -- coming back ---------------------------------------------------------------------------------------------------------------


def test_a_login_makes_a_session_and_leads_to_the_page_that_was_asked_for(house, browser):
    answer = browser.log_in(next_path="/sales?x=1")

    assert (answer.status, answer.location) == (303, "/sales?x=1")
    assert list(browser.cookies) == [house.gate.names.session]
    (session,) = house.live
    assert session.stored.card.name == "Ana Analyst"
    assert session.stored.card.address == "127.0.0.1"
    cookie = next(c for c in answer.all("set-cookie") if c.startswith(f"{house.gate.names.session}=1"))
    assert "Max-Age=43200; Path=/; HttpOnly; SameSite=Lax" in cookie
    assert answer.header("cache-control") == "no-store"


def test_over_https_the_cookies_are_host_cookies(build_house):
    browser = Browser(build_house(redirect_uri=HTTPS))

    away = browser.go_to_provider()

    assert all(c.startswith("__Host-") and "; Secure" in c for c in away.all("set-cookie"))
    assert browser.come_back(away).location == "/"


@pytest.mark.parametrize("order", [(0, 1, 2, 3, 4), (4, 2, 0, 1, 3)])
def test_a21_five_tabs_finish_in_any_order(house, browser, order):
    aways = [browser.go_to_provider(f"/tab{n}") for n in range(AT_MOST_ATTEMPTS)]
    assert len(attempts(browser)) == AT_MOST_ATTEMPTS

    assert [browser.come_back(aways[n]).location for n in order] == [f"/tab{n}" for n in order]

    assert attempts(browser) == []
    assert len(house.live) == 1


def test_a21_of_more_attempts_the_oldest_goes_and_garbage_before_it(house, browser):
    first = browser.go_to_provider("/first")
    for n in range(AT_MOST_ATTEMPTS - 2):
        house.clock.advance(timedelta(seconds=1))
        browser.go_to_provider(f"/tab{n}")
    garbage = f"{house.gate.names.attempt}0badc0de"
    browser.cookies[garbage] = "garbage"

    browser.go_to_provider("/one-more")
    assert garbage not in browser.cookies
    assert len(attempts(browser)) == AT_MOST_ATTEMPTS

    browser.go_to_provider("/another")
    assert len(attempts(browser)) == AT_MOST_ATTEMPTS
    assert "cookie" in browser.come_back(first).body


def test_a22_a_callback_that_comes_again_asks_no_token_again(house, browser):
    away = browser.go_to_provider("/sales")
    held = dict(browser.cookies)
    callback = urlsplit(house.issuer.authorize(away.location, "ana"))
    url = f"{callback.path}?{callback.query}"
    browser.visit(url, site="cross-site")
    calls = house.issuer.token_calls

    again = browser.visit(url, site="cross-site")
    assert again.location == "/"
    browser.cookies.update(held)
    assert browser.visit(url, site="cross-site").location == "/sales"

    elsewhere = Browser(house, held)
    assert (elsewhere.visit(url, site="cross-site").status, house.issuer.token_calls) == (400, calls)
    assert len(house.live) == 1


def test_a20_a_callback_that_this_browser_did_not_begin_is_refused(house, browser):
    away = browser.go_to_provider()
    callback = urlsplit(house.issuer.authorize(away.location, "ana"))
    victim = Browser(house)

    answer = victim.visit(f"{callback.path}?{callback.query}", site="cross-site")

    assert answer.status == 400
    assert "did not keep our cookie" in answer.body
    assert victim.cookies == {}
    assert house.issuer.token_calls == 0


def test_a20_whoever_is_logged_in_stays_who_they_are(house, browser):
    attacker = Browser(house)
    callback = urlsplit(house.issuer.authorize(attacker.go_to_provider().location, "bob"))
    browser.log_in("ana")

    assert browser.visit(f"{callback.path}?{callback.query}", site="cross-site").location == "/"
    assert [s.stored.card.subject for s in house.live] == ["ana"]


def test_a_cookie_of_another_attempt_under_this_ones_name_is_refused(house, browser):
    mine, other = browser.go_to_provider(), Browser(house)
    theirs = asked(other.go_to_provider())["state"]
    name = house.gate.names.attempt_of(theirs)
    browser.cookies[name] = browser.cookies[house.gate.names.attempt_of(asked(mine)["state"])]

    assert browser.visit(f"/oauth2callback?state={theirs}&code=x").status == 400


def test_the_callback_alone_is_where_a_logout_at_the_provider_lands(house, browser):
    assert browser.visit("/oauth2callback").location == "/auth/ended?why=logout"
    assert house.issuer.calls == {}


@pytest.mark.parametrize("query", ["state=x", "code=x", "state=x&code=y", "error=access_denied&state=x", "state=a&state=b&code=c"])
def test_a29_a_callback_without_an_attempt_costs_no_call(house, browser, query):
    answer = browser.visit(f"/oauth2callback?{query}")

    assert answer.status == 400
    assert house.issuer.calls == {}


def test_an_attempt_is_over_after_ten_minutes(house, browser):
    away = browser.go_to_provider()
    house.clock.advance(10 * MINUTE)

    assert browser.come_back(away).status == 400
    assert house.issuer.token_calls == 0


def test_a_person_who_cancels_may_try_again(house, browser):
    house.issuer.person = None

    answer = browser.come_back(browser.go_to_provider("/sales"), None)

    assert answer.status == 403
    assert answer.links == ["/auth/login?provider=okta&next=%2Fsales"]
    assert attempts(browser) == []


def test_who_is_not_allowed_is_told_why_and_asked_for_another_account_next(build_house, caplog):
    caplog.set_level(logging.INFO)
    house = build_house(st_auth={"allow": {"email_domain": ["acme.com"]}})
    browser = Browser(house)

    answer = browser.log_in()

    assert answer.status == 403
    assert "not of a company that may use it" in answer.body
    assert house.live == []
    assert "not_allowed" in caplog.text
    assert "ana@example.com" not in caplog.text
    assert asked(browser.go_to_provider())["prompt"] == "login"


def test_a_provider_that_breaks_the_protocol_is_told_from_one_that_does_not_answer(house, browser, caplog):
    house.issuer.claims = {"aud": "another-client"}
    broken = browser.log_in()
    house.issuer.claims = None
    house.issuer.answers["/token"] = httpx2.Response(500)
    silent = browser.log_in()

    assert (broken.status, silent.status) == (502, 503)
    assert "reference" in caplog.text
    assert house.live == []


def test_a_state_that_does_not_match_is_refused(house, browser):
    away = browser.go_to_provider()
    callback = house.issuer.authorize(away.location, "ana")
    query = urlsplit(callback).query.replace("iss=https", "iss=http")

    answer = browser.visit(f"/oauth2callback?{query}")

    assert answer.status == 400
    assert "does not belong to a login" in answer.body


def test_an_answer_at_another_providers_path_is_refused(build_house):
    house = build_house(redirect_uri="http://localhost:8501/cb/{provider}", providers={"okta": SECTION, "entra": SECTION})
    browser = Browser(house)
    callback = urlsplit(house.issuer.authorize(browser.go_to_provider().location, "ana"))
    assert callback.path == "/cb/okta"

    assert browser.visit(f"/cb/entra?{callback.query}").status == 400
    assert house.issuer.token_calls == 0


def test_an_attempt_sealed_by_another_version_is_no_attempt(house, browser):
    sealed = house.core.vault.seal_attempt(b'{"odd": 1}', expires_at=house.clock.now() + HOUR)
    browser.cookies[house.gate.names.attempt_of("s")] = sealed

    assert browser.visit("/oauth2callback?state=s&code=c").status == 400


def test_a_provider_that_was_taken_out_meanwhile_is_refused(build_house):
    one = build_house(providers={"okta": SECTION, "entra": SECTION})
    two = build_house(providers={"entra": SECTION})
    away = Browser(one).go_to_provider()
    browser = Browser(one)
    away = browser.go_to_provider()
    moved = Browser(two, dict(browser.cookies))
    callback = urlsplit(one.issuer.authorize(away.location, "ana"))

    assert moved.visit(f"{callback.path}?{callback.query}").status == 400


# -- who was here before -------------------------------------------------------------------------------------------------------


def test_the_same_person_again_gets_a_new_session_and_the_old_tabs_stay_on_their_page(house, browser):
    browser.log_in()
    old = browser.cookies[house.gate.names.session]
    tab = browser.socket()

    browser.log_in()
    tab.settle()

    assert browser.cookies[house.gate.names.session] != old
    assert tab.sent_to == ["/"]
    assert Browser(house, {house.gate.names.session: old}).fetch("/x").status == 401


def test_another_person_in_the_same_browser_ends_the_first_ones_tabs(house, browser):
    browser.log_in("ana")
    tab = browser.socket()

    browser.log_in("bob")
    tab.settle()

    assert tab.sent_to == ["/auth/ended?why=replaced&next=%2F"]
    assert [s.stored.card.subject for s in house.live] == ["bob"]


def test_what_a_browser_says_about_itself_is_kept_short_and_printable(house, browser):
    callback = urlsplit(house.issuer.authorize(browser.go_to_provider().location, "ana"))
    browser.visit(f"{callback.path}?{callback.query}", user_agent="Mozilla\x07" + "x" * 400)

    assert house.live[0].stored.card.browser == ("Mozilla" + "x" * 400)[:160]


def test_a_trusted_proxy_says_where_the_person_is(build_house):
    house = build_house(st_auth={"trusted_proxies": ["10.0.0.0/8"]})
    browser = Browser(house, peer="10.0.0.1")
    callback = urlsplit(house.issuer.authorize(browser.go_to_provider().location, "ana"))
    browser.visit(f"{callback.path}?{callback.query}", x_forwarded_for="203.0.113.7")

    assert house.live[0].stored.card.address == "203.0.113.7"


# -- limits --------------------------------------------------------------------------------------------------------------------


def test_a29_with_sixty_four_waiting_the_next_login_is_told_to_come_back(house):
    routes = house.gate._routes._login

    door = threading.Event()

    async def fill():
        calls = [asyncio.ensure_future(routes._at_provider(door.wait)) for _ in range(_PROVIDER_THREADS + _QUEUE_AT_MOST)]
        for _ in range(5):
            await asyncio.sleep(0)
        return calls

    async def empty():
        door.set()
        await asyncio.gather(*calls)

    calls = house.run(fill)
    try:
        with pytest.raises(Unavailable, match="Too many"):
            house.run(lambda: routes._at_provider(lambda: None))
        answer = Browser(house).go_to_provider()
    finally:
        house.run(empty)

    assert (answer.status, answer.header("retry-after")) == (503, "5")
    assert "Many people are logging in" in answer.body


def test_a_provider_that_is_down_is_said_by_its_name(house, browser):
    house.issuer.answers["/.well-known/openid-configuration"] = httpx2.Response(503)

    answer = browser.go_to_provider("/sales")

    assert answer.status == 503
    assert answer.links == ["/auth/login?provider=okta&next=%2Fsales"]


def test_each_login_and_refusal_is_audited_without_anything_secret(house, browser, caplog):
    caplog.set_level(logging.INFO, "st_auth.audit")
    house.issuer.person = None
    browser.come_back(browser.go_to_provider(), None)
    browser.log_in("ana")

    events = [json.loads(r.getMessage()) for r in caplog.records if r.name == "st_auth.audit"]
    assert [e["event"] for e in events] == ["login_refused", "login"]
    assert events[0]["code"] == "access_denied"
    text = json.dumps(events)
    assert browser.cookies[house.gate.names.session] not in text


# -- the development provider --------------------------------------------------------------------------------------------------


@pytest.fixture
def dev(build_house):
    return Browser(build_house(providers=DEV))


def test_the_development_provider_offers_its_people_and_each_may_be_chosen(dev):
    page = dev.visit(dev.visit("/sales").location)
    assert "Ana Analyst" in page.body and "No role yet" in page.body

    away = dev.visit(page.links[0])
    callback = urlsplit(away.location)
    answer = dev.visit(f"{callback.path}?{callback.query}", site="same-origin")

    assert answer.location == "/sales"
    assert dev.house.live[0].stored.card.subject == "dev-ana"


def test_nobody_else_can_be_chosen_there(dev, caplog):
    answer = dev.visit("/auth/login?provider=dev&persona=root")

    assert answer.status == 200
    assert "Choose who you want to be" in answer.body
    assert "Traceback" not in caplog.text


def test_the_development_provider_answers_on_this_machine_only(dev):
    dev.peer = "203.0.113.7"

    assert dev.visit("/auth/login").status == 403
    assert dev.visit("/auth/login?provider=dev&persona=dev-ana").status == 403


def test_a_login_there_that_fails_leads_back_to_the_people(dev):
    callback = urlsplit(dev.visit("/auth/login?provider=dev&persona=dev-ana").location)

    answer = dev.visit(f"{callback.path}?{callback.query.replace('code=', 'code=x')}")

    assert answer.status == 400
    assert answer.links == ["/auth/login"]


def test_the_signed_token_of_streamlit_is_read_by_its_own_reader():
    assert facts.provider_of_token("a.b.c") is None
