"""A-21: tabs that log in at once all succeed, whichever comes back first; what a browser does not use any more is ended."""

import itertools
from contextlib import closing
from datetime import timedelta

import pytest

from st_auth.live import Live
from st_auth.testing import FakeIssuer
from st_auth.web.cookies import AT_MOST_ATTEMPTS, CookieNames
from st_auth.web.login import LoginRoutes
from tests.servers.streamlit_app import auth_secrets
from tests.speaker import together
from tests.web.inprocess import Browser, House


def _one_attempt_only() -> None:
    """As Authlib does: a browser's second attempt takes the first one's place."""
    CookieNames.attempt_of = lambda self, _: f"{self.attempt}0"


def _drop_nothing() -> None:
    LoginRoutes._drop_oldest = lambda *_: []


def _keep_the_old() -> None:
    LoginRoutes._old_cookie = lambda *_: None
    Live.end = lambda *_, **__: None


DISARM = {"A-21": _one_attempt_only, "A-21.b": _drop_nothing, "A-21.c": _keep_the_old}


@pytest.fixture
def house():
    with closing(House()) as one:
        yield one


@pytest.fixture
def issuer():
    with FakeIssuer() as one:
        yield one


def test_a21_five_tabs_that_come_back_at_the_same_moment_are_all_in(app, person, issuer):
    one = app(secrets=auth_secrets(**issuer.section()))
    ana = person()
    begin = f"{one.origin}/auth/login?provider=default&next=%2F%3Ftab%3D"
    aways = [ana.open(f"{begin}{n}", follow=False).header("location") for n in range(5)]
    callbacks = [issuer.authorize(away) for away in aways]

    pages = together([lambda url=url: ana.open(url, referrer=issuer.issuer, follow=False) for url in callbacks])

    assert [page.header("location") for page in pages] == [f"/?tab={n}" for n in range(5)]
    assert issuer.token_calls == 5
    tabs = [ana.tab(f"{one.origin}/?tab={n}") for n in range(5)]
    assert [tab.fact("subject") for tab in tabs] == ["ana"] * 5
    assert len({tab.fact("login_id") for tab in tabs}) == 1
    tabs[0].rerun()
    assert [tab.is_open for tab in tabs] == [True] * 5


def test_a21b_the_sixth_attempt_takes_the_place_of_the_oldest(house):
    ana = Browser(house)
    aways = [ana.go_to_provider(f"/tab{n}") for n in range(AT_MOST_ATTEMPTS + 1) if not house.clock.advance(timedelta(seconds=1))]

    assert len([c for c in ana.cookies if c.startswith(house.gate.names.attempt)]) == AT_MOST_ATTEMPTS
    first = ana.come_back(aways[0])
    assert (first.status, house.issuer.token_calls) == (400, 0)
    assert [ana.come_back(away).location for away in aways[1:]] == [f"/tab{n}" for n in range(1, AT_MOST_ATTEMPTS + 1)]


def test_a21c_in_whatever_order_they_come_back_one_session_is_left_and_each_tab_is_on_its_page(house):
    for order in itertools.islice(itertools.permutations(range(5)), 0, 120, 17):
        ana = Browser(house)
        aways = [ana.go_to_provider(f"/tab{n}") for n in range(5)]
        cookies, sockets = [], []
        for n in order:
            assert ana.come_back(aways[n]).location == f"/tab{n}"
            cookies.append(ana.cookies[house.gate.names.session])
            sockets.append(ana.socket())

        live = [s for s in house.live if not s.ended]
        ended = [Browser(house, {house.gate.names.session: c}).fetch("/x").status for c in cookies]
        assert (len(live), ended) == (1, [401, 401, 401, 401, 200])
        assert [socket.sent_to for socket in sockets] == [["/"]] * 4 + [[]]
        house.core.sessions.end(live[0].stored, "logout")
        house.core.live.end(live[0], "logout")
