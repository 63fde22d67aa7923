"""A-28: a session cookie that somebody planted is never adopted; a login has a cookie that only we could have made."""

import secrets
from contextlib import closing

import pytest

from st_auth.live import Live
from st_auth.sessions import COOKIE_BYTES, Sessions, parse_cookie
from st_auth.vault import decode_base64url
from tests.web.inprocess import Browser, House


def _adopt() -> None:
    """As a server does that keeps the id that the browser brings."""
    begin = Sessions.begin

    def adopting(self, login, *, replaces=None, **more):
        raw = parse_cookie(replaces) if replaces else None
        if raw is None:
            return begin(self, login, replaces=replaces, **more)
        brought = decode_base64url(replaces.reveal()[1:])
        random, self._random = self._random, lambda n: brought if n == COOKIE_BYTES else random(n)
        try:
            self._vault.store.delete(self._vault.record_key(raw))
            return begin(self, login, **more)
        finally:
            self._random = random

    Sessions.begin = adopting


def _keep_the_old() -> None:
    begin = Sessions.begin
    Sessions.begin = lambda self, login, **more: begin(self, login, **{**more, "replaces": None})
    Live.end = lambda *_, **__: None


DISARM = {"A-28": _adopt, "A-28.b": _keep_the_old}


@pytest.fixture
def house():
    with closing(House()) as one:
        yield one


def _planted():
    return f"1{secrets.token_urlsafe(COOKIE_BYTES)}"


def test_a28_a_planted_cookie_is_nobodys_before_the_login_and_after_it(house):
    name, planted = house.gate.names.session, _planted()
    victim, mallory = Browser(house, {name: planted}), Browser(house, {name: planted})
    assert victim.fetch("/x").status == 401

    answer = victim.log_in("ana")

    assert answer.status == 303
    assert victim.cookies[name] not in ("", planted)
    assert victim.fetch("/x").status == 200
    assert mallory.fetch("/x").status == 401
    tab = mallory.socket()
    assert tab.sent_to == []
    assert house.inner.paths == ["/x"]


def test_a28b_a_login_of_the_attacker_that_was_planted_is_over_once_the_victim_logs_in(house):
    """Over plain http another port of this machine can do that; what the victim does afterwards is in no session that the attacker has."""
    name = house.gate.names.session
    mallory = Browser(house)
    mallory.log_in("bob")
    planted = mallory.cookies[name]
    victim = Browser(house, {name: planted})

    victim.log_in("ana")

    assert victim.cookies[name] != planted
    assert [s.stored.card.subject for s in house.live] == ["ana"]
    assert mallory.fetch("/x").status == 401
    assert len({s.login_id for s in house.live}) == 1
