"""What strangers may cost: logins by address, guesses of cookies, forms that do not come, sockets without a session, lines in the log."""

import asyncio
import logging
import threading
from datetime import timedelta

import pytest
from hypothesis import given, strategies as st

from st_auth.secret import Secret
from st_auth.testing.store_contract import TurnedClock
from st_auth.web import cold, gate, rate
from st_auth.web.asgi import read_form
from st_auth.web.bounded import BoundedThreads
from st_auth.web.rate import Rate
from tests.web.inprocess import Browser
from tests.web.slow_store import SlowStore

SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)


# -- counting by address -------------------------------------------------------------------------------------------------------


def test_a29_an_address_may_do_so_much_a_minute_and_then_one_after_the_other():
    clock = TurnedClock()
    logins = Rate(60, clock.clock)

    assert [logins.take("198.51.100.7") for _ in range(60)] == [0.0] * 60
    assert logins.take("198.51.100.7") == pytest.approx(1.0)
    clock.advance(SECOND)
    assert logins.take("198.51.100.7") == 0
    assert logins.take("198.51.100.7") > 0
    assert logins.take("198.51.100.8") == 0
    clock.advance(MINUTE)
    assert [logins.take("198.51.100.7") for _ in range(60)] == [0.0] * 60


def test_a29_who_goes_on_asking_does_not_wait_longer_for_it():
    clock = TurnedClock()
    logins = Rate(2, clock.clock)
    assert [logins.take("a") > 0 for _ in range(100)] == [False, False] + [True] * 98

    clock.advance(timedelta(seconds=30))

    assert logins.take("a") == 0


@pytest.mark.parametrize(
    ("one", "other", "are_one"),
    [
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", True),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
        ("::ffff:198.51.100.7", "198.51.100.7", True),
        ("198.51.100.7", "198.51.100.8", False),
        ("", "", True),
        ("unix:" + "x" * 100, "unix:" + "x" * 200, True),
    ],
)
def test_a29_an_address_of_the_new_kind_counts_as_its_network(one, other, are_one):
    logins = Rate(1, TurnedClock().clock)
    logins.take(one)

    assert (logins.take(other) > 0) is are_one
    assert logins.is_used_up(one)


def test_a29_of_many_addresses_the_one_unheard_of_for_longest_is_forgotten():
    logins = Rate(1, TurnedClock().clock)
    for number in range(4096):
        logins.take(f"10.0.{number // 256}.{number % 256}")
    assert logins.take("10.0.0.0") > 0

    for number in range(20_000):
        logins.take(f"2001:db8:{number:x}::1")
        assert logins.take("10.0.0.0") > 0

    assert len(logins) == 4096
    assert not logins.is_used_up("10.0.0.1")


def test_what_is_given_back_may_be_taken_again():
    logins = Rate(2, TurnedClock().clock)
    logins.give_back("never seen", 2)
    logins.take("a"), logins.take("a")
    logins.give_back("a", 1)

    assert [logins.take("a") > 0, logins.take("a") > 0] == [False, True]
    assert len(logins) == 1


@given(st.lists(st.integers(0, 3) | st.floats(0, 90), max_size=200))
def test_a29_no_order_of_events_lets_more_through_than_twice_the_limit_in_a_minute(events):
    clock, passed = TurnedClock(), []
    logins = Rate(5, clock.clock)
    for event in events:
        if isinstance(event, float):
            clock.advance(timedelta(seconds=event))
        elif logins.take("a") == 0:
            passed.append(clock.clock.monotonic())

    assert all(sum(at <= other < at + 60 for other in passed) <= 10 for at in passed)


# -- logins --------------------------------------------------------------------------------------------------------------------


def test_a29_logins_that_come_to_nothing_are_counted_by_address_and_the_next_one_is_told_to_wait(build_house, caplog):
    caplog.set_level(logging.INFO)
    house = build_house(st_auth={"logins_per_minute": 3})
    stranger, neighbour = Browser(house, peer="198.51.100.7"), Browser(house, peer="198.51.100.8")
    assert [stranger.go_to_provider().status for _ in range(3)] == [303] * 3

    answers = [stranger.go_to_provider() for _ in range(20)]

    assert {(a.status, a.header("retry-after"), a.header("location")) for a in answers} == {(429, "20", "")}
    assert "Too many logins from here" in answers[0].body
    assert answers[0].links == ["/auth/login"]
    assert answers[0].all("set-cookie") == []
    assert neighbour.log_in().status == 303
    assert caplog.text.count("too_many_logins") == 1
    assert caplog.text.count("trusted_proxies") == 1
    house.advance(timedelta(seconds=20))
    assert stranger.go_to_provider().status == 303


def test_a29_people_behind_one_address_do_not_use_up_what_it_has(build_house):
    house = build_house(st_auth={"logins_per_minute": 3, "max_per_user": 50})

    assert {Browser(house).log_in().status for _ in range(20)} == {303}
    assert len(house.live) == 20


def test_a29_callbacks_that_fail_count_as_well_and_ask_nobody_anything(build_house):
    house = build_house(st_auth={"logins_per_minute": 5})
    browser = Browser(house)
    away = browser.go_to_provider()
    house.issuer.person = None
    first = browser.come_back(away, None)
    assert first.status == 403
    put, puts = house.core.store.put, []
    house.core.store.put = lambda *arguments, **more: puts.append(1) or put(*arguments, **more)
    browser.go_to_provider()
    others = [browser.go_to_provider() for _ in range(2)]
    calls = dict(house.issuer.calls)

    answers = [browser.come_back(others[0], None) for _ in range(5)]

    assert [a.status for a in answers] == [429] * 5
    assert (house.issuer.calls, puts) == (calls, [])
    house.advance(MINUTE)
    assert browser.come_back(others[0], "ana").status in (303, 403)


def test_a29_an_attempt_that_had_to_wait_is_as_good_as_before(build_house):
    house = build_house(st_auth={"logins_per_minute": 1})
    browser = Browser(house)
    away = browser.go_to_provider()
    assert browser.come_back(away).status == 429
    house.advance(MINUTE)

    browser.come_back(away)

    assert [s.stored.card.subject for s in house.live] == ["ana"]


def test_a29_callbacks_that_nobody_began_are_written_down_so_often_only_and_take_nothing_from_logins(build_house, caplog):
    caplog.set_level(logging.INFO)
    house = build_house(st_auth={"logins_per_minute": 4})
    browser = Browser(house)

    answers = [browser.visit("/oauth2callback?code=x&state=y", site="cross-site").status for _ in range(20)]

    assert answers == [400] * 4 + [429] * 16
    assert caplog.text.count("cookie_missing") == 4
    assert browser.log_in().status == 303


def test_a29_another_sites_page_cannot_spend_what_a_persons_network_has_of_logins(build_house):
    house = build_house(st_auth={"logins_per_minute": 2})
    browser = Browser(house)
    url = "/auth/login?provider=okta&next=/"

    unasked = [browser.ask("GET", url, {"sec-fetch-dest": "iframe", "sec-fetch-site": "cross-site"}).status for _ in range(4)]

    assert unasked == [303, 303, 429, 429]
    assert browser.visit(url, site="cross-site", sec_fetch_user="?1").status == 303
    assert browser.visit(url, site="same-origin").status == 303
    assert browser.visit(url, site="same-origin").status == 429


def test_a29_the_address_is_the_one_that_a_trusted_proxy_names_and_no_other(build_house):
    house = build_house(st_auth={"logins_per_minute": 1, "trusted_proxies": ["10.0.0.0/8"]})
    url = "/auth/login?provider=okta&next=/"
    proxy, liar = Browser(house, peer="10.0.0.1"), Browser(house, peer="203.0.113.9")

    behind = [proxy.visit(url, x_forwarded_for=f"6.6.6.6, 198.51.100.{n}").status for n in (1, 2, 1, 2, 3)]
    lies = [liar.visit(url, x_forwarded_for=f"198.51.100.{n}").status for n in (4, 5, 6)]

    assert behind == [303, 303, 429, 429, 303]
    assert lies == [303, 429, 429]


# -- cookies that nobody has ---------------------------------------------------------------------------------------------------


def guess(number: int) -> str:
    return f"1{number:043d}"


def test_a29_who_guesses_cookies_waits_behind_nobody_but_himself(build_house):
    store = SlowStore()
    house = build_house(store=store)
    ana = Browser(house, peer="198.51.100.8")
    ana.log_in()
    house.clock.advance(timedelta(seconds=301))
    house.core.live.evict()
    store.learn()
    name, read = house.gate.names.session, house.gate._cold.read
    for number in range(60):
        assert Browser(house, {name: guess(number)}, peer="198.51.100.7").fetch("/x").status == 401
    store.door.clear()

    async def flood():
        guesses = [asyncio.ensure_future(read(Secret(guess(n)), "198.51.100.7")) for n in range(100, 500)]
        await asyncio.sleep(0)
        theirs = await asyncio.wait_for(read(Secret(ana.cookies[name]), "198.51.100.8"), 10)
        held = sum(not g.done() for g in guesses)
        store.door.set()
        return theirs, held, await asyncio.gather(*guesses, return_exceptions=True)

    theirs, held, answers = house.run(flood)

    assert theirs.card.subject == "ana"
    assert held == cold._THREADS_FOR_GUESSES + cold._GUESSES_WAITING_AT_MOST
    assert {a.code for a in answers if a is not None} == {"busy"}


def test_a29_a_busy_lookup_says_so_and_a_minutes_lines_in_the_log_are_one(build_house, caplog):
    house = build_house()
    name = house.gate.names.session
    house.gate._cold._people = line = BoundedThreads(1, 0, "Too many cookies wait to be looked up.", house.clock.clock)
    line._inside = 1
    browser = Browser(house, {name: guess(1)})

    pages = [browser.visit("/sales") for _ in range(5)]

    assert {(p.status, p.header("retry-after")) for p in pages} == {(503, "5")}
    assert "Many people are logging in" in pages[0].body
    assert browser.fetch("/sales").status == 503
    assert browser.socket().was_refused
    assert caplog.text.count("Too many cookies wait") == 1
    assert "The store does not answer" not in caplog.text
    house.clock.advance(MINUTE)
    browser.visit("/sales")
    assert caplog.text.count("Too many cookies wait") == 2


def test_a29_people_whose_cookie_is_known_to_the_store_are_no_guessers(build_house):
    house = build_house()
    browser = Browser(house)
    browser.log_in()
    for _ in range(100):
        house.core.live._forget(house.live[0])
        assert browser.fetch("/x").status == 200

    assert len(house.gate._cold._unknown) == 0


def test_a29_a_logout_with_a_cookie_that_nobody_has_asks_the_store_in_the_guessers_line(build_house):
    house = build_house()
    lines = []
    read = house.gate._cold.read

    async def noting(cookie, address):
        lines.append(address)
        return await read(cookie, address)

    house.gate._cold.read = noting
    Browser(house, {house.gate.names.session: guess(1)}, peer="198.51.100.7").visit("/auth/logout")

    assert set(lines) == {"198.51.100.7"}


# -- forms, sockets, logouts ---------------------------------------------------------------------------------------------------


def test_a29_a_form_that_does_not_come_is_not_waited_for(house):
    async def go():
        parts = [{"type": "http.request", "body": b"token=", "more_body": True}]

        async def receive():
            return parts.pop() if parts else await asyncio.Event().wait()

        return await read_form(receive, patience=0.01)

    assert house.run(go) == {}


def test_a29_where_many_sockets_without_a_session_are_heard_the_next_one_goes_at_once(house, monkeypatch):
    monkeypatch.setattr(gate, "_HEARD_AT_MOST", 3)
    tabs = [Browser(house).socket() for _ in range(3)]
    assert tabs[-1].sent_to == []

    late = Browser(house).socket()

    assert late.sent_to == ["/auth/ended?why=no_session&next=%2F"]
    assert late.kinds[-1] == "websocket.close"
    for tab in tabs:
        tab.close()
    assert house.gate._heard == 0


def test_a29_front_channel_lookups_have_a_line_of_their_own(house):
    lookups, door = house.gate._routes._provider_logout._lookups, threading.Event()
    Browser(house).log_in()
    url = "/auth/frontchannel-logout?iss=https%3A%2F%2Fissuer.example&sid=x"

    async def fill():
        calls = [asyncio.ensure_future(lookups.run(door.wait)) for _ in range(34)]
        for _ in range(5):
            await asyncio.sleep(0)
        return calls

    async def empty():
        door.set()
        await asyncio.gather(*calls)

    calls = house.run(fill)
    try:
        assert Browser(house).visit(url).status == 503
        assert Browser(house).log_in("bo").status == 303
    finally:
        house.run(empty)
    assert Browser(house).visit(url).status == 200


def test_a29_junk_logout_tokens_write_sixty_lines_a_minute_at_most(house, caplog):
    caplog.set_level(logging.INFO)
    headers = {"content-type": "application/x-www-form-urlencoded"}

    statuses = {Browser(house).ask("POST", "/auth/backchannel-logout", headers, b"logout_token=x").status for _ in range(200)}

    assert statuses == {400}
    assert caplog.text.count("provider_logout_refused") == 60


def test_a29_of_many_callers_in_one_moment_no_more_wait_than_may():
    async def go():
        door = threading.Event()
        line = BoundedThreads(2, 5, "Too many.")
        calls = [asyncio.ensure_future(line.run(door.wait)) for _ in range(100)]
        done, waiting = await asyncio.wait(calls, timeout=0.01)
        door.set()
        return len(done), [await call for call in waiting]

    assert asyncio.run(go()) == (93, [True] * 7)


def test_the_table_of_addresses_is_as_long_as_its_description_says():
    assert str(rate._ADDRESSES_AT_MOST) in (Rate.__doc__ or "")
