"""The store is down for a while (DESIGN 4): nobody new, everybody who is in goes on, after a minute they wait, and nothing is ended."""

import json
from datetime import timedelta

import pytest

from st_auth.errors import Unavailable
from st_auth.stores.memory import MemoryStore
from st_auth.web.watch import Watch
from tests.servers.processes import wait_until
from tests.web.inprocess import Browser, House, rerun

VERBS = ("get", "put", "delete", "find", "versions")


class FickleStore:
    """A store that does not answer while `is_down`."""

    def __init__(self):
        self._store, self.is_down = MemoryStore(), False

    def __getattr__(self, name):
        if name in VERBS and self.is_down:
            raise Unavailable("The session store does not answer.", code="store")
        return getattr(self._store, name)


@pytest.fixture
def store():
    return FickleStore()


@pytest.fixture
def house(store):
    one = House(store=store)
    yield one
    store.is_down = False
    one.close()


def go_round(house: House) -> None:
    async def go() -> None:
        await Watch(house.gate).go_round()

    house.run(go)


def passed_on(house: House) -> list[bytes]:
    """The browser's messages that reached the app."""
    return [message["bytes"] for message in house.inner.received if "bytes" in message]


def test_a_store_that_is_down_keeps_nobody_who_is_in_from_working_and_lets_nobody_in(house, store):
    ana, bob = Browser(house), Browser(house)
    ana.log_in("ana")
    tab = ana.socket()
    away = bob.go_to_provider()
    store.is_down = True

    refused = bob.come_back(away, "bob")
    assert refused.status == 503
    assert "We cannot log anybody in right now" in refused.body
    assert refused.header("retry-after")
    assert len(house.live) == 1

    tab.say(rerun())
    tab.say(rerun())
    assert passed_on(house) == [rerun(), rerun()]
    assert ana.visit("/").status == 200
    assert ana.socket().kinds[0] == "websocket.accept"
    stranger = Browser(house, {house.gate.names.session: "1" + "A" * 43})
    assert stranger.visit("/").status == 503


def test_after_a_minute_messages_wait_and_all_go_on_when_the_store_is_back(house, store):
    ana = Browser(house)
    ana.log_in("ana")
    tab = ana.socket()
    tab.say(rerun())
    (session,) = house.live
    store.is_down = True

    with pytest.raises(Unavailable):
        go_round(house)
    house.clock.advance(timedelta(seconds=61))
    with pytest.raises(Unavailable):
        go_round(house)
    tab.say(rerun(query="waits=1"))

    assert house.core.live.is_held
    assert len(passed_on(house)) == 1
    assert any("does not answer" in toast for toast in tab.toasts)
    assert json.loads(ana.fetch("/auth/health").body) == {"status": "held"}
    assert (session.ended, tab.sent_to) == ("", [])

    store.is_down = False
    go_round(house)
    wait_until(lambda: tab.settle() or len(passed_on(house)) == 2, "the message that waited to pass")

    assert passed_on(house)[-1] == rerun(query="waits=1")
    assert (session.ended, tab.sent_to, house.live) == ("", [], [session])
    assert ana.visit("/").body == "inner"
    bob = Browser(house)
    assert bob.log_in("bob").status == 303


def test_a_logout_while_the_store_is_down_is_a_logout_and_the_store_is_told_later(house, store):
    ana = Browser(house)
    ana.log_in("ana")
    kept = dict(ana.cookies)
    tab = ana.socket()
    tab.say(rerun())
    store.is_down = True

    left = ana.fetch("/auth/logout", sec_fetch_dest="document")
    tab.settle()
    assert left.status == 303
    assert "/auth/ended?why=logout" in tab.sent_to[-1]
    assert Browser(house, kept).visit("/").body != "inner"

    store.is_down = False
    go_round(house)
    assert house.core.live.unfinished == {}
    assert Browser(house, kept).visit("/").body != "inner"
