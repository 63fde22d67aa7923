"""Logouts that begin at the provider, as its server and its frames see them."""

import asyncio
import json
import logging
import threading
from datetime import timedelta
from urllib.parse import quote, urlencode, urlsplit

import httpx2
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from st_auth.errors import Unavailable
from st_auth.oauth.logout_token import EVENT
from st_auth.stores.memory import MemoryStore
from st_auth.testing import FakeIssuer
from st_auth.web.provider_logout import _LARGEST_BODY, _THREADS, _WAITING_AT_MOST
from st_auth.web.watch import Watch
from tests.web.inprocess import HTTPS, Browser, House

BACK, FRONT = "/auth/backchannel-logout", "/auth/frontchannel-logout"
ISSUER = "https://issuer.example"
FORM = "application/x-www-form-urlencoded"
SECTION = {"client_id": "app", "server_metadata_url": f"{ISSUER}/.well-known/openid-configuration", "client_secret": "s3cret/+ %&é"}
ENDED = ["/auth/ended?why=ended&next=%2F"]


def tell(house, token, *, path=BACK, **headers):
    """The provider's server sends a logout token: no cookie, no Origin, nothing of a browser."""
    body = token if isinstance(token, bytes) else urlencode({"logout_token": token}).encode()
    sent = {"content-type": FORM, **{name.replace("_", "-"): value for name, value in headers.items()}}
    return Browser(house).ask("POST", path, sent, body)


def frame(house, **parameters):
    """The provider's page opens the front-channel address in a frame: no cookie of ours comes along."""
    headers = {"sec-fetch-dest": "iframe", "sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}
    return Browser(house).ask("GET", f"{FRONT}?{urlencode(parameters)}", headers)


def refused_for(answer):
    """The parameter that a refusal names; it says so as the specification wants it."""
    said = json.loads(answer.body)
    assert (answer.status, said["error"]) == (400, "invalid_request")
    assert answer.header("content-type") == "application/json"
    assert answer.all("cache-control") == ["no-store"]
    return said["error_description"].partition("protocol: ")[2].partition(" ")[0]


def people(house):
    return sorted(session.stored.card.subject for session in house.live)


def log_in(house, person="ana", **login):
    browser = Browser(house)
    browser.log_in(person, **login)
    return browser


@pytest.fixture
def issuer(house):
    return house.issuer


@pytest.fixture
def lines(caplog):
    caplog.set_level(logging.INFO, "st_auth.audit")
    return lambda event: [line for line in map(json.loads, caplog.messages) if line["event"] == event]


# -- back channel: whose sessions end ------------------------------------------------------------------------------------------


def test_rp44_bcl10_the_session_that_the_token_names_is_over_before_the_answer_and_its_tabs_go(house, issuer):
    ana, bob = log_in(house), log_in(house, "bob")
    tabs, others = [ana.socket(), ana.socket()], bob.socket()
    cookie = ana.cookies[house.gate.names.session]
    key = next(s.stored.record_key for s in house.live if s.stored.card.subject == "ana")

    answer = tell(house, issuer.logout_token("ana"))
    for tab in (*tabs, others):
        tab.settle()

    assert (answer.status, answer.body) == (200, "")
    assert [tab.sent_to for tab in tabs] == [ENDED, ENDED]
    assert others.sent_to == []
    assert people(house) == ["bob"]
    assert bob.fetch("/_stcore/anything").status == 200
    assert house.core.sessions.end_by_key(key, "again") is None
    assert Browser(house, {house.gate.names.session: cookie}).visit("/").location.startswith("/auth/ended?why=ended")


def test_bcl10_the_tokens_of_the_session_are_gone_from_the_store(house, issuer):
    log_in(house)
    (session,) = house.live
    before = len(house.core.store.get(session.stored.record_key).value)

    tell(house, issuer.logout_token("ana"))

    assert len(house.core.store.get(session.stored.record_key).value) < before
    assert house.core.sessions.reread(session.stored).farewell is None


def test_rp44_without_a_sid_all_sessions_of_the_person_end_and_nobody_elses(house, issuer):
    laptop, phone, _ = log_in(house), log_in(house), log_in(house, "bob")
    tabs = [laptop.socket(), phone.socket()]

    assert tell(house, issuer.logout_token("ana", claims={"sid": None})).status == 200
    for tab in tabs:
        tab.settle()

    assert [tab.sent_to for tab in tabs] == [ENDED, ENDED]
    assert people(house) == ["bob"]


def test_rp44_with_a_sid_the_persons_other_sessions_stay(house, issuer):
    laptop = log_in(house).socket()
    sid = issuer.sids["ana"]
    phone = log_in(house).socket()

    assert tell(house, issuer.logout_token("ana", claims={"sid": sid})).status == 200
    laptop.settle(), phone.settle()

    assert (laptop.sent_to, phone.sent_to) == (ENDED, [])
    assert len(house.live) == 1


def test_a_sid_alone_is_enough(house, issuer):
    log_in(house)

    assert tell(house, issuer.logout_token("ana", claims={"sub": None})).status == 200
    assert house.live == []


def test_a_sid_of_one_person_with_the_name_of_another_ends_nobody(house, issuer):
    log_in(house), log_in(house, "bob")

    answer = tell(house, issuer.logout_token("bob", claims={"sid": issuer.sids["ana"]}))

    assert refused_for(answer) == "sub"
    assert people(house) == ["ana", "bob"]


def test_all_sessions_that_share_a_sid_end_together(house, issuer):
    issuer.claims = {"sid": "shared"}
    log_in(house), log_in(house)

    assert tell(house, issuer.logout_token("ana", claims={"sid": "shared"})).status == 200
    assert house.live == []


def test_a_session_of_another_provider_with_the_same_sid_and_subject_stays(build_house):
    with FakeIssuer(serve=False) as other:
        other.issuer = "https://other.example"
        sections = {"okta": SECTION, "other": {**SECTION, "server_metadata_url": other.metadata_url}}
        house = build_house(providers=sections, issuers={"other": other})
        house.issuer.claims = other.claims = {"sid": "shared"}
        here, there = log_in(house), Browser(house)
        callback = urlsplit(other.authorize(there.go_to_provider(provider="other").location, "ana"))
        there.visit(f"{callback.path}?{callback.query}", site="cross-site")
        assert len(house.live) == 2

        assert tell(house, house.issuer.logout_token("ana", claims={"sid": "shared"})).status == 200
        assert [session.stored.card.provider for session in house.live] == ["other"]
        assert tell(house, house.issuer.logout_token("ana", claims={"sid": None})).status == 200
        assert there.fetch("/_stcore/anything").status == 200
        assert here.fetch("/_stcore/anything").status == 401
        assert tell(house, other.logout_token("ana", claims={"sid": "shared"})).status == 200
        assert house.live == []


def test_of_two_clients_at_one_issuer_the_one_in_the_audience_judges(build_house):
    house = build_house(providers={"first": SECTION, "second": {**SECTION, "client_id": "app2"}})
    log_in(house, provider="first")

    assert refused_for(tell(house, house.issuer.logout_token("ana", claims={"aud": "app3"}))) == "aud"
    assert tell(house, house.issuer.logout_token("ana", claims={"aud": "app2"})).status == 200
    assert house.live == []


def test_two_sections_with_one_client_both_may_judge(build_house):
    section = {"client_id": "app", "client_secret": "x", "profile": "generic", "issuer": ISSUER}
    house = build_house(providers={"narrow": section, "wide": SECTION}, st_auth={"allow": "anyone"})
    log_in(house, provider="wide")
    house.issuer.answers["/.well-known/openid-configuration"] = httpx2.Response(404)  # so that the first one cannot judge

    assert tell(house, house.issuer.logout_token("ana")).status == 200
    assert house.live == []


def test_bcl11_a_session_that_nobody_has_is_over_already(house, issuer):
    log_in(house, "bob")

    assert tell(house, issuer.logout_token("ana", claims={"sid": "unknown"})).status == 200
    assert tell(house, issuer.logout_token("nobody", claims={"sid": None})).status == 200
    assert people(house) == ["bob"]


def test_after_it_the_provider_is_asked_to_ask_who_it_is(house, issuer):
    ana = log_in(house)
    tell(house, issuer.logout_token("ana"))

    ana.visit(ana.visit("/").location)

    assert "prompt=login" in ana.go_to_provider().location


def test_a_session_that_is_only_in_the_store_ends_too(house, issuer):
    ana = log_in(house)
    house.core.live.end(house.live[0], "forgotten by this process")
    house.core.live._over.clear()
    assert house.live == []

    assert tell(house, issuer.logout_token("ana")).status == 200
    assert ana.visit("/").location.startswith("/auth/ended?why=ended")


def test_bcl12_another_process_sends_its_tabs_away_at_its_next_round():
    store = MemoryStore()
    here, there = House(store=store), House(store=store)
    ana = log_in(here)
    tab = Browser(there, dict(ana.cookies)).socket()
    assert people(there) == ["ana"]

    assert tell(here, here.issuer.logout_token("ana")).status == 200
    there.run(Watch(there.gate).go_round)
    tab.settle()

    assert tab.sent_to == ENDED
    here.close(), there.close()


# -- back channel: what is refused ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("claims", "header", "parameter"),
    [
        pytest.param({}, {"alg": "none"}, "jwt", id="rp45_bcl02"),
        pytest.param({"events": None}, {}, "events", id="rp46_bcl07"),
        pytest.param({"nonce": "n0nce"}, {}, "nonce", id="rp47_bcl08"),
        pytest.param({"aud": "other"}, {}, "aud", id="rp49_bcl04"),
        pytest.param({"events": {f"{EVENT}x": {}}}, {}, "events", id="rp50_bcl07"),
        pytest.param({"iss": "https://other.example"}, {}, "iss", id="rp51_bcl03"),
        pytest.param({"iss": f"{ISSUER}/"}, {}, "iss", id="rp51, a slash more"),
        pytest.param({"exp": 1}, {}, "exp", id="bcl05"),
        pytest.param({"iat": 1}, {}, "iat", id="bcl05, old"),
        pytest.param({"sub": None, "sid": None}, {}, "sub", id="bcl06"),
        pytest.param({"jti": None}, {}, "jti", id="bcl09"),
        pytest.param({}, {"typ": "JWT"}, "typ", id="typ"),
        pytest.param({}, {"kid": "unknown"}, "signature", id="kid"),
    ],
)
def test_rp45_rp46_rp47_rp49_rp50_rp51_bcl11_a_bent_token_is_refused_and_every_session_stays(
    house, issuer, lines, claims, header, parameter
):
    tab = log_in(house).socket()

    answer = tell(house, issuer.logout_token("ana", claims=claims, header=header))
    tab.settle()

    assert refused_for(answer) == parameter
    assert tab.sent_to == []
    assert people(house) == ["ana"]
    (line,) = lines("provider_logout_refused")
    assert (line["code"], line["parameter"], line["address"]) == ("protocol_violation", parameter, "127.0.0.1")


def test_rp48_bcl02_another_algorithm_is_refused_and_the_session_stays(house, issuer):
    log_in(house)
    secret = issuer.client_secret.encode()

    assert refused_for(tell(house, issuer.logout_token("ana", header={"alg": "HS256"}, key=secret))) == "alg"
    issuer.rotate("ES256")  # an algorithm of our list, by a key that the provider does not show
    issuer.answers["/jwks"] = httpx2.Response(200, json={"keys": []})
    assert refused_for(tell(house, issuer.logout_token("ana"))) == "signature"
    assert people(house) == ["ana"]


def test_bcl02_a_token_that_was_changed_is_refused(house, issuer):
    log_in(house)
    head, _, signature = issuer.logout_token("bob").split(".")
    body = issuer.logout_token("ana").split(".")[1]

    assert refused_for(tell(house, f"{head}.{body}.{signature}")) == "signature"
    assert people(house) == ["ana"]


def test_bcl09_a_token_that_comes_again_is_refused_and_the_next_login_stays(house, issuer, lines):
    log_in(house)
    token = issuer.logout_token("ana", claims={"sid": None})
    assert tell(house, token).status == 200
    log_in(house)

    assert refused_for(tell(house, token)) == "jti"
    assert people(house) == ["ana"]
    house.advance(timedelta(minutes=3))
    assert refused_for(tell(house, token)) == "exp"
    assert tell(house, issuer.logout_token("ana", claims={"sid": None})).status == 200
    assert house.live == []


def test_bcl09_of_many_copies_at_once_one_is_taken(house, issuer):
    log_in(house)
    token = issuer.logout_token("ana")

    async def all_at_once():
        return await asyncio.gather(*(send(house, token) for _ in range(8)))

    assert sorted(house.run(all_at_once)) == [200] + [400] * 7


async def send(house, token):
    """One delivery inside of the house's loop; returns the status."""
    body, sent = urlencode({"logout_token": token}).encode(), []
    headers = {"host": urlsplit(house.config.origin).netloc, "content-type": FORM}
    scope = {**Browser(house)._scope("http", BACK, headers, ()), "method": "POST"}

    async def receive():
        return {"type": "http.request", "body": body}

    async def note(message):
        sent.append(message)

    await house.gate.http(scope, receive, note)
    return sent[0]["status"]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"logout_token=",
        b"logout_token",
        b"token=x",
        b"logout_token=a&logout_token=b",
        b"\xff\x00=%",
        b"logout_token=%zz",
        b"a=1&" * 60 + b"logout_token=x",
    ],
)
def test_bcl11_a_body_that_is_no_form_with_one_token_is_refused(house, body):
    assert refused_for(tell(house, body)) in ("logout_token", "jwt")


def test_bcl12_a29_a_body_of_more_than_32_kb_is_not_looked_at(house, issuer):
    log_in(house)
    token = issuer.logout_token("ana")
    room = _LARGEST_BODY - len(urlencode({"logout_token": token}))

    long = urlencode({"logout_token": token}).encode() + b"&x=" + b"y" * (room - 2)
    assert len(long) == _LARGEST_BODY + 1
    assert refused_for(tell(house, long)) == "logout_token"
    assert people(house) == ["ana"]
    assert tell(house, long[:-1]).status == 200


@pytest.mark.parametrize("kind", ["application/json", "text/plain", "", "multipart/form-data"])
def test_bcl11_only_a_form_is_read(house, issuer, kind):
    assert refused_for(tell(house, issuer.logout_token("ana"), content_type=kind)) == "content-type"
    assert tell(house, issuer.logout_token("ana"), content_type=f"{FORM}; charset=UTF-8").status == 200


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "OPTIONS"])
def test_bcl11_only_a_post_is_taken(house, method):
    answer = Browser(house).ask(method, BACK, {})

    assert (answer.status, answer.header("allow"), answer.header("cache-control")) == (405, "POST", "no-store")


def test_bcl11_every_answer_says_that_nobody_keeps_it(house, issuer):
    good = tell(house, issuer.logout_token("ana"))

    assert (good.status, good.all("cache-control"), good.all("set-cookie")) == (200, ["no-store"], [])
    assert tell(house, b"").all("cache-control") == ["no-store"]


@pytest.mark.parametrize("mode", ["before_app", "in_script"])
def test_bcl12_it_needs_no_cookie_and_no_origin_in_either_mode_and_below_a_base_path(build_house, mode):
    house = build_house(
        redirect_uri="https://sales.acme.com/app/oauth2callback", base_path="app", st_auth={"require_login": mode, "allow": "anyone"}
    )
    ana = Browser(house)
    ana.log_in()
    token = house.issuer.logout_token("ana")

    assert tell(house, token, path=f"/app{BACK}").status == 200
    assert house.live == []
    assert house.inner.scopes == []


def test_bcl12_a_cookie_or_an_origin_that_comes_along_changes_nothing(house, issuer):
    log_in(house, "ana"), (bob := log_in(house, "bob"))
    headers = {"content-type": FORM, "origin": "https://evil.example", "sec-fetch-site": "cross-site"}

    answer = bob.ask("POST", BACK, headers, urlencode({"logout_token": issuer.logout_token("ana")}).encode())

    assert answer.status == 200
    assert people(house) == ["bob"]


def test_a_provider_that_calls_another_host_than_the_public_one_is_told_so(build_house):
    house = build_house(redirect_uri=HTTPS)
    log_in(house)

    assert tell(house, house.issuer.logout_token("ana"), host="10.0.0.7:8501").status == 421
    assert people(house) == ["ana"]
    assert tell(house, house.issuer.logout_token("ana")).status == 200


def test_the_audit_log_says_which_provider_ended_what_and_holds_no_token(house, issuer, lines, caplog):
    log_in(house)
    sid = issuer.sids["ana"]
    token = issuer.logout_token("ana")

    tell(house, token)

    (line,) = lines("provider_logout")
    del line["at"]
    assert line == {"event": "provider_logout", "channel": "back", "provider": "okta", "issuer": ISSUER, "subject": "ana", "sessions": 1}
    assert lines("session_ended")[-1]["why"] == "ended"
    assert token not in caplog.text
    assert sid not in caplog.text


# -- back channel: what is out of reach, and floods ----------------------------------------------------------------------------


class FickleStore(MemoryStore):
    """A store that does not answer to some of its verbs for a while."""

    silent: tuple[str, ...] = ()

    def put(self, *arguments, **named):
        return self._unless_silent("put")(*arguments, **named)

    def find(self, *arguments):
        return self._unless_silent("find")(*arguments)

    def _unless_silent(self, verb):
        if verb in self.silent:
            raise Unavailable("The session store does not answer.", code="store")
        return getattr(super(), verb)


@pytest.mark.parametrize("verb", ["find", "put"])
def test_while_the_store_is_down_the_provider_may_send_the_same_token_again(build_house, verb):
    store = FickleStore()
    house = build_house(store=store)
    log_in(house)
    token = house.issuer.logout_token("ana")

    store.silent = (verb,)
    answer = tell(house, token)
    assert (answer.status, answer.header("retry-after"), answer.header("cache-control")) == (503, "5", "no-store")
    assert json.loads(answer.body)["error"] == "temporarily_unavailable"
    assert people(house) == ["ana"]

    store.silent = ()
    assert tell(house, token).status == 200
    assert house.live == []


def test_a_store_that_fails_on_the_way_is_told_later_and_the_tabs_go_now(build_house):
    class Failing(FickleStore):
        def get(self, key):
            if "get" in self.silent:
                raise Unavailable("The session store does not answer.", code="store")
            return super().get(key)

        def put(self, *arguments, **named):
            done = super().put(*arguments, **named)
            if self.armed:
                self.silent = ("get", "put")
            return done

        armed = False

    store = Failing()
    house = build_house(store=store)
    ana = log_in(house)
    tab = ana.socket()

    store.armed = True  # the token's id is written down, and nothing after it
    assert tell(house, house.issuer.logout_token("ana")).status == 503
    tab.settle()
    assert tab.sent_to == ENDED
    assert [why for _, why in house.core.live.unfinished.values()] == ["ended"]

    store.armed, store.silent = False, ()
    house.run(Watch(house.gate).go_round)
    assert house.core.live.unfinished == {}
    assert ana.visit("/").location.startswith("/auth/ended?why=ended")


def test_while_the_providers_keys_are_out_of_reach_it_may_try_again(house, issuer):
    log_in(house)
    issuer.answers["/jwks"] = httpx2.Response(503)
    house.core.clients["okta"]._keys._value = None
    token = issuer.logout_token("ana")

    assert tell(house, token).status == 503
    assert people(house) == ["ana"]

    issuer.answers.clear()
    house.advance(timedelta(seconds=6))
    assert tell(house, token).status == 200


def test_a29_junk_costs_no_signature_no_thread_and_no_request(house, issuer):
    log_in(house)
    before = sum(issuer.calls.values())
    head, body, _ = issuer.logout_token("ana").split(".")
    junk = ["x", "a.b.c", f"{head}.{body}.", f"{head}.x.y", issuer.logout_token("ana", claims={"iss": "https://evil.example"})]
    junk += [issuer.logout_token("ana", claims={"aud": "other"}), issuer.logout_token("ana", header={"alg": "none"})]
    house.gate._routes._provider_logout._threads = None  # whoever asks for a thread fails loudly

    assert {tell(house, text).status for text in junk} == {400}
    assert sum(issuer.calls.values()) == before


def test_a29_a_flood_of_unknown_keys_asks_the_provider_once_a_minute(house, issuer):
    log_in(house)
    before = issuer.jwks_calls

    for number in range(5):
        assert refused_for(tell(house, issuer.logout_token("ana", header={"kid": f"k{number}"}))) == "signature"

    assert issuer.jwks_calls == before + 1


def test_a29_with_many_waiting_the_next_one_is_told_to_come_back_and_logins_go_on(house, issuer):
    threads, door = house.gate._routes._provider_logout._threads, threading.Event()

    async def fill():
        calls = [asyncio.ensure_future(threads.run(door.wait)) for _ in range(_THREADS + _WAITING_AT_MOST)]
        for _ in range(5):
            await asyncio.sleep(0)
        return calls

    async def empty():
        door.set()
        await asyncio.gather(*calls)

    calls = house.run(fill)
    try:
        assert tell(house, issuer.logout_token("ana")).status == 503
        log_in(house)
    finally:
        house.run(empty)
    assert people(house) == ["ana"]
    assert tell(house, issuer.logout_token("ana")).status == 200


def test_a29_a_body_that_does_not_come_is_not_waited_for(house, monkeypatch):
    monkeypatch.setattr("st_auth.web.asgi._SLOWEST_FORM", 0.01)
    sent = []

    async def go():
        async def never():
            await asyncio.Event().wait()

        async def note(message):
            sent.append(message)

        headers = {"host": "localhost:8501", "content-type": FORM}
        await house.gate.http({**Browser(house)._scope("http", BACK, headers, ()), "method": "POST"}, never, note)

    house.run(go)
    assert sent[0]["status"] == 400


BENT = st.dictionaries(
    st.sampled_from(["iss", "aud", "exp", "iat", "jti", "events", "nonce", "sub", "sid", "azp"]),
    st.none() | st.integers() | st.text(max_size=5) | st.lists(st.text(max_size=3), max_size=2) | st.just({EVENT: {}}),
    min_size=1,
)


@given(st.binary(max_size=300) | st.text(max_size=80).map(lambda text: urlencode({"logout_token": text}).encode()))
@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_no_body_whatsoever_ends_a_session_or_breaks_anything(house, body):
    if not house.live:
        log_in(house)

    refused_for(tell(house, body))

    assert people(house) == ["ana"]


@given(BENT)
@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_no_claims_of_a_stranger_end_a_session_or_break_anything(house, claims):
    if not house.live:
        log_in(house)
    stranger = FakeIssuer(serve=False)
    stranger.rotate()
    token = stranger.logout_token("ana", claims=claims, header={"kid": house.issuer.keys[0].kid})

    refused_for(tell(house, token))

    assert people(house) == ["ana"]


# -- front channel -------------------------------------------------------------------------------------------------------------


def test_rp52_fcl01_the_providers_frame_ends_the_session_that_it_names_without_a_cookie(house, issuer, lines):
    ana, bob = log_in(house), log_in(house, "bob")
    tab, other = ana.socket(), bob.socket()

    answer = frame(house, iss=ISSUER, sid=issuer.sids["ana"])
    tab.settle(), other.settle()

    assert answer.status == 200
    assert (tab.sent_to, other.sent_to) == (ENDED, [])
    assert people(house) == ["bob"]
    (line,) = lines("provider_logout")
    assert (line["channel"], line["provider"], line["sessions"]) == ("front", "okta", 1)
    assert "sid" not in line


@pytest.mark.parametrize("parameters", [{}, {"iss": ISSUER}, {"sid": "…"}, {"iss": "", "sid": "…"}, {"iss": ISSUER, "sid": ""}])
def test_rp52_fcl01_without_issuer_or_session_nothing_ends(house, issuer, parameters):
    log_in(house)
    parameters = {name: issuer.sids["ana"] if value == "…" else value for name, value in parameters.items()}

    answer = frame(house, **parameters)

    assert answer.status == 400
    assert "That logout did not fit" in answer.body
    assert answer.header("cache-control") == "no-store"
    assert people(house) == ["ana"]


@pytest.mark.parametrize("iss", ["https://other.example", "http://issuer.example", f"{ISSUER}/x", "é", "issuer.example"])
def test_rp52_fcl01_another_issuer_ends_nothing(house, issuer, iss):
    log_in(house)

    assert frame(house, iss=iss, sid=issuer.sids["ana"]).status == 400
    assert people(house) == ["ana"]


def test_rp52_fcl01_a_session_that_is_another_one_stays_also_in_the_browser_that_asks(house, issuer):
    ana = log_in(house)
    url = f"{FRONT}?iss={quote(ISSUER, safe='')}&sid=unknown"

    answer = ana.visit(url, site="same-origin")

    assert answer.status == 200
    assert people(house) == ["ana"]
    assert frame(house, iss=f"{ISSUER}/", sid=issuer.sids["ana"]).status == 200  # our provider, but nobody's session is of that name
    assert people(house) == ["ana"]


def test_rp52_a_parameter_that_comes_twice_counts_for_nothing(house, issuer):
    log_in(house)

    answer = Browser(house).ask("GET", f"{FRONT}?iss={quote(ISSUER, safe='')}&sid={issuer.sids['ana']}&sid=x", {})

    assert answer.status == 400
    assert people(house) == ["ana"]


def test_rp53_fcl01_after_our_own_logout_the_frame_finds_nothing_and_says_200(house, issuer, lines):
    ana = log_in(house)
    sid = issuer.sids["ana"]
    assert ana.visit("/auth/logout", site="same-origin").location.startswith(f"{ISSUER}/logout")

    assert [frame(house, iss=ISSUER, sid=sid).status for _ in range(2)] == [200, 200]
    assert lines("provider_logout") == []
    assert tell(house, issuer.logout_token("ana", claims={"sid": sid})).status == 200


def test_fcl01_only_the_providers_pages_may_frame_the_empty_answer(house, issuer):
    log_in(house)

    answer = frame(house, iss=ISSUER, sid=issuer.sids["ana"])

    assert answer.header("content-security-policy").endswith(f"frame-ancestors {ISSUER}")
    assert answer.all("x-frame-options") == []
    assert answer.all("cache-control") == ["no-store"]
    assert answer.all("set-cookie") == []
    assert "<script" not in answer.body
    assert "frame-ancestors 'none'" in frame(house, iss="https://evil.example", sid="x").header("content-security-policy")


def test_fcl01_a_provider_that_logs_out_on_another_host_may_frame_it_from_there(house, issuer):
    issuer.metadata = {"end_session_endpoint": "https://logout.example:8443/bye"}
    log_in(house)

    policy = frame(house, iss=ISSUER, sid="x").header("content-security-policy")

    assert policy.endswith(f"frame-ancestors {ISSUER} https://logout.example:8443")


def test_fcl01_an_address_that_would_write_into_the_policy_stays_out_of_it(house, issuer):
    issuer.metadata = {"end_session_endpoint": "https://evil.example;script-src/bye"}
    log_in(house)

    assert frame(house, iss=ISSUER, sid="x").header("content-security-policy").endswith(f"frame-ancestors {ISSUER}")


def test_while_the_store_is_down_the_front_channel_says_so(house, issuer):
    log_in(house)
    house.store_is_down()

    assert frame(house, iss=ISSUER, sid=issuer.sids["ana"]).status == 503
    assert people(house) == ["ana"]
