"""Our own pages by path, and the pages around a login that are not the login itself."""

import json
from datetime import timedelta

import pytest

from st_auth.web.asgi import read_form
from tests.web.inprocess import Browser, rerun

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)


@pytest.fixture
def inside(browser):
    browser.log_in()
    return browser


def test_an_unknown_page_below_auth_is_ours_and_not_found(house, browser):
    assert browser.visit("/auth/nothing").status == 404
    assert house.inner.scopes == []


@pytest.mark.parametrize(
    ("path", "method", "allowed"),
    [
        ("/auth/login", "POST", "GET"),
        ("/auth/logout", "PUT", "GET, POST"),
        ("/oauth2callback", "POST", "GET"),
        ("/auth/health", "POST", "GET, HEAD"),
        ("/auth/ended", "DELETE", "GET"),
    ],
)
def test_a_method_that_a_page_does_not_take_is_told_which_it_does(browser, path, method, allowed):
    answer = browser.fetch(path, method)

    assert (answer.status, answer.header("allow")) == (405, allowed)


def test_what_fails_inside_is_a_plain_page_with_a_reference_to_the_log(house, caplog):
    def broken(_):
        raise RuntimeError("canary")

    house.core.store.get = broken
    answer = Browser(house, {house.gate.names.session: "1" + "A" * 43}).visit("/auth/ended")

    assert answer.status == 500
    assert "canary" not in answer.body
    reference = answer.body.partition("<code>")[2].partition("</code>")[0]
    assert reference in caplog.text
    assert "canary" in caplog.text


# -- ended ---------------------------------------------------------------------------------------------------------------------


def test_the_ended_page_says_why_and_leads_back_by_one_click(house, browser):
    answer = browser.visit("/auth/ended?why=idle&next=%2Fsales%3Fx%3D1")

    assert "away for 4 hours" in answer.body
    assert answer.links == ["/auth/login?provider=okta&next=%2Fsales%3Fx%3D1"]
    assert house.gate.names.ended in browser.cookies


@pytest.mark.parametrize("why", ["<script>", "nonsense", "", "{detail}", "%s"])
def test_only_reasons_that_we_know_are_told(browser, why):
    answer = browser.visit(f"/auth/ended?why={why}")

    assert "You are not logged in" in answer.body
    assert "<script>" not in answer.body


def test_what_the_session_itself_says_counts_more_than_the_address(house, inside):
    house.clock.advance(4 * HOUR)

    answer = inside.visit("/auth/ended?why=logout")

    assert "away for 4 hours" in answer.body
    assert house.gate.names.session not in inside.cookies


def test_who_is_logged_in_is_not_told_the_contrary(inside):
    assert inside.visit("/auth/ended?why=idle&next=%2Fsales").location == "/sales"
    assert "newer login" in inside.visit("/auth/ended?why=replaced").body


def test_with_several_providers_the_way_back_offers_them(build_house):
    house = build_house(providers={"okta": {**OKTA}, "entra": {**OKTA}})

    assert Browser(house).visit("/auth/ended?why=logout").links == ["/auth/login?next=%2F"]


OKTA = {
    "client_id": "app",
    "server_metadata_url": "https://issuer.example/.well-known/openid-configuration",
    "client_secret": "s3cret/+ %&é",
}


@pytest.mark.parametrize(
    ("idle", "words"), [("90m", "90 minutes"), ("1h", "1 hour"), ("2d", "2 days"), ("45s", "45 seconds"), ("1d", "1 day")]
)
def test_spans_are_said_as_people_say_them(build_house, idle, words):
    browser = Browser(build_house(st_auth={"idle_timeout": idle, "absolute_timeout": "3d"}))

    assert words in browser.visit("/auth/ended?why=idle").body


# -- stay ----------------------------------------------------------------------------------------------------------------------


def test_a_click_in_the_notice_starts_the_idle_clock_again(house, inside):
    house.clock.advance(3 * HOUR + 59 * MINUTE)

    answer = inside.visit("/auth/stay", site="same-origin")

    assert "4 hours" in answer.body
    assert house.live[0].seconds_left(house.clock.clock.monotonic())[0] == 4 * 3600


def test_another_site_keeps_nobody_logged_in(house, inside):
    house.clock.advance(3 * HOUR)
    inside.visit("/auth/stay", site="cross-site")

    assert house.live[0].seconds_left(house.clock.clock.monotonic())[0] == 3600


def test_who_is_not_logged_in_cannot_stay(browser, house, inside):
    assert Browser(house).visit("/auth/stay").location == "/auth/ended?why=no_session&next=%2F"
    house.clock.advance(4 * HOUR)
    assert inside.visit("/auth/stay").location == "/auth/ended?why=idle&next=%2F"


# -- health --------------------------------------------------------------------------------------------------------------------


def test_health_is_ok_or_held_and_says_nothing_else(house, browser):
    answer = browser.fetch("/auth/health")
    assert (answer.status, json.loads(answer.body)) == (200, {"status": "ok"})
    assert answer.header("content-type") == "application/json"

    house.clock.advance(timedelta(seconds=61))

    held = browser.fetch("/auth/health")
    assert (held.status, json.loads(held.body)) == (503, {"status": "held"})


@pytest.mark.parametrize("query", ["&".join(f"a{n}=1" for n in range(60)), "why=idle&why=logout", "%ff%fe", "next=/a&next=//evil.example"])
def test_odd_queries_are_read_as_none(browser, query):
    answer = browser.visit(f"/auth/ended?{query}")

    assert answer.status == 200
    assert "evil" not in answer.body


def test_an_ended_tab_lands_on_the_page_it_was_on(house, inside):
    tab = inside.socket()
    tab.say(rerun("http://localhost:8501/sales", query="x=1"))
    house.run(lambda: _ended(house, "logout"))
    tab.settle()

    assert tab.sent_to == ["/auth/ended?why=logout&next=%2Fsales%3Fx%3D1"]


async def _ended(house, why):
    house.core.live.end(house.live[0], why)


def test_after_a_logout_a_minute_is_left_for_the_way_to_the_provider(house, inside):
    names, kept = house.gate.names, inside.cookies[house.gate.names.session]
    house.core.sessions.end(house.live[0].stored, "logout")
    house.core.live.end(house.live[0], "logout")

    answer = inside.visit("/auth/ended")

    assert "You are logged out" in answer.body
    assert names.session not in inside.cookies
    assert any(c.startswith(f"{names.farewell}={kept}; Max-Age=60;") for c in answer.all("set-cookie"))
    left = inside.visit("/auth/logout", site="same-origin")
    assert left.location.startswith(house.issuer.issuer)
    assert names.farewell not in inside.cookies


@pytest.mark.parametrize(
    ("messages", "form"),
    [
        ([{"type": "http.disconnect"}], {}),
        ([{"type": "http.request", "body": b"a=1", "more_body": True}, {"type": "http.request", "body": b"&b=2"}], {"a": "1", "b": "2"}),
        ([{"type": "http.request", "body": b"a=1&a=2&c=3"}], {"c": "3"}),
        ([{"type": "http.request", "body": b"a=" + b"x" * 16_384}], {}),
        ([{"type": "http.request"}], {}),
    ],
)
def test_a_form_is_read_whole_or_not_at_all(house, messages, form):
    left = list(messages)

    async def receive():
        return left.pop(0)

    assert house.run(lambda: read_form(receive)) == form
