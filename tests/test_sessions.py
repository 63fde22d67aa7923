"""Sessions: who is logged in, until when, and that an end is an end."""

import base64
import json
import logging
import struct
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from threading import Barrier

import pytest
from hypothesis import given, settings, strategies as some
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule

from st_auth import session_record
from st_auth.keyring import Keyring
from st_auth.oauth.tokens import TokenSet
from st_auth.secret import OwnLogin, Secret
from st_auth.sessions import Ended, Limits, Session, Sessions, parse_cookie
from st_auth.stores.memory import MemoryStore
from st_auth.stores.sqlite import SqliteStore
from st_auth.testing.store_contract import TurnedClock
from st_auth.vault import Vault, encode_base64url

HOUR, MINUTE, SECOND = timedelta(hours=1), timedelta(minutes=1), timedelta(seconds=1)


TOKENS = TokenSet(
    Secret("access"), "Bearer", datetime.fromisoformat("2026-11-22T13:00:00.000001Z"), Secret("refresh"), Secret("id"), ("openid",)
)


@dataclass(frozen=True)
class Login:
    subject: str = "ada"
    provider: str = "okta"
    issuer: str = "https://acme.okta.com"
    claims: dict = field(default_factory=lambda: {"sub": "ada", "name": "Ada", "roles": ["a", {"b": 1}]})
    tokens: TokenSet | None = TOKENS
    name: str = "Ada Lovelace"
    email: str | None = "ada@acme.com"
    email_verified: bool = True
    groups: tuple[str, ...] = ("finance", "größe")
    sid: str | None = "sid-1"


def a_key(name, first):
    return f"{name}:{base64.b64encode(bytes(range(first, first + 32))).decode()}"


OLD, NEW = a_key("old", 0), a_key("new", 50)


@pytest.fixture
def clock():
    return TurnedClock()


@pytest.fixture
def store(clock):
    return MemoryStore(clock.clock)


@pytest.fixture
def sessions(store, clock):
    return over(store, clock)


def over(store, clock, *keys, **limits):
    return Sessions(Vault(Keyring.from_keys(list(keys or [OLD])), store), Limits(**limits), clock.clock)


def in_parallel(*acts):
    start = Barrier(len(acts))

    def act(one):
        start.wait()
        return one()

    with ThreadPoolExecutor(len(acts)) as pool:
        return list(pool.map(act, acts))


def test_a_session_is_resumed_as_it_began(sessions, clock):
    cookie, begun = sessions.begin(Login(), browser="Firefox", address="10.0.0.1")

    resumed = sessions.resume(cookie)

    assert resumed == begun
    assert resumed.card.started_at == resumed.card.last_seen_at == clock.now()
    assert (resumed.card.browser, resumed.card.address, resumed.card.name) == ("Firefox", "10.0.0.1", "Ada Lovelace")
    assert resumed.expires_at == clock.now() + 12 * HOUR
    assert resumed.tokens == Login().tokens
    assert json.loads(resumed.claims_json) == Login().claims
    assert json.loads(resumed.profile_json) == {
        "name": "Ada Lovelace",
        "email": "ada@acme.com",
        "email_verified": True,
        "groups": ["finance", "größe"],
        "sid": "sid-1",
    }


@pytest.mark.parametrize(
    "tokens",
    [None, TokenSet(Secret("é"), "DPoP", None, None, None, ()), TokenSet(Secret("a"), "Bearer", None, None, Secret("i"), ("a", "b"))],
)
def test_tokens_come_back_as_they_were_given(sessions, tokens):
    cookie, _ = sessions.begin(Login(tokens=tokens, sid=None, email=None))

    assert sessions.resume(cookie).tokens == tokens


@given(
    some.dictionaries(
        some.text(some.characters()),
        some.recursive(some.none() | some.booleans() | some.integers() | some.text(some.characters()), some.lists),
    ),
    some.text(some.characters()),
)
def test_claims_of_any_kind_come_back(claims, text):
    clock = TurnedClock()
    sessions = over(MemoryStore(clock.clock), clock)
    login = Login(claims=claims, name=text, subject=text, sid=text, groups=(text,))

    cookie, _ = sessions.begin(login)

    session = sessions.resume(cookie)
    assert json.loads(session.claims_json) == claims
    assert (session.card.name, session.card.subject, json.loads(session.profile_json)["groups"]) == (text, text, [text])


def test_a_cookie_is_one_and_43_letters_and_never_the_same(sessions):
    cookies = {sessions.begin(Login(subject=str(number)))[0].reveal() for number in range(50)}

    assert len(cookies) == 50
    assert {(len(cookie), cookie[0]) for cookie in cookies} == {(44, "1")}


def test_a_login_id_is_long_safe_in_a_url_and_new_at_every_login(sessions):
    ids = {sessions.begin(Login())[1].card.login_id for _ in range(20)}

    assert len(ids) == 20
    assert all(len(one) >= 22 and one.replace("-", "a").replace("_", "a").isalnum() for one in ids)


@pytest.mark.parametrize(
    "change",
    [
        lambda text: "",
        lambda text: "1",
        lambda text: "2" + text[1:],
        lambda text: text[1:],
        lambda text: text + "A",
        lambda text: text[:-1],
        lambda text: text + "=",
        lambda text: " " + text,
        lambda text: text[:-1] + ("B" if text[-1] == "A" else chr(ord(text[-1]) + 1)),
        lambda text: text.replace(text[5], "é"),
        lambda text: "1" + "+" * 43,
        lambda text: "1" + "A" * 100_000,
    ],
)
def test_a_cookie_spelled_otherwise_is_nobody(sessions, change):
    cookie, _ = sessions.begin(Login())

    assert sessions.resume(Secret(change(cookie.reveal()))) is None


@given(some.text(some.characters()))
def test_any_text_as_a_cookie_is_nobody_and_raises_nothing(text):
    clock = TurnedClock()

    assert over(MemoryStore(clock.clock), clock).resume(Secret(text)) is None


def test_a28_an_unknown_cookie_is_never_adopted(sessions, store):
    planted = Secret("1" + encode_base64url(bytes(32)))

    cookie, session = sessions.begin(Login(), replaces=planted)

    assert cookie != planted
    assert session.record_key != sessions._vault.record_key(parse_cookie(planted))
    assert sessions.resume(planted) is None
    assert len(store._records) == 1


@pytest.mark.parametrize(("subject", "why"), [("ada", "renewed"), ("somebody else", "replaced")])
def test_a20_a_login_ends_the_session_that_the_browser_had(sessions, subject, why):
    old, _ = sessions.begin(Login())

    new, session = sessions.begin(Login(subject=subject), replaces=old)

    ended = sessions.resume(old)
    assert (ended.why, ended.farewell) == (why, None)
    assert sessions.resume(new) == session


def test_garbage_in_place_of_the_old_cookie_does_not_stop_a_login(sessions):
    cookie, session = sessions.begin(Login(), replaces=Secret("garbage"))

    assert sessions.resume(cookie) == session


def test_a_person_keeps_the_newest_sessions_up_to_the_limit(store, clock):
    sessions = over(store, clock, max_per_user=3)
    others = [sessions.begin(Login(subject="bob"))[0] for _ in range(3)]
    cookies = []
    for _ in range(5):
        cookies.append(sessions.begin(Login())[0])
        clock.advance(MINUTE)

    answers = [sessions.resume(cookie) for cookie in cookies]

    assert [answer.why for answer in answers[:2]] == ["too_many", "too_many"]
    assert all(isinstance(answer, Session) for answer in answers[2:])
    assert all(isinstance(sessions.resume(cookie), Session) for cookie in others)


def test_a34_the_newest_session_survives_even_where_the_clock_went_back(store, clock):
    sessions = over(store, clock, max_per_user=1)
    first, _ = sessions.begin(Login())
    clock.jump(-HOUR)

    second, _ = sessions.begin(Login())

    assert sessions.resume(first).why == "too_many"
    assert isinstance(sessions.resume(second), Session)


def test_a_session_ends_when_nothing_was_done_for_the_idle_limit(sessions, clock):
    cookie, begun = sessions.begin(Login())
    clock.advance(4 * HOUR - SECOND)
    assert sessions.resume(cookie) == begun

    clock.advance(SECOND)

    assert sessions.resume(cookie).why == "idle"
    assert sessions.resume(cookie).card.login_id == begun.card.login_id


def test_an_idle_session_stays_ended_when_the_clock_goes_back(sessions, clock):
    cookie, _ = sessions.begin(Login())
    clock.jump(5 * HOUR)
    assert sessions.resume(cookie).why == "idle"

    clock.jump(-5 * HOUR)

    assert sessions.resume(cookie).why == "idle"


def test_touches_keep_a_session_until_the_absolute_limit(sessions, clock):
    cookie, session = sessions.begin(Login())
    for _ in range(11):
        clock.advance(HOUR)
        session = sessions.touch(session, clock.now())
    assert sessions.resume(cookie) == session

    clock.advance(HOUR)

    assert sessions.touch(session, clock.now()) is None
    assert sessions.resume(cookie) is None


def test_the_absolute_limit_is_known_by_its_name_where_the_store_is_behind(clock):
    behind = TurnedClock(clock.now() - MINUTE)
    sessions = over(MemoryStore(behind.clock), clock)
    cookie, _ = sessions.begin(Login())

    clock.advance(12 * HOUR)
    behind.advance(12 * HOUR)

    assert sessions.resume(cookie).why == "absolute"


def test_a34_a_clock_an_hour_ahead_or_behind_ends_nothing_early(sessions, clock):
    cookie, session = sessions.begin(Login())

    for jump in (HOUR, -2 * HOUR, HOUR):
        clock.jump(jump)
        session = sessions.touch(session, clock.now())
        assert sessions.resume(cookie) == session

    assert session.card.last_seen_at == clock.now() + HOUR


def test_a34_a_touch_never_moves_the_time_back(sessions, clock):
    cookie, session = sessions.begin(Login())
    touched = sessions.touch(session, clock.now() + 10 * MINUTE)

    again = sessions.touch(touched, clock.now() + 5 * MINUTE)

    assert again == touched == sessions.resume(cookie)
    assert again.version == 2


def test_a_touch_that_is_written_late_counts_from_when_it_was_seen(sessions, clock):
    _, session = sessions.begin(Login())
    clock.advance(4 * HOUR + MINUTE)

    touched = sessions.touch(session, clock.now() - 2 * MINUTE)

    assert touched.card.last_seen_at == clock.now() - 2 * MINUTE
    assert isinstance(sessions.reread(touched), Session)


def test_a_touch_past_the_idle_limit_ends_the_session(sessions, clock):
    cookie, session = sessions.begin(Login())
    clock.advance(4 * HOUR)

    assert sessions.touch(session, clock.now()) is None
    assert sessions.resume(cookie).why == "idle"


def test_a_touch_of_an_old_copy_gives_the_session_as_it_is_now(sessions, clock):
    _, session = sessions.begin(Login())
    sessions.touch(session, clock.now() + MINUTE)

    again = sessions.touch(session, clock.now() + 2 * MINUTE)

    assert (again.version, again.card.last_seen_at) == (3, clock.now() + 2 * MINUTE)


def test_touches_are_worth_a_write_once_a_minute_or_four_times_in_a_short_limit():
    assert Limits().touch_every == MINUTE
    assert Limits(idle=2 * MINUTE).touch_every == 30 * SECOND


def test_an_ended_session_tells_why_and_keeps_a_minute_what_a_logout_needs(sessions, clock):
    cookie, session = sessions.begin(Login())

    assert sessions.end(session, "logout")

    ended = sessions.resume(cookie)
    assert (ended.why, ended.card.login_id) == ("logout", session.card.login_id)
    assert ended.farewell == {"provider": "okta", "id_token": Secret("id"), "logout_hint": "ada@acme.com"}
    assert sessions.reread(session) == ended
    clock.advance(MINUTE)
    assert sessions.resume(cookie) is None


@pytest.mark.parametrize(
    ("login", "farewell"),
    [
        (Login(claims={"login_hint": "opaque"}), {"provider": "okta", "id_token": Secret("id"), "logout_hint": "opaque"}),
        (Login(tokens=None, email=None), {"provider": "okta", "id_token": None, "logout_hint": ""}),
        (Login(tokens=replace(Login().tokens, id_token=None)), {"provider": "okta", "id_token": None, "logout_hint": "ada@acme.com"}),
    ],
)
def test_a_farewell_holds_what_there_is(sessions, login, farewell):
    cookie, session = sessions.begin(login)

    sessions.end(session, "logout")

    assert sessions.resume(cookie).farewell == farewell


def with_logins(sessions, *logins):
    cookie, session = sessions.begin(Login())
    return cookie, sessions.change(session, lambda one: replace(one, logins=logins))


OWN = OwnLogin("erp", "postgresql://db.acme.com/erp", "ada", Secret("only ada's: ü"))


@given(some.lists(some.tuples(*[some.text(some.characters())] * 3, some.text()), max_size=3))
def test_logins_to_databases_come_back_as_they_were_given(fields):
    clock = TurnedClock()
    sessions = over(MemoryStore(clock.clock), clock)
    logins = tuple(OwnLogin(connection, address, user, Secret(password)) for connection, address, user, password in fields)

    cookie, changed = with_logins(sessions, *logins)

    assert sessions.resume(cookie).logins == changed.logins == logins


def test_logins_to_databases_stay_through_touches_claims_and_a_step_up(sessions, clock):
    cookie, session = with_logins(sessions, OWN)
    clock.advance(MINUTE)
    sessions.touch(session, clock.now())
    sessions.settle(sessions.claim(sessions.resume(cookie), "c"), "c", lambda one: one)

    cookie, begun = sessions.step_up(sessions.resume(cookie), Login())

    assert sessions.resume(cookie).logins == begun.logins == (OWN,)


def test_an_end_leaves_nothing_of_a_login_to_a_database(sessions, store):
    cookie, session = with_logins(sessions, OWN)

    ended = sessions.end(session, "logout")

    assert ended.was.logins == (OWN,)
    assert set(sessions.resume(cookie).farewell) == {"provider", "id_token", "logout_hint"}
    assert OWN.password.reveal() not in repr(sessions.resume(cookie).farewell)
    assert not hasattr(sessions.resume(cookie), "logins")


def test_a_record_from_before_there_were_logins_to_databases_opens(sessions, store):
    """Its body ends with the ninth part; a body of today without any is the same."""
    cookie, session = sessions.begin(Login())
    vault = sessions._vault
    locked = session_record._locked(store.get(session.record_key))
    body = vault.open_with_cookie(
        locked, purpose="session", record_key=session.record_key, expires_at=session.expires_at, cookie_key=session.cookie_key
    )

    assert len(body) == 36 + sum(struct.unpack_from(">9I", body))
    assert sessions.resume(cookie).logins == ()


def test_a_process_keeps_no_login_to_a_database(sessions):
    _, session = with_logins(sessions, OWN)

    assert session.without_tokens().logins == ()
    assert replace(session, tokens=None, links=(), tags=()).without_tokens().logins == ()
    assert "only ada" not in repr(session)


def test_a_session_ends_once(sessions):
    cookie, session = sessions.begin(Login())

    assert [bool(sessions.end(session, "logout")), bool(sessions.end(session, "again"))] == [True, False]
    assert sessions.end_by_key(session.record_key, "again") is None
    assert sessions.touch(session, session.expires_at - SECOND) is None
    assert sessions.resume(cookie).why == "logout"


def test_an_operator_ends_a_session_without_its_cookie_and_without_a_farewell(sessions, clock):
    cookie, session = sessions.begin(Login())

    card = sessions.end_by_key(session.record_key, "operator")

    assert (card.login_id, card.ended) == (session.card.login_id, "operator")
    clock.advance(11 * HOUR)
    assert sessions.resume(cookie) == Ended("operator", card, None)
    assert sessions.end_by_key("no such key", "operator") is None


def test_what_was_deleted_is_never_created_again(sessions, store, clock):
    cookie, session = sessions.begin(Login())
    store.delete(session.record_key)

    assert sessions.touch(session, clock.now() + MINUTE) is None
    assert not sessions.end(session, "logout")
    assert sessions.reread(session) is None
    assert sessions.resume(cookie) is None
    assert store._records == {}


def test_a_person_sees_their_living_sessions_oldest_first_and_no_others(sessions, clock):
    keys = []
    for subject, sid in [("ada", "1"), ("bob", "2"), ("ada", None), ("ada", "1")]:
        keys.append(sessions.begin(Login(subject=subject, sid=sid))[1].record_key)
        clock.advance(MINUTE)
    sessions.begin(Login(issuer="https://other"))

    assert [key for key, _ in sessions.of_person("https://acme.okta.com", "ada")] == [keys[0], keys[2], keys[3]]
    assert [key for key, _ in sessions.of_sid("https://acme.okta.com", "1")] == [keys[0], keys[3]]
    assert {card.subject for _, card in sessions.of_person("https://acme.okta.com", "bob")} == {"bob"}
    sessions.end_by_key(keys[0], "operator")
    assert [key for key, _ in sessions.of_person("https://acme.okta.com", "ada")] == [keys[2], keys[3]]
    clock.advance(4 * HOUR)
    assert sessions.of_person("https://acme.okta.com", "ada") == []


def test_a_row_with_somebody_elses_tag_is_not_theirs(sessions, store):
    _, bob = sessions.begin(Login(subject="bob"))
    tags = sessions._tags(replace(bob, card=replace(bob.card, subject="ada")))
    store.put(bob.record_key, replace(store.get(bob.record_key), tags=tags), expect=1)

    assert sessions.of_person("https://acme.okta.com", "ada") == []


def test_a_tag_that_names_what_is_gone_is_fine(sessions, clock, store):
    _, session = sessions.begin(Login())
    record = store.get(session.record_key)
    store.put("gone", replace(record, value=b"not ours"), expect=0)

    assert [key for key, _ in sessions.of_person("https://acme.okta.com", "ada")] == [session.record_key]


def test_versions_tell_what_moved_and_what_is_gone(sessions, store, clock):
    _, still = sessions.begin(Login())
    _, moved = sessions.begin(Login())
    _, gone = sessions.begin(Login())
    sessions.touch(moved, clock.now() + MINUTE)
    store.delete(gone.record_key)

    assert sessions.versions([still.record_key, moved.record_key, gone.record_key]) == {still.record_key: 1, moved.record_key: 2}


def test_a_body_from_another_row_does_not_open(sessions, store):
    cookie, ada = sessions.begin(Login())
    _, bob = sessions.begin(Login(subject="bob"))
    mine, theirs = store.get(ada.record_key), store.get(bob.record_key)
    end = 5 + int.from_bytes(mine.value[1:5], "big")

    store.put(ada.record_key, replace(mine, value=mine.value[:end] + theirs.value[end:]), expect=1)
    assert sessions.resume(cookie) is None
    assert sessions.touch(ada, ada.card.started_at + MINUTE) is None
    store.put(ada.record_key, replace(mine, value=theirs.value), expect=2)
    assert sessions.resume(cookie) is None


@pytest.mark.parametrize("end", [False, True])
def test_a_row_that_claims_to_be_of_the_other_kind_is_nobody(sessions, store, end):
    cookie, session = sessions.begin(Login())
    version = 1 + bool(end and sessions.end(session, "logout"))
    record = store.get(session.record_key)

    store.put(session.record_key, replace(record, value=bytes([3 - record.value[0]]) + record.value[1:]), expect=version)

    assert sessions.resume(cookie) is None


def test_no_flipped_bit_in_a_row_shows_another_session(sessions, store):
    cookie, session = sessions.begin(Login())
    record = store.get(session.record_key)

    for bit in range(0, len(record.value) * 8, 3):
        flipped = bytearray(record.value)
        flipped[bit // 8] ^= 1 << bit % 8
        store.delete(session.record_key)
        store.put(session.record_key, replace(record, value=bytes(flipped)), expect=0)
        assert sessions.resume(cookie) in (None, session)


def test_a_session_whose_body_does_not_open_still_ends_and_leaves_no_farewell(sessions, store):
    cookie, session = sessions.begin(Login())
    record = store.get(session.record_key)
    store.put(session.record_key, replace(record, value=record.value[:-1]), expect=1)

    assert sessions.end(session, "logout")

    assert sessions.resume(cookie) == Ended("logout", replace(session.card, ended="logout"), None)


def test_ending_what_cannot_be_read_removes_it(sessions, store, clock):
    _, session = sessions.begin(Login())
    stranger = over(store, clock, NEW)

    assert not stranger.end(session, "logout")

    assert store._records == {}


def test_a_session_survives_a_restart(tmp_path, clock):
    store = SqliteStore(tmp_path / "vault.db", clock.clock)
    cookie, session = over(store, clock).begin(Login())
    store.close()

    again = SqliteStore(tmp_path / "vault.db", clock.clock)
    resumed = over(again, clock).resume(cookie)
    again.close()

    assert resumed == session


def test_a_session_survives_the_rotation_of_keys_and_the_next_write_seals_anew(store, clock):
    cookie, session = over(store, clock, OLD).begin(Login())
    rotating = over(store, clock, NEW, OLD)

    resumed = rotating.resume(cookie)
    assert (resumed.card, resumed.tokens) == (session.card, session.tokens)
    assert [key for key, _ in rotating.of_person("https://acme.okta.com", "ada")] == [session.record_key]
    touched = rotating.touch(resumed, clock.now() + MINUTE)

    rotated = over(store, clock, NEW)
    assert rotated.resume(cookie).tokens == session.tokens
    assert [key for key, _ in rotated.of_sid("https://acme.okta.com", "sid-1")] == [session.record_key]
    assert rotating.reread(touched) == touched
    assert over(store, clock, OLD).resume(cookie) is None


def test_processes_in_the_middle_of_a_rotation_read_what_the_others_wrote(store, clock):
    ahead, behind = over(store, clock, NEW, OLD), over(store, clock, OLD, NEW)
    cookie, _ = ahead.begin(Login())

    one, two = ahead.resume(cookie), behind.resume(cookie)
    for step in range(1, 5):
        one = ahead.touch(one, clock.now() + 2 * step * MINUTE)
        two = behind.touch(two, clock.now() + (2 * step + 1) * MINUTE)

    assert ahead.reread(one).tokens == behind.reread(two).tokens == Login().tokens
    assert ahead.end(one, "logout")
    assert behind.reread(two).farewell["id_token"] == Secret("id")


def test_logouts_among_touches_stay_logged_out(sessions, clock):
    for _ in range(20):
        cookie, session = sessions.begin(Login())
        touches = [lambda at=n, one=session: sessions.touch(one, clock.now() + at * SECOND) for n in range(1, 7)]

        *_, ended = in_parallel(*touches, lambda one=session: sessions.end(one, "logout"))

        assert ended
        assert sessions.resume(cookie).why == "logout"
        assert sessions.touch(session, clock.now() + HOUR) is None


def test_of_many_that_end_a_session_exactly_one_did(sessions):
    _, session = sessions.begin(Login())

    ended = in_parallel(*[lambda: sessions.end(session, "logout")] * 6, *[lambda: sessions.end_by_key(session.record_key, "operator")] * 2)

    assert sum(bool(one) for one in ended) == 1


class SlowStore(MemoryStore):
    """Lets somebody else act between our reading and our writing."""

    between = None

    def put(self, key, record, expect, **how):
        act, self.between = self.between, None
        if act:
            act()
        return super().put(key, record, expect, **how)


def test_a_touch_that_loses_a_race_is_done_again(clock):
    store = SlowStore(clock.clock)
    sessions = over(store, clock)
    cookie, session = sessions.begin(Login())
    store.between = lambda: sessions.touch(session, clock.now() + MINUTE)

    touched = sessions.touch(session, clock.now() + 2 * MINUTE)

    assert touched == sessions.resume(cookie)
    assert (touched.version, touched.card.last_seen_at) == (3, clock.now() + 2 * MINUTE)


def test_an_end_that_loses_a_race_against_a_touch_is_done_again(clock):
    store = SlowStore(clock.clock)
    sessions = over(store, clock)
    cookie, session = sessions.begin(Login())
    store.between = lambda: sessions.touch(session, clock.now() + MINUTE)

    assert sessions.end(session, "logout")

    assert sessions.resume(cookie).why == "logout"


def test_a_session_touched_while_it_was_being_found_idle_lives(clock):
    store = SlowStore(clock.clock)
    sessions = over(store, clock)
    cookie, session = sessions.begin(Login())
    clock.advance(4 * HOUR)
    store.between = lambda: sessions.touch(session, clock.now() - SECOND)

    assert isinstance(sessions.resume(cookie), Session)


def test_random_numbers_that_repeat_stop_everything(store, clock):
    vault = Vault(Keyring.from_keys([OLD]), store)
    sessions = Sessions(vault, Limits(), clock.clock, random=bytes)
    sessions.begin(Login())

    with pytest.raises(RuntimeError):
        sessions.begin(Login(subject="bob"))


def test_n3_of_many_people_at_once_nobody_gets_anything_of_another(tmp_path, clock):
    store = SqliteStore(tmp_path / "vault.db", clock.clock)
    sessions = over(store, clock)

    def person(number):
        canary = f"canary-{number}-"
        login = Login(
            subject=canary, claims={"c": canary}, name=canary, groups=(canary,), tokens=replace(Login().tokens, access_token=Secret(canary))
        )
        cookie, session = sessions.begin(login)
        for step in range(3):
            session = sessions.touch(session, clock.now() + step * SECOND)
        resumed = sessions.resume(cookie)
        seen = [resumed.tokens.access_token.reveal(), resumed.card.name, resumed.card.subject, json.loads(resumed.claims_json)["c"]]
        seen += [card.name for _, card in sessions.of_person(login.issuer, canary)]
        sessions.end(session, "logout")
        return set(seen) == {canary} and sessions.resume(cookie).card.name == canary

    with ThreadPoolExecutor(8) as pool:
        clean = list(pool.map(person, range(40)))
    store.close()

    assert clean == [True] * 40


def test_a_stolen_file_with_the_master_key_holds_no_token_cookie_or_claim(tmp_path, clock):
    store = SqliteStore(tmp_path / "vault.db", clock.clock)
    sessions = over(store, clock)
    canaries = [f"canary-{n}" for n in range(4)]
    tokens = TokenSet(Secret(canaries[0]), "Bearer", None, Secret(canaries[1]), Secret(canaries[2]), ())
    cookie, session = sessions.begin(Login(tokens=tokens, claims={"secret": canaries[3]}))
    sessions.end(sessions.touch(session, clock.now() + MINUTE), "logout")

    stolen = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    record = store.get(session.record_key)
    store.close()
    end = 5 + int.from_bytes(record.value[1:5], "big")
    place = {"record_key": session.record_key, "expires_at": record.expires_at}

    raw = parse_cookie(cookie).reveal()
    for secret in (*[one.encode() for one in canaries], cookie.reveal().encode(), raw, session.cookie_key.reveal(), b"ada", b"Lovelace"):
        assert secret not in stolen
    thief = Vault(Keyring.from_keys([OLD]), store)
    assert thief.open_without_cookie(record.value[5:end], purpose="card", **place)
    for purpose in ("session", "farewell", "card"):
        assert thief.open_without_cookie(record.value[end:], purpose=purpose, **place) is None


def test_logins_and_ends_are_audited_without_cookie_or_token(sessions, caplog):
    with caplog.at_level(logging.INFO, "st_auth.audit"):
        cookie, session = sessions.begin(Login())
        sessions.end(session, "logout")
        sessions.end(session, "logout")

    lines = [json.loads(record.getMessage()) for record in caplog.records]
    assert [(line["event"], line["login_id"], line.get("why")) for line in lines] == [
        ("login", session.card.login_id, None),
        ("session_ended", session.card.login_id, "logout"),
    ]
    assert not any(secret in caplog.text for secret in (cookie.reveal(), "refresh", "Ada Lovelace", "ada@acme.com", session.record_key))


def test_a_session_shows_no_secret(sessions):
    cookie, session = sessions.begin(Login())

    shown = repr(session)

    assert not any(secret in shown for secret in (cookie.reveal(), "'access'", "'refresh'", repr(session.cookie_key.reveal())))


class People(RuleBasedStateMachine):
    """Whatever people, operators and clocks do, a cookie gives its own session, exactly as long as the limits say, and never again."""

    cookies = Bundle("cookies")

    def __init__(self):
        super().__init__()
        self.clock = TurnedClock()
        store = MemoryStore(self.clock.clock)
        self.processes = [over(store, self.clock, OLD, NEW, max_per_user=3), over(store, self.clock, NEW, OLD, max_per_user=3)]
        self.known = {}

    @rule(target=cookies, process=some.integers(0, 1), subject=some.sampled_from(["ada", "bob"]))
    def begin(self, process, subject):
        self.clock.advance(SECOND)
        canary = f"token {len(self.known)}"
        tokens = replace(Login().tokens, access_token=Secret(canary))
        living = [one for one in self.known.values() if one["subject"] == subject and self.expected(one) == "living"]
        cookie, session = self.processes[process].begin(Login(subject=subject, tokens=tokens))
        for one in living[: max(0, len(living) - 2)]:
            one["ended"] = "too_many"
        text = cookie.reveal()
        assert text not in self.known
        now = self.clock.now()
        place = {"process": self.processes[process], "session": session, "until": session.expires_at, "gone_at": None}
        self.known[text] = {"subject": subject, "canary": canary, "seen": now, "ended": "", **place}
        return text

    @rule(cookie=cookies, process=some.integers(0, 1))
    def resume(self, cookie, process):
        one = self.known[cookie]
        expected = self.expected(one)
        answer = self.processes[process].resume(Secret(cookie))
        if expected == "living":
            assert answer.tokens.access_token.reveal() == one["canary"]
            assert (answer.card.subject, answer.card.login_id) == (one["subject"], one["session"].card.login_id)
            assert answer.card.last_seen_at == one["seen"]
        elif expected == "gone":
            assert answer is None
        else:
            assert answer.why == expected
            self.mark_ended(one, expected, by_cookie=False)

    @rule(cookie=cookies, seconds=some.integers(-100, 100))
    def touch(self, cookie, seconds):
        one, seen_at = self.known[cookie], self.clock.now() + seconds * SECOND
        answer = one["process"].touch(one["session"], seen_at)
        late = "absolute" if seen_at >= one["until"] else "idle" if seen_at - one["seen"] >= 4 * HOUR else ""
        assert (answer is not None) == (self.stored(one) == "living" and not late)
        if answer:
            one["seen"] = max(one["seen"], seen_at)
            assert answer.tokens.access_token.reveal() == one["canary"]
        elif self.stored(one) == "living":
            self.mark_ended(one, late, by_cookie=False)

    @rule(cookie=cookies)
    def logout(self, cookie):
        one = self.known[cookie]
        before = self.stored(one)
        assert bool(one["process"].end(one["session"], "logout")) == (before == "living")
        if before == "living":
            self.mark_ended(one, "logout", by_cookie=True)

    @rule(cookie=cookies, process=some.integers(0, 1))
    def operator(self, cookie, process):
        one = self.known[cookie]
        before = self.stored(one)
        card = self.processes[process].end_by_key(one["session"].record_key, "operator")
        assert (card is not None) == (before == "living")
        if card:
            self.mark_ended(one, "operator", by_cookie=False)

    @rule(minutes=some.integers(0, 300))
    def time_passes(self, minutes):
        self.clock.advance(minutes * MINUTE)

    @invariant()
    def nobody_is_listed_who_is_not_living(self):
        for subject in ("ada", "bob"):
            listed = {card.login_id for _, card in self.processes[0].of_person(Login.issuer, subject)}
            living = {o["session"].card.login_id for o in self.known.values() if o["subject"] == subject and self.expected(o) == "living"}
            assert listed == living

    def mark_ended(self, one, why, by_cookie):
        if not one["ended"]:
            one["ended"] = why
            one["gone_at"] = self.clock.now() + MINUTE if by_cookie else None

    def stored(self, one):
        """What the store holds, where nobody has looked at the limits since."""
        now = self.clock.now()
        if one["ended"]:
            return one["ended"] if now < (one["gone_at"] or one["until"]) else "gone"
        return "living" if now < one["until"] else "gone"

    def expected(self, one):
        stored = self.stored(one)
        return "idle" if stored == "living" and self.clock.now() - one["seen"] >= 4 * HOUR else stored


People.TestCase.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
TestPeople = People.TestCase
