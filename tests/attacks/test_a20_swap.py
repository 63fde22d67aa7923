"""A-20: nobody is logged in by somebody else's link, and nobody loses their login by one."""

import pytest

from st_auth.oauth.pending import PendingLogin
from st_auth.testing import FakeIssuer
from st_auth.vault import Vault
from st_auth.web.asgi import once
from st_auth.web.login import LoginRoutes
from tests.servers.streamlit_app import auth_secrets


def _any_browser() -> None:
    """As a server does that finds the attempt by its state alone."""
    begun: dict[str, str] = {}
    seal, callback = Vault.seal_attempt, LoginRoutes.callback

    def noting(self, payload, **more):
        sealed = seal(self, payload, **more)
        begun[PendingLogin.from_json(payload).state] = sealed
        return sealed

    async def finding(self, request, receive):
        state = once(request.query, "state")
        known = {self._gate.names.attempt_of(state): begun[state]} if state in begun else {}
        return await callback(self, request._replace(cookies={**request.cookies, **known}), receive)

    Vault.seal_attempt, LoginRoutes.callback = noting, finding


DISARM = {"A-20": _any_browser, "A-20.b": _any_browser}
EVIL = "http://evil.example/"


@pytest.fixture
def issuer():
    with FakeIssuer() as one:
        yield one


@pytest.fixture
def lure(app, person, issuer):
    """The app, and a callback address with mallory's own code in it, never visited."""
    issuer.people["mallory"] = {"name": "Mallory"}
    one = app(secrets=auth_secrets(**issuer.section()))
    away = person().open(f"{one.origin}/auth/login?provider=default&next=%2Fsales", follow=False)
    return one, issuer.authorize(away.header("location"), "mallory")


def test_a20_a_victim_who_follows_the_attackers_callback_keeps_the_own_login(lure, logged_in, issuer):
    one, callback = lure
    ana = logged_in(one, "ana")
    before, calls = ana.jar.copy(), issuer.token_calls

    page = ana.open(callback, referrer=EVIL, follow=False)

    assert issuer.token_calls == calls
    assert page.header("location") == "/"
    assert ana.jar.cookies == before.cookies
    assert ana.tab(one.url).fact("subject") == "ana"


def test_a20b_a_victim_without_a_login_gets_none_and_is_told_so(lure, person, issuer):
    one, callback = lure
    victim = person()

    page = victim.open(callback, referrer=EVIL, follow=False)

    assert (page.status, issuer.token_calls) == (400, 0)
    assert not [c.name for c in victim.jar.for_host() if "st_auth" in c.name]
    assert "did not keep our cookie" in page.text
    assert not victim.open(one.url, follow=False).is_streamlit
