"""The two-second round: who has ended here or elsewhere, who is warned, what is written down, and what the store is told later."""

import asyncio
import logging
from datetime import timedelta

import pytest

from st_auth.errors import Unavailable
from st_auth.web.watch import Watch
from tests.web.inprocess import Browser

HOUR, MINUTE, SECOND = timedelta(hours=1), timedelta(minutes=1), timedelta(seconds=1)


@pytest.fixture
def inside(browser):
    browser.log_in()
    return browser


def go_round(house):
    house.run(Watch(house.gate).go_round)


def test_a13_what_ended_elsewhere_ends_here_and_its_tabs_are_told(house, inside):
    tab = inside.socket()
    house.core.sessions.end_by_key(house.live[0].stored.record_key, "ended")

    go_round(house)
    tab.settle()

    assert tab.sent_to == ["/auth/ended?why=ended&next=%2F"]
    assert house.live == []


def test_a_record_that_is_gone_has_ended(house, inside):
    house.core.store.delete(house.live[0].stored.record_key)

    go_round(house)

    assert house.live == []


def test_a_session_that_moved_elsewhere_is_read_again(house, inside):
    (session,) = house.live
    house.clock.advance(HOUR)
    house.core.sessions.touch(session.stored, house.clock.now())

    go_round(house)

    assert session.stored.version == 2
    assert session.seconds_left(house.clock.clock.monotonic())[0] == 4 * 3600


@pytest.mark.parametrize(("span", "why"), [(4 * HOUR, "idle"), (12 * HOUR, "absolute")])
def test_a_limit_ends_the_session_here_and_in_the_store(house, inside, span, why):
    tab = inside.socket()
    session = house.live[0]
    house.clock.advance(span)
    if why == "absolute":
        session._idle_at = float("inf")

    go_round(house)
    tab.settle()

    assert tab.sent_to == [f"/auth/ended?why={why}&next=%2F"]
    assert house.core.live.unfinished == {}
    again = inside.visit("/auth/ended")
    assert house.live == []
    assert ("away for 4 hours" in again.body) == (why == "idle")


def test_two_minutes_before_the_end_each_tab_is_told_once(house, inside):
    tab = inside.socket()
    house.clock.advance(4 * HOUR - 2 * MINUTE - SECOND)
    go_round(house)
    tab.settle()
    assert tab.toasts == []

    house.clock.advance(SECOND)
    go_round(house)
    go_round(house)
    tab.settle()

    (toast,) = tab.toasts
    assert "logged out in 2 minutes" in toast
    assert "(/auth/stay)" in toast
    tab.close()


def test_the_absolute_end_is_told_without_a_way_to_stay(house, inside):
    tab = inside.socket()
    session = house.live[0]
    for _ in range(12):
        session.saw_person(house.clock.clock)
        house.clock.advance(HOUR if _ < 11 else 59 * MINUTE + 20 * SECOND)
    session.saw_person(house.clock.clock)

    go_round(house)
    tab.settle()

    (toast,) = tab.toasts
    assert "ends in 40 seconds" in toast
    assert "stay" not in toast.lower().replace("[stay", "")
    tab.close()


def test_who_has_no_tab_is_not_warned_for_nothing(house, inside):
    house.clock.advance(4 * HOUR - MINUTE)

    go_round(house)

    assert house.live == []  # forgotten here after five minutes without a tab; the store still has it
    assert inside.fetch("/x").status == 200


def test_when_people_were_last_seen_is_written_at_most_once_a_minute(house, inside):
    (session,) = house.live
    house.clock.advance(30 * SECOND)
    session.saw_person(house.clock.clock)
    go_round(house)
    assert session.stored.version == 1

    house.clock.advance(30 * SECOND)
    session.saw_person(house.clock.clock)
    go_round(house)
    go_round(house)

    assert session.stored.version == 2
    assert session.stored.card.last_seen_at == house.clock.now()


def test_a_touch_of_what_has_just_ended_ends_it_here(house, inside):
    (session,) = house.live
    watch = Watch(house.gate)
    house.clock.advance(MINUTE)
    session.saw_person(house.clock.clock)
    house.core.sessions.end_by_key(session.stored.record_key, "ended")

    house.run(watch._write_touches)

    assert session.ended == "ended"


def test_a33_while_the_store_is_down_nobody_is_ended_and_after_a_minute_all_are_held(house, inside):
    house.store_is_down()
    house.clock.advance(61 * SECOND)

    with pytest.raises(Unavailable):
        go_round(house)

    assert len(house.live) == 1
    assert house.core.live.is_held


def test_a_store_that_is_down_is_noticed_with_nobody_here(house):
    house.clock.advance(61 * SECOND)
    go_round(house)
    assert not house.core.live.is_held

    house.store_is_down()
    house.clock.advance(61 * SECOND)
    with pytest.raises(Unavailable):
        go_round(house)
    assert house.core.live.is_held


def test_what_the_store_could_not_be_told_it_is_told_later(house, inside):
    session = house.live[0]
    cookie = dict(inside.cookies)
    house.core.live.unfinished[session.stored.record_key] = (session.stored, "logout")
    house.core.live.end(session, "logout")

    go_round(house)

    assert house.core.live.unfinished == {}
    assert Browser(house, cookie).visit("/").location.startswith("/auth/ended?why=logout")


def test_many_sessions_are_asked_for_in_batches(house):
    people = {f"p{n}": {"name": f"P {n}"} for n in range(3)}
    house.issuer.people.update(people)
    for subject in people:
        Browser(house).log_in(subject)
    asked, versions = [], house.core.store.versions
    house.core.store.versions = lambda keys: asked.append(len(keys)) or versions(keys)

    go_round(house)

    assert asked == [3]
    assert len(house.live) == 3


def test_a_round_that_fails_is_logged_and_the_next_one_comes(build_house, caplog):
    caplog.set_level(logging.WARNING)
    house = build_house(st_auth={"idle_timeout": "1s"})
    failures = [RuntimeError("odd"), Unavailable("down", code="store")]
    confirmed, held = [], house.core.store.versions

    def versions(keys):
        if failures:
            raise failures.pop(0)
        confirmed.append(keys)
        return held(keys)

    house.core.store.versions = versions

    async def rounds():
        task = asyncio.create_task(Watch(house.gate).run())
        for _ in range(400):
            await asyncio.sleep(0.005)
            if confirmed:
                break
        task.cancel()

    house.run(rounds)

    assert confirmed
    assert "A round of the watch failed" in caplog.text
    assert "The store does not answer: down" in caplog.text
