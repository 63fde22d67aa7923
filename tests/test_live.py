"""This process's live sessions: limits by the monotonic clock, tabs that are sent away, and what other replicas wrote."""

import threading
from contextlib import nullcontext
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given, strategies as some

from st_auth.config import Allow
from st_auth.connections.pool import Pool
from st_auth.grants import Grants
from st_auth.keyring import Keyring
from st_auth.live import HELD_AFTER, Live, LiveSession
from st_auth.secret import Secret
from st_auth.sessions import Limits, Sessions
from st_auth.stores.memory import MemoryStore
from st_auth.testing import Somebody
from st_auth.testing.store_contract import TurnedClock
from st_auth.vault import Vault

HOUR, MINUTE, SECOND = timedelta(hours=1), timedelta(minutes=1), timedelta(seconds=1)
LIMITS = Limits(idle=4 * HOUR, absolute=12 * HOUR)


class Ear:
    """A tab that notes what it is told."""

    def __init__(self):
        self.left, self.said = [], []

    def leave(self, why):
        self.left.append(why)

    def say(self, text, seconds):
        self.said.append((text, seconds))


class Anywhere:
    """A place for tests that are not about places: everybody may use everything."""

    def __init__(self, *, shared=False):
        self.shared = shared

    def is_shared(self):
        return self.shared

    def require(self, login_id):
        pass

    def wait(self, text):
        return nullcontext()

    def refuse(self, denied):
        raise denied

    def ask_for_login(self, login_id, name, server):
        pass

    def bind(self, act):
        return act


class World:
    def __init__(self):
        self.clock = TurnedClock()
        store = MemoryStore(self.clock.clock)
        vault = Vault(Keyring.from_secret(Secret("s" * 32)), store)
        self.sessions = Sessions(vault, LIMITS, self.clock.clock)
        self.live = Live(LIMITS, self.clock.clock)
        self.grants = Grants(self.sessions, self.live, {}, Allow(), self.clock.clock)
        self.pool = Pool({}, self.grants, self.live)

    def begin(self, **fields) -> LiveSession:
        _, stored = self.sessions.begin(Somebody(**fields))
        return self.live.adopt(stored)

    @property
    def ticks(self):
        return self.clock.clock.monotonic()


@pytest.fixture
def world():
    return World()


@pytest.fixture
def session(world):
    return world.begin()


def test_a_new_session_is_live_and_found_both_ways(world, session):
    assert session.lapsed(world.ticks) == ""
    assert world.live.by_key(session.stored.record_key) is session
    assert world.live.by_login[session.login_id] is session
    assert world.live.known() == [session]


def test_the_registry_keeps_no_tokens(session):
    assert session.stored.tokens is None


def test_a_session_is_adopted_once(world, session):
    again = world.live.adopt(replace(session.stored))

    assert again is session


def test_the_idle_limit_ends_what_nobody_moved(world, session):
    world.clock.advance(4 * HOUR - SECOND)
    assert session.lapsed(world.ticks) == ""

    world.clock.advance(SECOND)

    assert session.lapsed(world.ticks) == "idle"
    assert world.live.by_key(session.stored.record_key) is None


def test_a_person_who_does_something_starts_the_idle_clock_again(world, session):
    world.clock.advance(3 * HOUR)
    session.saw_person(world.clock.clock)
    world.clock.advance(3 * HOUR)

    assert session.lapsed(world.ticks) == ""
    assert session.idle_expires_at() == world.clock.now() + HOUR


def test_the_absolute_limit_ends_even_a_busy_session(world, session):
    for _ in range(12):
        world.clock.advance(HOUR)
        session.saw_person(world.clock.clock)

    assert session.lapsed(world.ticks) == "absolute"
    assert session.seconds_left(world.ticks) == (0.0, "absolute")


def test_seconds_left_name_the_limit_that_comes_first(world, session):
    assert session.seconds_left(world.ticks) == (4 * 3600, "idle")


@pytest.mark.parametrize("jump", [HOUR, -HOUR, 5 * HOUR, -5 * HOUR])
def test_a34_a_wall_clock_that_jumps_neither_ends_nor_prolongs_a_session(world, session, jump):
    world.clock.jump(jump)
    assert session.lapsed(world.ticks) == ""

    world.clock.advance(4 * HOUR - SECOND)
    assert session.lapsed(world.ticks) == ""

    world.clock.advance(SECOND)
    assert session.lapsed(world.ticks) == "idle"


@pytest.mark.parametrize("jump", [HOUR, -HOUR])
def test_a34_the_absolute_limit_stands_by_the_monotonic_clock(world, session, jump):
    world.clock.advance(6 * HOUR)
    world.clock.jump(jump)
    for _ in range(6):
        session.saw_person(world.clock.clock)
        world.clock.advance(HOUR)

    assert session.lapsed(world.ticks) == "absolute"


def test_a34_the_time_last_seen_never_moves_back(world, session):
    world.clock.advance(10 * MINUTE)
    session.saw_person(world.clock.clock)
    before = session.unwritten(MINUTE)

    world.clock.jump(-HOUR)
    world.clock.advance(MINUTE)
    session.saw_person(world.clock.clock)

    assert session.unwritten(MINUTE) == before
    assert session.lapsed(world.ticks) == ""


def test_a34_a_replica_whose_clock_is_ahead_does_not_push_the_idle_limit_beyond_now(world, session):
    world.clock.advance(HOUR)
    card = replace(session.stored.card, last_seen_at=world.clock.now() + 3 * HOUR)

    session.wrote(replace(session.stored, version=2, card=card), world.ticks)

    assert session.seconds_left(world.ticks) == (4 * 3600, "idle")


@given(jumps=some.lists(some.integers(-5400, 5400), max_size=6), steps=some.lists(some.integers(1, 3600), min_size=6, max_size=6))
def test_a34_however_the_wall_clock_jumps_the_limits_follow_the_monotonic_one(jumps, steps):
    world = World()
    session = world.begin()
    began = seen = world.ticks
    for number, step in enumerate(steps):
        world.clock.advance(timedelta(seconds=step))
        world.clock.jump(timedelta(seconds=jumps[number] if number < len(jumps) else 0))
        expected = "absolute" if world.ticks - began >= 43200 else "idle" if world.ticks - seen >= 14400 else ""
        assert session.lapsed(world.ticks) == expected
        assert (world.ticks >= session.over_at) == bool(expected)
        if number % 2:
            session.saw_person(world.clock.clock)
            seen = world.ticks


def test_a_session_that_was_idle_elsewhere_keeps_its_idle_time(world):
    _, stored = world.sessions.begin(Somebody())
    world.clock.advance(3 * HOUR)

    session = world.live.adopt(stored)

    assert session.seconds_left(world.ticks) == (3600, "idle")


def test_another_replica_that_saw_the_person_later_prolongs_here_too(world, session):
    session.noticed = True
    world.clock.advance(3 * HOUR)
    touched = world.sessions.touch(session.stored, world.clock.now() - MINUTE)

    session.wrote(touched, world.ticks)

    assert session.seconds_left(world.ticks) == (4 * 3600 - 60, "idle")
    assert not session.noticed
    assert session.stored.version == 2


def test_an_older_version_never_replaces_a_newer_one(world, session):
    newer = world.sessions.touch(session.stored, world.clock.now() + SECOND)
    old = session.stored
    session.wrote(newer, world.ticks)

    session.wrote(old, world.ticks)

    assert session.stored.version == newer.version


def test_what_was_seen_is_worth_writing_once_a_minute(world, session):
    world.clock.advance(59 * SECOND)
    session.saw_person(world.clock.clock)
    assert session.unwritten(MINUTE) is None

    world.clock.advance(SECOND)
    session.saw_person(world.clock.clock)
    seen = session.unwritten(MINUTE)

    assert seen == world.clock.now()
    session.wrote(world.sessions.touch(session.stored, seen), world.ticks)
    assert session.unwritten(MINUTE) is None


def test_two_acts_in_the_same_moment_are_one(world, session):
    session.noticed = True

    session.saw_person(world.clock.clock)

    assert session.noticed


def test_an_end_is_told_to_each_tab_once(world, session):
    one, two, mine = Ear(), Ear(), Ear()
    for ear in (one, two, mine):
        assert world.live.join(session, ear)

    world.live.end(session, "logout", keep=mine)
    world.live.end(session, "idle")

    assert (one.left, two.left, mine.left) == (["logout"], ["logout"], [])
    assert session.ended == session.lapsed(world.ticks) == "logout"
    assert world.live.known() == []
    assert session.login_id not in world.live.by_login


def test_no_tab_joins_a_session_that_has_ended(world, session):
    world.live.end(session, "logout")

    assert not world.live.join(session, Ear())
    assert session.sockets == ()


def test_a13_of_many_threads_that_join_and_end_no_tab_is_left_behind(world):
    for _ in range(30):
        session = world.begin()
        ears = [Ear() for _ in range(8)]
        joined = []
        threads = [threading.Thread(target=lambda ear=ear, s=session, j=joined: j.append((ear, world.live.join(s, ear)))) for ear in ears]
        threads.insert(4, threading.Thread(target=world.live.end, args=(session, "logout")))
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert all(ear.left == (["logout"] if was_let_in else []) for ear, was_let_in in joined)


def test_a_tab_that_closed_is_not_told_any_more(world, session):
    ear = Ear()
    world.live.join(session, ear)

    world.live.part(session, ear)
    world.live.end(session, "logout")

    assert ear.left == []


def test_a_session_without_tabs_is_forgotten_after_five_minutes(world, session):
    world.clock.advance(timedelta(seconds=300))
    world.live.evict()
    assert world.live.known() == [session]

    world.clock.advance(SECOND)
    world.live.evict()

    assert world.live.known() == []
    assert session.ended == "unwatched"  # nobody would tell it of its end any more: what still holds it may not use it


def test_a_session_with_a_tab_or_a_request_is_kept(world, session):
    other = world.begin(subject="bob")
    world.live.join(session, Ear())
    world.clock.advance(timedelta(seconds=200))
    world.live.by_key(other.stored.record_key)
    world.clock.advance(timedelta(seconds=200))

    world.live.evict()

    assert world.live.known() == [session, other]


def test_the_store_may_be_silent_for_a_minute(world):
    world.clock.advance(timedelta(seconds=HELD_AFTER))
    assert not world.live.is_held

    world.clock.advance(SECOND)
    assert world.live.is_held

    world.live.confirmed()
    assert not world.live.is_held


def test_a34_a_wall_clock_that_jumps_does_not_hold_anybody(world):
    world.clock.jump(HOUR)

    assert not world.live.is_held


def test_what_is_gone_and_what_moved_are_told_apart(world, session):
    moved, same = world.begin(subject="bob"), world.begin(subject="cy")
    keys = [s.stored.record_key for s in (session, moved, same)]

    gone, changed = world.live.gone([*keys, "unknown"], {keys[1]: 2, keys[2]: 1})

    assert (gone, changed) == ([session], [moved])


def test_a10_a_file_may_be_asked_for_only_by_whom_its_address_was_sent_to(world, session):
    other = world.begin(subject="bob")

    session.issue("/media/a.png")

    assert session.may_ask_for("/media/a.png")
    assert not session.may_ask_for("/media/b.png")
    assert not other.may_ask_for("/media/a.png")


def test_the_oldest_of_4096_addresses_is_forgotten_and_a_repeated_one_is_young_again(session):
    for number in range(4096):
        session.issue(f"/media/{number}.png")
    session.issue("/media/0.png")
    session.issue("/media/new.png")

    assert session.may_ask_for("/media/0.png")
    assert not session.may_ask_for("/media/1.png")
    assert session.may_ask_for("/media/new.png")
    assert len(session.issued) == 4096
