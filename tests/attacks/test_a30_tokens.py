"""A-30: no token is ever in anything that a browser gets, whatever goes wrong; and no other site logs anybody out."""

import base64
import json
import re
import zlib
from contextlib import closing, suppress

import httpx2
import pytest

from st_auth import streamlit_facts as facts
from st_auth.client import Client
from st_auth.testing import FakeIssuer
from st_auth.web.gate import Gate
from st_auth.web.logout import LogoutRoutes
from tests.servers.streamlit_app import auth_secrets
from tests.speaker import Browser
from tests.web.inprocess import Browser as InsideBrowser, House


def _hint_at_logout() -> None:
    """As most clients do at every provider: the ID token goes through the address bar."""
    url = Client.logout_url

    def hinting(self, *, id_token, **more):
        return f"{url(self, id_token=None, **more)}&id_token_hint={id_token.reveal() if id_token else ''}"

    Client.logout_url = hinting


def _expose() -> None:
    """As where the app asks for it by `expose_tokens`."""

    async def claims(self, session):
        stored = await self.in_store_thread(self.core.sessions.reread, session.stored)
        tokens = {"id_token": stored.tokens.id_token.reveal(), "access_token": stored.tokens.access_token.reveal()}
        return facts.claims_cookies(json.loads(session.stored.claims_json), session.stored.card.provider, self._config.origin, tokens)

    Gate._claims_of = claims


def _always_meant() -> None:
    async def yes(*_):
        return True

    LogoutRoutes._is_meant = yes


DISARM = {"A-30": _hint_at_logout, "A-30.b": _expose, "A-30.c": _always_meant}

APP = """\
import streamlit as st
import st_auth

user = st_auth.require_login()
st.write(user, user.session, repr(user), dict(user.claims))
st.json(st.user.to_dict())
st.write(st.context.cookies.to_dict(), st.context.headers.to_dict(), dict(st.session_state))
try:
    st.write(st.user.tokens, dict(st.user.tokens))
except Exception as error:
    st.exception(error)
st.button("Log out", on_click=st_auth.logout)
st.download_button("Download", data=f"of {user.subject}", file_name="mine.txt")
if st.button("Break"):
    everything = st.user.to_dict(), dict(st.context.cookies), vars(st.user) if hasattr(st.user, "__dict__") else None
    raise RuntimeError(f"{user} {everything}")
"""
PAGES = ("login", "logout", "ended", "stay", "health", "token", "tokens", "session", "user", "userinfo", "me", "refresh", "callback")


class Recorder(Browser):
    """A browser that keeps all that it got: status, headers and bodies."""

    def __init__(self) -> None:
        super().__init__()
        self.got: list[str] = []

    def _send(self, method, url, sent, body):
        step, received = super()._send(method, url, sent, body)
        self.got.append(f"{method} {url} {step.headers} {received.decode('latin-1')}")
        return step, received


@pytest.fixture
def issuer():
    with FakeIssuer() as one:
        one.given = []
        one.tokens = lambda answer: one.given.append(answer) or answer
        yield one


@pytest.fixture
def visitor():
    with Recorder() as one:
        yield one


def _secrets_of(issuer):
    """Every token that the provider gave, and the signatures of those that are JWTs."""
    given = [g[name] for g in issuer.given for name in ("access_token", "refresh_token", "id_token") if name in g]
    return {part for token in given for part in (token, token.rpartition(".")[2])}


def _holds(texts, secrets):
    """What of the secrets stands in the texts: plainly, as Base64, or packed as Streamlit packs its cookies."""
    for text in texts:
        for decoded in (text, *(d for found in re.findall(r"[A-Za-z0-9_+/-]{24,}", text) for d in _decoded(found))):
            yield from ((s[:6], text[:200]) for s in secrets if s in decoded)


def _decoded(text):
    whole = text[: -1 if len(text) % 4 == 1 else None]
    plain = base64.b64decode(whole + "=" * (-len(whole) % 4), altchars=b"-_" if set(text) & set("-_") else b"+/")
    yield plain.decode("latin-1")
    with suppress(zlib.error):
        yield zlib.decompressobj().decompress(plain).decode("latin-1")


def test_a30_a_whole_visit_with_everything_that_can_go_wrong_shows_a_browser_no_token(app, issuer, visitor):
    one = app(APP, secrets=auth_secrets(**issuer.section()), config={"client": {"showErrorDetails": "full"}})
    begin = f"{one.origin}/auth/login?provider=default"

    issuer.claims = {"nonce": "wrong"}
    assert visitor.open(begin).status == 502
    issuer.claims = {"aud": "somebody else"}
    assert visitor.open(begin).status == 502
    issuer.claims = None
    issuer.answers["/userinfo"] = httpx2.Response(200, json={"sub": "somebody else"})
    visitor.open(begin)
    issuer.answers.clear()
    visitor.login(one.url)
    tab = visitor.tab(one.url)
    tab.click("Break")
    for url in tab.media:
        visitor.fetch(url, page=one.url)
    for page in PAGES:
        for method in ("GET", "POST"):
            visitor.fetch(f"{one.origin}/auth/{page}", page="http://evil.example/", method=method, follow=False)
    visitor.open(visitor.log[-1].url + "?state=x&code=y")
    tab.click("Log out", wait=False)
    tab.wait_for(lambda t: t.redirected_to, "the logout")
    away = visitor.open(tab.address(tab.redirected_to), referrer=one.url, follow=False)

    secrets = _secrets_of(issuer)
    assert len(secrets) > 8
    assert (away.header("location") or "").startswith(f"{issuer.issuer}/logout?")
    messages = [m.SerializeToString().decode("latin-1") for m in tab.messages]
    assert list(_holds([*visitor.got, *messages], secrets)) == []


def test_a30b_the_app_holds_no_token_that_it_has_not_asked_for(app, issuer, visitor):
    one = app(APP, secrets=auth_secrets(**issuer.section()))
    visitor.login(one.url)
    tab = visitor.tab(one.url)
    tab.click("Break")

    messages = [m.SerializeToString().decode("latin-1") for m in tab.messages]
    assert len(messages) > 10
    assert list(_holds([*messages, one.output], _secrets_of(issuer))) == []


def test_a30c_no_other_site_logs_a_person_out_by_link_form_frame_or_image():
    with closing(House()) as house:
        ana = InsideBrowser(house)
        ana.log_in()
        tab = ana.socket()
        asked = []
        for site in ("cross-site", "same-site", "none"):
            kinds = [{"sec-fetch-dest": dest, "sec-fetch-site": site} for dest in ("document", "image", "iframe", "script", "empty")]
            posts = [{**kinds[0], "origin": origin} for origin in ("https://evil.example", "null", ana.origin)]
            asked += [ana.ask("GET", "/auth/logout", headers) for headers in kinds]
            asked += [ana.ask("POST", "/auth/logout", headers, b"token=") for headers in posts]
        asked.append(ana.ask("GET", "/auth/logout", {}))
        asked.append(ana.ask("POST", "/auth/logout", {}, b""))
        tab.settle()

        assert {answer.status for answer in asked} == {200}
        assert [a.header("set-cookie") for a in asked if a.header("set-cookie")] == []
        assert len(house.live) == 1
        assert tab.sent_to == []
        assert {a.header("x-frame-options") for a in asked} == {"DENY"}, "nor by a click that is stolen"
