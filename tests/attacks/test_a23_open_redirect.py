"""A-23: whatever stands in `next`, in a Referer, in a pending login or in a tab's own address, it leads to our origin only."""

import json
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from urllib.parse import parse_qs, quote, urlsplit

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from st_auth.oauth.pending import PendingLogin
from st_auth.web import gate, login, routes, sockets
from tests.web.inprocess import Browser, House, rerun
from tests.web.test_origin import HOSTILE, PIECES, led


def _anywhere() -> None:
    """As an app does that goes back where it was told."""
    for module in (gate, login, routes, sockets):
        module.return_path = lambda text, base: text or f"{base}/"
        module.path_of = lambda url: url


DISARM = {"A-23": _anywhere, "A-23.b": _anywhere, "A-23.c": _anywhere, "A-23.d": _anywhere, "A-23.e": _anywhere}
ORIGIN = "http://localhost:8501"


@pytest.fixture(params=["", "/app"], ids=["root", "base"])
def ana(request):
    with closing(House(base_path=request.param, redirect_uri=f"{ORIGIN}{request.param}/oauth2callback")) as one:
        yield Browser(one)


def _elsewhere(ana, locations):
    """Those of the addresses that a browser takes to another origin, or out of the app, from a page of it."""
    judged = zip(locations, led(locations, f"{ORIGIN}{ana.base}/some/page"), strict=True)
    return [to for to, (origin, path) in judged if origin != ORIGIN or not f"{path}/".startswith(f"{ana.base}/")]


def _forms(text):
    """One hostile text, as it is, before and behind a path of the app, and quoted once more."""
    return [text, f"/app{text}", quote(text, safe=""), f"/{text}", f"{ORIGIN}{text}", f"{ORIGIN}@{text}"]


def test_a23_next_and_referer_lead_nowhere_else(ana):
    went = []
    for text in HOSTILE:
        raw = quote(text, safe="", errors="replace")
        for away in (
            ana.visit(f"{ana.base}/auth/login?provider=okta&next={raw}"),
            ana.visit(f"{ana.base}/auth/login?provider=okta", referer=f"{ORIGIN}{text}".encode("utf-8", "replace").decode("latin-1")),
        ):
            went.append(ana.come_back(away).location)
            ana.cookies.clear()

    assert _elsewhere(ana, went) == []


def test_a23b_a_pending_login_that_holds_another_address_leads_nowhere_else(ana):
    """Sealed by an older version of ours, say, that judged less."""
    house, went = ana.house, []
    for text in HOSTILE:
        away = ana.go_to_provider()
        state = parse_qs(urlsplit(away.location).query)["state"][0]
        name = house.gate.names.attempt_of(state)
        pending = PendingLogin.from_json(house.core.vault.open_attempt(ana.cookies[name], now=house.clock.now()))
        payload = replace(pending, return_to=text.encode("utf-8", "replace").decode()).to_json()
        ana.cookies[name] = house.core.vault.seal_attempt(payload, expires_at=house.clock.now() + timedelta(minutes=10))
        held = dict(ana.cookies)
        answer = ana.come_back(away)
        assert answer.status == 303, text
        went.append(answer.location)
        ana.cookies.update(held)
        went.append(ana.come_back(away).location)  # a copy, which finds the session there
        ana.cookies.clear()

    assert _elsewhere(ana, [to for to in went if to]) == []


def test_a23c_a_tab_that_lies_about_its_address_is_sent_nowhere_else(ana):
    house, went = ana.house, []
    for text in HOSTILE:
        url = (text if "://" in text else f"{ORIGIN}{text}").encode("utf-8", "replace").decode()
        for why in ("renewed", "idle"):
            ana.log_in()
            tab = ana.socket()
            tab.say(rerun(url))
            house.core.live.end(house.live[0], why)
            tab.settle()
            went += tab.sent_to
            ana.cookies.clear()
    pushed = [parse_qs(urlsplit(to).query)["next"][0] if "/auth/ended?" in to else to for to in went]

    assert len(went) == 2 * len(HOSTILE)
    assert _elsewhere(ana, went + pushed) == []


def test_a23d_no_page_of_ours_links_or_leads_elsewhere_for_any_next(ana):
    went = []
    for text in (form for hostile in HOSTILE for form in _forms(hostile)):
        raw = quote(text, safe="", errors="replace")
        for page in (f"/auth/ended?why=idle&next={raw}", f"/auth/login?next={raw}", f"/auth/stay?next={raw}", f"/x?next={raw}"):
            answer = ana.visit(f"{ana.base}{page}", site="cross-site")
            links = [link for link in (*answer.links, answer.location) if link]
            went += links + [n for link in links for n in parse_qs(urlsplit(link).query).get("next", ())]
    ana.log_in()
    for text in (form for hostile in HOSTILE for form in _forms(hostile)):
        raw = quote(text, safe="", errors="replace")
        for page in (f"/auth/ended?why=x&next={raw}", f"/auth/login?next={raw}", f"/auth/ended?why=replaced&next={raw}"):
            answer = ana.visit(f"{ana.base}{page}", site="cross-site")
            went += [link for link in (*answer.links, answer.location) if link]

    assert _elsewhere(ana, [to for to in went if not to.startswith("https://issuer.example/authorize?")]) == []


@pytest.mark.parametrize("path", ["/auth/login?next=", "/auth/ended?why=x&next="])
def test_a23e_nor_for_anything_that_hypothesis_thinks_of(ana, path):
    ana.log_in()
    went: list[str] = []
    pieces = st.lists(st.sampled_from([*PIECES, "evil.example", "https:", "localhost:8501"]), min_size=1, max_size=7).map("".join)

    @settings(max_examples=300, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(pieces | st.text(max_size=30) | st.text("/\\.%@:?#\t\r\n 2f5cehost", max_size=20))
    def collect(text):
        answer = ana.visit(f"{ana.base}{path}{quote(text, safe='', errors='replace')}", site="cross-site")
        if answer.location:
            went.append(answer.location)

    collect()

    assert len(went) > 50
    assert _elsewhere(ana, went) == []
    assert [to for to in went if json.dumps(to)[1:-1] != to] == [], "no letter that a header or a browser reads otherwise"
