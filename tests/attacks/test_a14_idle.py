"""A-14: a page that only refreshes itself is nobody there; only what a person does keeps a login alive."""

import time
from dataclasses import replace

import pytest

from st_auth import streamlit_facts as facts
from st_auth.live import LiveSession
from st_auth.web.sockets import TabSocket
from tests.servers.processes import wait_until
from tests.tab import BackMsg


def _all_messages_count() -> None:
    """As a gate does that takes traffic for a person."""
    read = facts.read_back_msg

    def counting(data):
        seen = read(data)
        return seen and replace(seen, by_person=True)

    facts.read_back_msg = counting


def _first_runs_count() -> None:
    passes = TabSocket._passes

    async def counting(self, data):
        self._first_rerun = False
        return await passes(self, data)

    TabSocket._passes = counting


def _nothing_counts() -> None:
    LiveSession.saw_person = lambda *_: None


DISARM = {"A-14": _all_messages_count, "A-14.b": _first_runs_count, "A-14.c": _nothing_counts}
IDLE = 4


@pytest.fixture
def tab(app, logged_in):
    one = app(st_auth={"idle_timeout": f"{IDLE}s"})
    return logged_in(one, "alice").tab(one.url)


def _beat(tab):
    """Everything that a page sends while nobody is there."""
    tab.tick(wait=False)
    message = BackMsg()
    message.app_heartbeat = True
    tab.send(message)
    for path in ("_stcore/health", "_stcore/host-config"):
        tab.browser.fetch(tab.address(path), page=tab.url)
    for url in tab.media:
        tab.browser.fetch(url, page=tab.url, dest="image", mode="no-cors")
    tab.read()


def _is_sent_away(tab, act):
    """Whether the tab was sent away, however often `act` was done."""

    def gone():
        act(tab)
        return bool(tab.redirected_to)

    try:
        wait_until(gone, "the idle limit", seconds=3 * IDLE, step=0.2)
    except AssertionError:
        return None
    return tab.redirected_to.partition("&")[0]


def test_a14_timers_heartbeats_and_files_do_not_keep_a_login_alive(tab):
    assert tab.auto_reruns, "the page runs a part of itself every second"

    assert _is_sent_away(tab, _beat) == "/auth/ended?why=idle"


def test_a14b_a_network_that_drops_again_and_again_does_not_keep_a_login_alive(tab):
    """Each tab sends one run by itself when it connects."""
    assert _is_sent_away(tab, lambda t: t.reconnect() if not t.redirected_to else None) == "/auth/ended?why=idle"


def test_a14c_a_person_who_clicks_stays(tab):
    until = time.monotonic() + IDLE + 2

    def clicked():
        tab.click("Count")
        return time.monotonic() > until or not tab.is_open

    wait_until(clicked, "the idle limit to pass", seconds=3 * IDLE, step=0.3)

    assert tab.is_open, tab.redirected_to
