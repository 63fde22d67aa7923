import json
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given, strategies as st

from st_auth.oauth.pending import PendingLogin
from st_auth.secret import Secret
from tests.oauth.given import PENDING

MEMBERS = json.loads(PENDING.to_json())
FILLED = st.text(min_size=1).filter(lambda s: s.isprintable())


@given(FILLED, FILLED, st.text(), st.none() | st.integers(0, 10**9), st.datetimes(timezones=st.just(UTC)), st.lists(FILLED))
def test_what_was_written_is_read_again(state, nonce, return_to, max_age, created_at, acr):
    told = ("https://a/", return_to, "", max_age, created_at, tuple(acr))
    pending = PendingLogin("a", "https://i.example", state, Secret(nonce), Secret("v"), *told)

    assert PendingLogin.from_json(pending.to_json()) == pending


def test_that_a_login_must_be_no_older_than_now_is_kept():
    assert PendingLogin.from_json(json.dumps({**MEMBERS, "max_age": 0}).encode()).max_age == 0


def test_a_pending_login_shows_no_secret():
    assert "n0nce" not in repr(PENDING)
    assert PENDING.code_verifier.reveal() not in repr(PENDING)


@pytest.mark.parametrize(
    "change",
    [
        {"state": None},
        {"state": ""},
        {"nonce": 5},
        {"login_id": None},
        {"max_age": "5"},
        {"max_age": True},
        {"max_age": -1},
        {"acr": None},
        {"acr": "urn:a"},
        {"acr": [""]},
        {"acr": [5]},
        {"created_at": "yesterday"},
        {"created_at": "2026-11-22T08:00:00"},
        {"created_at": 7},
        {"extra": 1},
    ],
)
def test_a_pending_login_that_is_odd_is_a_value_error(change):
    with pytest.raises(ValueError):
        PendingLogin.from_json(json.dumps({**MEMBERS, **change}).encode())


@pytest.mark.parametrize("text", [b"", b"[]", b"\xff", b"{}", PENDING.to_json()[:-1] + b',"state":"x"}'])
def test_what_is_no_pending_login_is_a_value_error(text):
    with pytest.raises(ValueError):
        PendingLogin.from_json(text)


@given(
    st.binary()
    | st.dictionaries(st.sampled_from([*MEMBERS, "x"]), st.none() | st.text() | st.integers()).map(lambda d: json.dumps(d).encode())
)
def test_no_input_raises_anything_but_value_error(text):
    with pytest.raises(ValueError):
        PendingLogin.from_json(text)


def test_a_time_of_another_zone_is_the_same_time():
    at = datetime(2026, 11, 22, 9, 0, tzinfo=timezone(timedelta(hours=1)))

    assert PendingLogin.from_json(json.dumps({**MEMBERS, "created_at": at.isoformat()}).encode()) == PENDING
