"""A-34: the wall clock may jump; no login outlives its limits for that, none ends long before them, and attempts expire."""

from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, example, given, settings, strategies as st

from st_auth.live import LiveSession
from st_auth.vault import Vault
from st_auth.web.watch import Watch
from tests.web.inprocess import Browser, House, rerun


def _by_the_wall() -> None:
    """As nearly everybody does: an expiry as a date, compared with now."""
    clocks = {}
    init = LiveSession.__init__

    def remembering(self, stored, limits, clock):
        init(self, stored, limits, clock)
        clocks[id(self)] = clock

    def lapsed(self, _):
        now = clocks[id(self)].now()
        return self.ended or ("absolute" if now >= self.stored.expires_at else "idle" if now >= self.idle_expires_at() else "")

    LiveSession.__init__, LiveSession.lapsed = remembering, lapsed


def _attempts_for_ever() -> None:
    opened = Vault.open_attempt
    Vault.open_attempt = lambda self, sealed, *, now: opened(self, sealed, now=datetime.min.replace(tzinfo=UTC))


DISARM = {"A-34": _by_the_wall, "A-34.b": _by_the_wall, "A-34.c": _attempts_for_ever}

HOUR, MINUTE, SECOND = timedelta(hours=1), timedelta(minutes=1), timedelta(seconds=1)
IDLE, ABSOLUTE = 4 * HOUR, 12 * HOUR


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck), report_multiple_bugs=False)
@given(
    st.lists(
        st.tuples(
            st.sampled_from([SECOND, 10 * MINUTE, HOUR, 3 * HOUR, 4 * HOUR - SECOND, 4 * HOUR]),
            st.sampled_from([-HOUR, timedelta(0), HOUR]),
            st.booleans(),
            st.booleans(),
        ),
        min_size=1,
        max_size=8,
    )
)
@example([(4 * HOUR, -HOUR, False, False)])
@example([(4 * HOUR, -HOUR, False, True)])
@example([(3 * HOUR, -HOUR, True, True)] * 4)
@example([(3 * HOUR, HOUR, True, True), (SECOND, -HOUR, True, True)] * 4)
def test_a34_an_open_tab_never_outlives_its_limits_by_the_clock_that_only_goes_forward(steps):
    """Each step: time passes, the wall clock is wrong by so much from then on, the person acts, the two-second round is made.

    It may end early by as much as the wall clock has jumped, here two hours, but not by more.
    """
    with closing(House()) as house:
        ana = Browser(house)
        ana.log_in()
        tab, watch = ana.socket(), Watch(house.gate)
        tab.say(rerun())
        began = seen = house.clock.clock.monotonic()
        wrong, early = timedelta(0), False
        for passed, offset, acts, rounds in steps:
            house.advance(passed)
            house.clock.jump(offset - wrong)
            wrong = offset
            ticks = house.clock.clock.monotonic()
            over = ticks - began >= ABSOLUTE.total_seconds() or ticks - seen >= IDLE.total_seconds()
            early |= ticks - began >= (ABSOLUTE - 2 * HOUR).total_seconds() or ticks - seen >= (IDLE - 2 * HOUR).total_seconds()
            if rounds:
                house.run(watch.go_round)
            before = len(house.inner.received)
            if acts:
                tab.say(rerun())
            is_in = ana.fetch("/x").status == 200
            ran = any(m["type"] == "websocket.receive" for m in house.inner.received[before:])
            if over:
                assert (is_in, ran) == (False, False)
            elif not early:
                assert is_in
            if not is_in:
                return
            seen = ticks if acts else seen


@pytest.mark.parametrize("jump", [-HOUR, HOUR])
def test_a34b_a_jump_of_an_hour_moves_neither_limit_of_a_login_that_is_here(jump):
    with closing(House()) as house:
        ana = Browser(house)
        ana.log_in()
        house.clock.jump(jump)

        house.advance(IDLE - SECOND)
        assert ana.fetch("/x").status == 200
        house.advance(SECOND)
        assert ana.fetch("/x").status == 401
        house.clock.jump(-3 * HOUR)
        assert ana.fetch("/x").status == 401, "and nothing brings it back"


@pytest.mark.parametrize("move", ["passes", "jumps"])
def test_a34c_an_attempt_is_over_after_ten_minutes_and_when_the_clock_says_so(move):
    with closing(House()) as house:
        ana = Browser(house)
        away = ana.go_to_provider()
        (house.advance if move == "passes" else house.clock.jump)(10 * MINUTE)

        answer = ana.come_back(away)

        assert (answer.status, house.issuer.token_calls) == (400, 0)
        assert house.live == []
