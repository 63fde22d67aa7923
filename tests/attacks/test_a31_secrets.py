"""A-31: secrets do not print: not in logs, tracebacks and pages, and not in any form of what an app holds."""

import copy
import dataclasses
import json
import pickle
import re
import traceback
from contextlib import closing
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest

from st_auth.personal import Personal
from st_auth.secret import Secret
from st_auth.testing import FakeIssuer
from st_auth.user import User
from st_auth.web import login
from tests.servers.streamlit_app import COOKIE_SECRET, auth_secrets
from tests.test_live import Anywhere
from tests.web.inprocess import SECRET, Browser, House


def _print() -> None:
    Secret.__repr__ = Secret.__str__ = lambda self: f"Secret({self._value!r})"


def _say_all() -> None:
    """As trackers of errors do: the log has the variables of every frame."""

    def said(error):
        return "".join(traceback.TracebackException.from_exception(error, capture_locals=True).format())

    login._said = said


def _let_out() -> None:
    Personal.__reduce_ex__ = object.__reduce_ex__
    Secret.__reduce_ex__ = object.__reduce_ex__


DISARM = {"A-31": _say_all, "A-31.b": _let_out, "A-31.c": _print, "A-31.d": _let_out}

CANARY = "canary-of-a-token"
APP = """\
import copy, faulthandler, json, pickle, sys, traceback
import streamlit as st
import st_auth

user = st_auth.require_login()
broken = st.button("Break")
st.write(user, user.session)
print(repr(user), str(user), f"{user!r:>40}", repr(user.session), json.dumps([user, user.session], default=str), flush=True)
for way in (pickle.dumps, copy.copy, copy.deepcopy, hash, json.dumps):
    for one in (user, user.session):
        try:
            way(one)
            print("GAVE", way.__name__, type(one).__name__, flush=True)
        except TypeError as error:
            print("REFUSED", way.__name__, error, flush=True)
        except Exception as error:
            print("ODD", way.__name__, type(error), flush=True)
st.exception(RuntimeError(user, user.session, user.claims))
faulthandler.dump_traceback(sys.stderr, all_threads=True)
if broken:
    try:
        user.no_such_thing
    except AttributeError as error:
        print("".join(traceback.TracebackException.from_exception(error, capture_locals=True).format()), flush=True)
        raise RuntimeError(f"{user} {user.session}") from error
"""


@pytest.fixture
def issuer():
    with FakeIssuer() as one:
        one.given = []
        one.tokens = lambda answer: one.given.append(answer) or answer
        yield one
        one.violations.clear()


def _sent_by(browser):
    """Codes, states and challenges that went through a browser's address bar."""
    queries = [parse_qs(urlsplit(step.url).query) for step in browser.log]
    return {q[name][0] for q in queries for name in ("code", "state", "nonce") if name in q}


def _verifiers(issuer):
    forms = [parse_qs(r.content.decode()) for r in issuer.requests if r.url.path == "/token"]
    return {form["code_verifier"][0] for form in forms if "code_verifier" in form}


def _tokens(issuer):
    return {g[name] for g in issuer.given for name in ("access_token", "refresh_token", "id_token")}


FAULTS = {
    "garbage": {"/token": httpx2.Response(200, text=f"<{CANARY}>")},
    "no JSON": {"/token": httpx2.Response(200, text=f'{{"access_token": "{CANARY}"', headers={"content-type": "application/json"})},
    "no ID token": {"/token": httpx2.Response(200, json={"access_token": CANARY, "token_type": "Bearer", "refresh_token": CANARY})},
    "bad ID token": {"/token": httpx2.Response(200, json={"access_token": CANARY, "token_type": "Bearer", "id_token": f"{CANARY}.x.y"})},
    "odd type": {"/token": httpx2.Response(200, json={"access_token": CANARY, "token_type": CANARY, "id_token": CANARY})},
    "token is a list": {"/token": httpx2.Response(200, json={"access_token": [CANARY], "token_type": "Bearer", "id_token": [CANARY]})},
    "secret refused": {"/token": httpx2.Response(401, json={"error": "invalid_client", "x": CANARY})},
    "odd error": {"/token": httpx2.Response(400, json={"error": [CANARY], "error_description": {"x": CANARY}})},
    "broken": {"/token": httpx2.Response(500, text=CANARY)},
    "moved": {"/token": httpx2.Response(302, headers={"location": f"http://127.0.0.1:1/?{CANARY}"})},
    "keys": {"/jwks": httpx2.Response(200, text=CANARY)},
    "userinfo": {"/userinfo": httpx2.Response(200, text=CANARY)},
}


def test_a31_whatever_a_provider_answers_neither_the_log_nor_a_page_holds_a_secret(app, person, issuer):
    options = {"client": {"showErrorDetails": "full"}, "logger": {"level": "debug"}}
    one = app(secrets=auth_secrets(**issuer.section()), config=options)
    ana, pages = person(), []
    for name, answers in FAULTS.items():
        issuer.answers = answers
        page = ana.open(f"{one.origin}/auth/login?provider=default")
        assert page.status in (200, 502, 503, 400), (name, page.status)
        pages.append(page.text)
    issuer.answers = {}
    for claims in ({"nonce": "x"}, {"aud": "x"}, {"iss": "x"}, {"exp": 1}, {"at_hash": "x"}):
        issuer.claims = claims
        pages.append(ana.open(f"{one.origin}/auth/login?provider=default").text)
    issuer.claims = None
    ana.login(one.url)
    session = [c.value for c in ana.jar.for_host() if "st_auth-" in c.name]

    secrets = {CANARY, issuer.client_secret, COOKIE_SECRET, *session, *_tokens(issuer), *_verifiers(issuer), *_sent_by(ana)}
    assert len(secrets) > 30
    assert one.output.count("reference") >= 10, "it does say in the log what went wrong"
    assert [s for s in secrets if s in one.output] == []
    assert [s for s in secrets if any(s in page for page in pages)] == []


def test_a31b_what_a_script_holds_does_not_print_pickle_copy_or_hash(app, person, issuer):
    one = app(APP, secrets=auth_secrets(**issuer.section()), config={"client": {"showErrorDetails": "full"}})
    ana = person()
    ana.login(one.url)
    tab = ana.tab(one.url)
    tab.click("Break")
    assert len(tab.exceptions) == 2
    session = [c.value for c in ana.jar.for_host() if "st_auth-" in c.name]
    said = one.output + b"".join(m.SerializeToString() for m in tab.messages).decode("latin-1")

    assert re.findall(r"^GAVE.*$", one.output, re.MULTILINE) == []
    assert one.output.count("REFUSED") == 20
    secrets = {issuer.client_secret, COOKIE_SECRET, *session, *_tokens(issuer), *_verifiers(issuer)}
    assert [s[:8] for s in secrets if s in said] == []


@pytest.fixture
def house():
    with closing(House()) as one:
        yield one


def test_a31c_no_form_of_anything_of_a_login_shows_a_secret(house):
    given = []
    house.issuer.tokens = lambda answer: given.append(answer) or answer
    ana = Browser(house)
    ana.log_in()
    cookie = ana.cookies[house.gate.names.session]
    live = house.live[0]
    stored = house.core.sessions.resume(Secret(cookie))
    user = User(live, Anywhere(), house.core.grants, house.core.pool)
    core, config, provider = house.core, house.config, house.config.providers["okta"]
    things = [core, config, core.keyring, core.vault, provider, live, live.stored, stored, stored.tokens, user, user.session]

    shown = [f"{form(thing)}" for thing in things for form in (repr, str, format, ascii, lambda t: json.dumps(t, default=str))]
    shown += [str(_fields(thing)) for thing in (stored, stored.tokens, config, provider)] + [
        str(vars(house.gate)),
        str(vars(core.sessions)),
    ]

    (tokens,) = given
    secrets = [cookie, SECRET, house.issuer.client_secret, tokens["access_token"], tokens["refresh_token"], tokens["id_token"]]
    spelled = {form for s in secrets for form in (s, repr(s)[1:-1], ascii(s)[1:-1], json.dumps(s)[1:-1])}
    assert [(s[:6], text[:300]) for s in spelled for text in shown if s in text] == []


def _fields(thing):
    return {field.name: getattr(thing, field.name) for field in dataclasses.fields(thing)}


@pytest.mark.parametrize("way", [pickle.dumps, copy.copy, copy.deepcopy], ids=["pickle", "copy", "deepcopy"])
def test_a31d_a_session_with_its_tokens_does_not_leave_by_pickle_or_copy(house, way):
    ana = Browser(house)
    ana.log_in()
    stored = house.core.sessions.resume(Secret(ana.cookies[house.gate.names.session]))

    for thing in (stored.tokens.access_token, stored.cookie_key, User(house.live[0], Anywhere(), house.core.grants, house.core.pool)):
        with pytest.raises(TypeError):
            way(thing)
