"""Tokens that are fresh when they are handed out: renewed once however many ask, never past the session, revoked at its end."""

import json
import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from datetime import timedelta

import httpx2
import pytest

from st_auth.client import Client
from st_auth.config import Allow
from st_auth.errors import LoginRequired, ProviderError, Unavailable
from st_auth.grants import STANDSTILL, Grants
from st_auth.http import Http
from st_auth.keyring import Keyring
from st_auth.live import HELD_AFTER, Live
from st_auth.secret import Secret
from st_auth.sessions import Ended, Limits, Session, Sessions
from st_auth.stores.memory import MemoryStore
from st_auth.stores.sqlite import SqliteStore
from st_auth.testing.fake_issuer import FakeIssuer
from st_auth.testing.store_contract import TurnedClock
from st_auth.vault import Vault
from tests.test_live import Ear

CALLBACK = "https://app.example/oauth2callback"
LIMITS = Limits(idle=timedelta(hours=4), absolute=timedelta(hours=12))
LIFETIME = 300


class Process:
    """One server process: a registry and grants of its own over a store that others may share."""

    def __init__(self, world, store, allow=Allow()):  # noqa: B008  # frozen, and empty
        self.world = world
        world.processes.append(self)
        clock = world.clock.clock
        self.client = Client(world.issuer.provider(), Http(world.issuer.transport, clock=clock), clock)
        self.sessions = Sessions(Vault(Keyring.from_secret(Secret("s" * 32)), store), LIMITS, clock)
        self.live = Live(LIMITS, clock)
        self.pauses = []
        self.grants = Grants(self.sessions, self.live, {"fake": self.client}, allow, clock, self.pause)
        self.on_pause = lambda: world.clock.advance(timedelta(seconds=0.1))

    def pause(self, seconds):
        self.pauses.append(seconds)
        self.on_pause()

    def log_in(self, person="ana"):
        url, pending = self.client.begin(CALLBACK, "/")
        login = self.client.finish(pending, self.world.issuer.authorize(url, person).partition("?")[2])
        cookie, stored = self.sessions.begin(login)
        return cookie, self.live.adopt(stored)

    def adopt(self, cookie):
        return self.live.adopt(self.sessions.resume(cookie))

    def close(self):
        self.grants.close()
        self.client.close()


class World:
    def __init__(self):
        self.clock = TurnedClock()
        self.issuer = FakeIssuer(serve=False, clock=self.clock.clock, redirect_uris=(CALLBACK,), lifetime=LIFETIME)
        self.store = MemoryStore(self.clock.clock)
        self.processes = []
        self.one = Process(self, self.store)

    def age(self, seconds=LIFETIME):
        self.clock.advance(timedelta(seconds=seconds))
        for process in self.processes:
            process.live.confirmed()

    def close(self):
        self.one.close()


@pytest.fixture
def world():
    with closing(World()) as world, world.issuer:
        yield world


@pytest.fixture
def one(world):
    return world.one


def answer_once(world, before):
    """Let the next token call do `before` while it is under way."""

    def answer(request):
        del world.issuer.answers["/token"]
        before()
        return world.issuer._token(request)

    world.issuer.answers["/token"] = answer


def required(call):
    with pytest.raises(LoginRequired) as caught:
        call()
    return caught.value.code


# -- fresh tokens --------------------------------------------------------------------------------------------------------------


def test_a_fresh_token_is_handed_out_without_asking_anybody(one, world):
    _, live = one.log_in()
    calls = world.issuer.token_calls

    first, second = one.grants.tokens(live), one.grants.tokens(live)

    assert first == second
    assert world.issuer._access[first.access_token.reveal()]["sub"] == "ana"
    assert world.issuer.token_calls == calls


def test_bcp13_f2_02_a_token_about_to_expire_is_renewed_and_each_refresh_token_is_used_once(one, world):
    _, live = one.log_in()
    seen = [one.grants.tokens(live)]

    for _ in range(5):
        world.age(LIFETIME * 0.95)
        seen.append(one.grants.tokens(live))

    assert len({tokens.access_token.reveal() for tokens in seen}) == 6
    assert len({tokens.refresh_token.reveal() for tokens in seen}) == 6
    assert world.issuer.refresh_count == 5
    assert all(tokens.is_fresh(world.clock.now()) for tokens in seen[-1:])
    assert live.stored.tokens is None


def test_a_token_of_thirty_seconds_is_not_renewed_at_each_call(one, world):
    world.issuer.lifetime = 30
    _, live = one.log_in()

    world.age(26)
    one.grants.tokens(live)
    assert world.issuer.refresh_count == 0
    world.age(2)
    one.grants.tokens(live)
    assert world.issuer.refresh_count == 1


def test_f2_15_a_token_of_unknown_lifetime_is_used_until_a_resource_refuses_it(one, world):
    world.issuer.tokens = {"expires_in": None}
    _, live = one.log_in()
    world.age(LIFETIME * 10)
    old = one.grants.tokens(live)
    assert world.issuer.refresh_count == 0

    new = one.grants.tokens(live, refused=old.access_token)

    assert new.access_token != old.access_token
    assert one.grants.tokens(live, refused=old.access_token) == new  # another one who was refused the old one gets what is there
    assert world.issuer.refresh_count == 1


def test_without_a_refresh_token_it_is_said_that_the_grant_is_over_and_the_session_goes_on(one, world):
    world.issuer.tokens = {"refresh_token": None}
    _, live = one.log_in()
    world.age()

    assert required(lambda: one.grants.tokens(live)) == "grant_expired"
    assert not live.ended
    assert isinstance(one.sessions.reread(live.stored), Session)


def test_a_provider_that_sends_no_new_refresh_token_keeps_the_old_one(one, world):
    _, live = one.log_in()
    before = one.grants.tokens(live)
    world.age()
    world.issuer.tokens = {"refresh_token": None, "id_token": None, "scope": None}

    after = one.grants.tokens(live)

    assert (after.refresh_token, after.id_token, after.scope) == (before.refresh_token, before.id_token, before.scope)


# -- one refresh ---------------------------------------------------------------------------------------------------------------


def test_fifty_threads_make_one_token_call(one, world):
    _, live = one.log_in()
    world.age()

    with ThreadPoolExecutor(50) as threads:
        got = {tokens.access_token.reveal() for tokens in threads.map(lambda _: one.grants.tokens(live), range(200))}

    assert len(got) == 1
    assert world.issuer.refresh_count == 1


def test_a33_processes_that_share_a_store_make_one_token_call(world, tmp_path):
    stores = [SqliteStore(tmp_path / "vault.db", world.clock.clock) for _ in range(4)]
    processes = [Process(world, store) for store in stores]
    waiting = threading.Event()
    for process in processes:
        process.on_pause = waiting.set
    cookie, live = processes[0].log_in()
    lives = [live, *(process.adopt(cookie) for process in processes[1:])]
    world.age()
    answer_once(world, lambda: waiting.wait(30) or pytest.fail("no other process waits"))

    with ThreadPoolExecutor(32) as threads:
        calls = [threads.submit(process.grants.tokens, live) for process, live in zip(processes, lives, strict=True) for _ in range(8)]
        got = {call.result().access_token.reveal() for call in calls}

    assert len(got) == 1
    assert world.issuer.refresh_count == 1
    assert waiting.is_set()
    for process, store in zip(processes, stores, strict=True):
        process.close()
        store.close()


def test_a_claim_that_stands_still_is_taken_over(one, world):
    _, live = one.log_in()
    world.age()
    assert one.sessions.claim(one.sessions.reread(live.stored), "of a process that died")

    one.grants.tokens(live)

    assert len(one.pauses) == pytest.approx(STANDSTILL / 0.1, abs=2)
    assert world.issuer.refresh_count == 1
    assert one.sessions.reread(live.stored).card.claim == ""


def test_a_touch_during_the_refresh_costs_neither_the_touch_nor_the_token(one, world):
    _, live = one.log_in()
    world.age()
    seen = world.clock.now()
    answer_once(world, lambda: one.sessions.touch(live.stored, seen))

    tokens = one.grants.tokens(live)

    stored = one.sessions.reread(live.stored)
    assert stored.tokens == tokens
    assert stored.card.last_seen_at == seen


def test_who_lost_the_claim_writes_nothing_and_takes_what_the_other_got(one, world):
    cookie, live = one.log_in()
    other = Process(world, world.store)
    theirs = other.adopt(cookie)
    world.age()

    def steal():
        stored = one.sessions.reread(live.stored)
        stolen = one.sessions.claim(stored, "another")
        got = replace(stored.tokens, access_token=Secret("theirs"), expires_at=world.clock.now() + timedelta(hours=1))
        one.sessions.settle(stolen, "another", lambda session: replace(session, tokens=got))

    answer_once(world, steal)

    assert one.grants.tokens(live).access_token == Secret("theirs")
    assert other.grants.tokens(theirs).access_token == Secret("theirs")
    assert world.issuer.revoked == []


def test_a33_rev02_what_is_logged_out_during_a_refresh_stays_logged_out_and_the_new_token_is_revoked(one, world):
    _, live = one.log_in()
    world.age()
    answer_once(world, lambda: one.sessions.end(live.stored, "logout"))

    assert required(lambda: one.grants.tokens(live)) == "session_ended"

    one.grants.close()
    assert isinstance(one.sessions.reread(live.stored), Ended)
    assert world.issuer._grants == {}
    assert len(world.issuer.revoked) == 1


# -- what may go wrong ---------------------------------------------------------------------------------------------------------


def test_bba04_a_grant_that_is_over_ends_the_session_with_that_reason(one, world):
    cookie, live = one.log_in()
    tab = Ear()
    one.live.join(live, tab)
    world.age()
    world.issuer.answers["/token"] = httpx2.Response(400, json={"error": "invalid_grant"})

    assert required(lambda: one.grants.tokens(live)) == "grant_expired"

    assert tab.left == ["grant_expired"]
    assert one.sessions.resume(cookie).why == "grant_expired"
    assert required(lambda: one.grants.tokens(live)) == "session_ended"


def test_a_provider_that_is_down_ends_nothing_and_is_left_alone_for_five_seconds(one, world):
    _, live = one.log_in()
    world.age()
    world.issuer.answers["/token"] = httpx2.Response(503)
    calls = world.issuer.token_calls
    for _ in range(3):
        with pytest.raises(Unavailable) as caught:
            one.grants.tokens(live)
        assert caught.value.code == "provider"
    assert world.issuer.token_calls == calls + 1
    assert not live.ended

    world.age(5)
    del world.issuer.answers["/token"]

    assert one.grants.tokens(live).is_fresh(world.clock.now())


def test_while_a_provider_is_down_a_token_that_is_still_valid_goes_on(one, world):
    _, live = one.log_in()
    before = one.grants.tokens(live)
    world.age(LIFETIME * 0.95)
    world.issuer.answers["/token"] = httpx2.Response(500)

    assert one.grants.tokens(live) == before


@pytest.mark.parametrize("answer", [{"error": "invalid_client"}, {"error": "server_error"}, {"access_token": 7}, {}, {"token_type": "mac"}])
def test_an_answer_that_makes_no_sense_is_an_error_and_ends_nothing(one, world, answer):
    _, live = one.log_in()
    world.age()
    world.issuer.answers["/token"] = httpx2.Response(400 if "error" in answer else 200, json=answer)

    with pytest.raises(ProviderError):
        one.grants.tokens(live)

    assert not live.ended
    stored = one.sessions.reread(live.stored)
    assert stored.card.claim == ""
    assert stored.tokens.refresh_token


@pytest.mark.parametrize("changed", [{"iss": "https://evil.example"}, {"sub": "bob"}, {"aud": "other"}, {"exp": 1}])
def test_rp28_rp29_a_refreshed_id_token_about_somebody_else_ends_the_session_and_its_tokens_are_not_kept(one, world, changed):
    cookie, live = one.log_in()
    world.age()
    world.issuer.claims = changed

    assert required(lambda: one.grants.tokens(live)) == "grant_expired"

    assert isinstance(one.sessions.resume(cookie), Ended)


def test_a_refreshed_id_token_that_somebody_else_signed_ends_the_session(one, world):
    cookie, live = one.log_in()
    world.age()
    world.issuer.tokens = lambda answer: {**answer, "id_token": answer["id_token"][:-6] + "AAAAAA"}

    assert required(lambda: one.grants.tokens(live)) == "grant_expired"
    assert isinstance(one.sessions.resume(cookie), Ended)


def test_rp16_userinfo_about_somebody_else_after_a_refresh_ends_the_session(one, world):
    cookie, live = one.log_in()
    world.age()
    world.issuer.userinfo = {"sub": "bob"}

    assert required(lambda: one.grants.tokens(live)) == "grant_expired"
    assert isinstance(one.sessions.resume(cookie), Ended)


def test_rp27_userinfo_is_asked_with_the_new_token_and_the_claims_follow(one, world):
    _, live = one.log_in()
    at_login = live.stored.claims_json
    world.age()
    world.issuer.people["ana"] = {**world.issuer.people["ana"], "groups": ["admins"]}

    tokens = one.grants.tokens(live)

    assert world.issuer.requests[-1].headers["Authorization"] == f"Bearer {tokens.access_token.reveal()}"
    assert json.loads(live.stored.claims_json)["groups"] == ["admins"]
    assert json.loads(live.stored.profile_json)["groups"] == ["admins"]
    assert one.sessions.reread(live.stored).claims_at_login == at_login  # what Streamlit was told stays as it was


def test_x25_a_refresh_never_makes_a_login_look_fresher_or_stronger(one, world):
    _, live = one.log_in()
    before = json.loads(live.stored.claims_json)
    world.age()
    world.issuer.claims = {"auth_time": int(world.clock.now().timestamp()), "acr": "gold", "amr": ["hwk"], "nonce": "another"}

    one.grants.tokens(live)

    after = json.loads(live.stored.claims_json)
    assert {name: after.get(name) for name in ("auth_time", "acr", "amr", "nonce")} == {
        name: before.get(name) for name in ("auth_time", "acr", "amr", "nonce")
    }
    assert after["exp"] > before["exp"]


def test_a_refresh_whose_keys_cannot_be_had_keeps_the_new_refresh_token_and_ends_nothing(one, world):
    _, live = one.log_in()
    world.age()
    world.issuer.rotate()
    world.issuer.answers["/jwks"] = httpx2.Response(503)
    with pytest.raises(Unavailable):
        one.grants.tokens(live)
    assert not live.ended

    world.age(60)
    del world.issuer.answers["/jwks"]

    assert one.grants.tokens(live).is_fresh(world.clock.now())
    assert world.issuer.refresh_count == 2
    assert world.issuer.violations == []  # no refresh token was used twice


def test_userinfo_that_is_down_changes_nothing(one, world):
    _, live = one.log_in()
    before = json.loads(live.stored.profile_json)
    world.age()
    world.issuer.answers["/userinfo"] = httpx2.Response(503)

    assert one.grants.tokens(live).is_fresh(world.clock.now())
    assert json.loads(live.stored.profile_json) == before


def test_who_may_log_in_is_judged_again_at_each_refresh(world):
    one = Process(world, world.store, Allow(groups=("analysts",)))
    cookie, live = one.log_in()
    world.age()
    world.issuer.people["ana"] = {**world.issuer.people["ana"], "groups": ["leavers"]}

    assert required(lambda: one.grants.tokens(live)) == "grant_expired"

    one.close()
    assert one.sessions.resume(cookie).why == "not_allowed"
    assert world.issuer._grants == {}


def test_a_store_that_is_silent_for_a_minute_gives_nobody_a_token(one, world):
    _, live = one.log_in()
    world.clock.advance(timedelta(seconds=HELD_AFTER + 1))

    with pytest.raises(Unavailable) as caught:
        one.grants.tokens(live)
    assert caught.value.code == "store"


def test_a_session_past_its_limits_gives_no_token(one, world):
    _, live = one.log_in()
    world.age(4 * 3600)

    assert required(lambda: one.grants.tokens(live)) == "session_ended"


def test_nothing_secret_is_logged(one, world, caplog):
    _, live = one.log_in()
    tokens = one.grants.tokens(live)
    world.age()
    world.issuer.answers["/token"] = lambda request: httpx2.Response(
        400, json={"error": "invalid_client", "error_description": request.content.decode()}
    )

    with caplog.at_level(logging.DEBUG), pytest.raises(ProviderError) as caught:
        one.grants.tokens(live)

    shown = caplog.text + repr(caught.value) + str(vars(caught.value))
    assert not any(token.reveal() in shown for token in (tokens.access_token, tokens.refresh_token, tokens.id_token))


# -- many people ---------------------------------------------------------------------------------------------------------------


def test_a16_thirty_people_at_once_get_their_own_tokens_only(world, one):
    people = {f"person-{n}": {"name": f"Person {n}"} for n in range(30)}
    world.issuer.people.update(people)
    lives = {person: one.log_in(person)[1] for person in people}

    def owner(person):
        return person, world.issuer._access[one.grants.tokens(lives[person]).access_token.reveal()]["sub"]

    for _ in range(3):
        world.age()
        with ThreadPoolExecutor(30) as threads:
            got = list(threads.map(owner, [person for person in people for _ in range(5)]))
        assert [pair for pair in got if pair[0] != pair[1]] == []
    assert world.issuer.refresh_count == 90


# -- the end -------------------------------------------------------------------------------------------------------------------


def test_rev01_rev03_an_end_revokes_the_refresh_token(one, world):
    _, live = one.log_in()
    tokens = one.grants.tokens(live)

    one.grants.end(live, "idle")
    one.grants.close()

    assert world.issuer.revoked == [tokens.refresh_token.reveal()]
    assert live.ended == "idle"


def test_without_a_refresh_token_the_access_token_is_revoked(one, world):
    world.issuer.tokens = {"refresh_token": None}
    _, live = one.log_in()
    tokens = one.grants.tokens(live)

    one.grants.end(live, "logout")
    one.grants.close()

    assert world.issuer.revoked == [tokens.access_token.reveal()]


@pytest.mark.parametrize(
    "answer", [httpx2.Response(400, json={"error": "unsupported_token_type"}), httpx2.Response(404), httpx2.Response(200, text="gone")]
)
def test_rev02_whatever_the_provider_answers_the_session_is_over(one, world, answer):
    cookie, live = one.log_in()
    world.issuer.answers["/revoke"] = answer

    one.grants.end(live, "logout")
    one.grants.close()

    assert isinstance(one.sessions.resume(cookie), Ended)
    assert world.issuer.calls["/revoke"] == 1


def test_rev01_a_provider_that_asks_for_time_is_asked_again_once(one, world):
    _, live = one.log_in()
    asked_again = threading.Event()

    def busy(_):
        if world.issuer.calls["/revoke"] == 2:
            asked_again.set()
        return httpx2.Response(503, headers={"Retry-After": "0"})

    world.issuer.answers["/revoke"] = busy
    one.grants.end(live, "logout")
    assert asked_again.wait(10)
    one.grants.close()

    assert world.issuer.calls["/revoke"] == 2


def test_a_provider_without_an_address_for_it_is_not_asked(one, world):
    world.issuer.metadata = {"revocation_endpoint": None}
    _, live = one.log_in()

    one.grants.end(live, "logout")
    one.grants.close()

    assert world.issuer.calls["/revoke"] == 0


def test_an_end_while_the_store_is_down_is_told_to_it_later(one, world):
    _, live = one.log_in()
    world.store.close()

    one.grants.end(live, "logout")

    assert live.ended == "logout"
    assert [why for _, why in one.live.unfinished.values()] == ["logout"]
