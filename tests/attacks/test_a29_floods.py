"""A-29: junk at every public path costs strangers' own time: people go on, memory stays, the provider is asked no more than said."""

import asyncio
import time
from pathlib import Path

import pytest

from st_auth.secret import Secret
from st_auth.web import connect, rate
from st_auth.web.rate import Rate
from tests.attacks.inside import inside
from tests.junk import Flood
from tests.servers.postgres import PostgresServer, password_of
from tests.web import test_connect as form
from tests.web.inprocess import Browser, House
from tests.web.slow_store import SlowStore

DISARM = {
    "A-29": lambda: setattr(Rate, "take", lambda *_: 0.0),
    "A-29.b": lambda: setattr(rate, "_ADDRESSES_AT_MOST", 10**9),
    "A-29.c": lambda: setattr(Rate, "is_used_up", lambda *_: False),
    "A-29.d": lambda: setattr(connect, "_A_MINUTE", 10**6),
}
LIMIT = 60


def _rss_mib(pid: int) -> float:
    return next(float(line.split()[1]) / 1024 for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmRSS:"))


def _timed(browser, url, *, seconds):
    """Statuses and times of a person's requests, twenty a second."""
    answers, until = [], time.monotonic() + seconds
    while time.monotonic() < until:
        began = time.monotonic()
        answers.append((browser.request("GET", url).status, time.monotonic() - began))
        time.sleep(max(0.0, 0.05 - answers[-1][1]))
    return answers


def test_a29_under_a_flood_people_go_on_memory_stays_and_few_logins_begin(app, logged_in, person, provider):
    server = app(st_auth={"logins_per_minute": LIMIT, "trusted_proxies": ["127.0.0.0/8", "::1/128"]})
    alice = logged_in(server)
    tab = alice.tab(server.url)
    session = next(c.name for c in alice.jar.for_host() if c.name.startswith("st_auth-"))
    provider.counts(reset=True)
    began = time.monotonic()
    with Flood(server.url, session, provider.issuer) as first:
        _timed(alice, server.url, seconds=2)  # what is loaded and filled once is no growth
    before = _rss_mib(server.pid)

    with Flood(server.url, session, provider.issuer) as flood:
        answers = _timed(alice, server.url, seconds=4)
        tab.click("Count")
    more = [person().request("GET", f"{server.url}auth/login?provider=default&next=%2F", follow=False) for _ in range(2 * LIMIT)]
    elapsed = time.monotonic() - began

    assert {status for status, _ in answers} == {200}
    assert max(seconds for _, seconds in answers) < 3
    assert "count=1" in tab.text
    assert sum(flood.statuses.values()) > 100
    assert flood.sockets > 10
    assert flood.statuses.keys() <= {200, 303, 400, 401, 403, 404, 405, 429, 503}, flood.failures
    assert first.begun + flood.begun + sum(page.status == 303 for page in more) <= LIMIT + LIMIT * elapsed / 60
    refused = [page for page in more if page.status == 429]
    assert all(0 < int(page.header("retry-after")) <= 60 for page in refused)
    assert provider.counts().get("/token", 0) == 0
    assert _rss_mib(server.pid) - before < 24
    elsewhere = person(headers={"X-Forwarded-For": "198.51.100.9"})
    assert elsewhere.login(server.url, "bob").is_streamlit


def test_a29b_however_many_addresses_come_the_tables_have_an_end(tmp_path):
    with inside(tmp_path) as sales:
        name = sales.gate.names.session
        for number in range(4200):
            client = (f"2001:db8:{number:x}::1", 4711)
            cookie = (b"cookie", f"{name}=1{number:043d}".encode())
            sales.http("/oauth2callback", [cookie], client=client, query_string=b"code=x&state=y")

        routes, cold = sales.gate._routes, sales.gate._cold

        assert (len(routes._login._strays), len(cold._unknown)) == (4096, 4096)
        assert (sales.gate._resuming, sales.gate.core.live.known()) == ({}, [])


@pytest.fixture
def house():
    one = House(store=SlowStore())
    yield one
    one.close()


def test_a29c_people_whose_session_is_cold_wait_behind_no_guesses(house):
    store = house.core.store
    ana = Browser(house, peer="198.51.100.8")
    ana.log_in()
    house.advance(house.config.idle_timeout / 2)
    house.core.live.evict()
    store.learn()
    name, read = house.gate.names.session, house.gate._cold.read
    for number in range(60):
        assert Browser(house, {name: f"1{number:043d}"}, peer="198.51.100.7").visit("/").status == 303
    store.door.clear()

    async def flood():
        guesses = [asyncio.ensure_future(read(Secret(f"1{n:043d}"), "198.51.100.7")) for n in range(100, 500)]
        await asyncio.sleep(0)
        theirs = asyncio.ensure_future(read(Secret(ana.cookies[name]), "198.51.100.8"))
        await asyncio.wait([theirs], timeout=3)
        was_answered = theirs.done()
        store.door.set()
        await asyncio.gather(*guesses, theirs, return_exceptions=True)
        return was_answered

    assert house.run(flood)


def test_a29d_a_person_cannot_guess_the_passwords_that_others_have_at_a_database():
    with PostgresServer(passwords=True) as postgres:
        url = f"postgresql+psycopg://127.0.0.1:{postgres.port}/sales"
        house = House(connections={"erp": {"type": "st_auth.SQLConnection", "url": url, "login": "own"}})
        bob = form.logged_in(house, "bob")
        guesses = [f"guess {number}" for number in range(9)] + [password_of("ana")]

        statuses = [form.give(bob, form.link(house, "bob"), user="ana", password=guess).status for guess in guesses]

        assert statuses == [403] * 5 + [429] * 5
        assert form.kept(house, "bob") == []
        house.close()
