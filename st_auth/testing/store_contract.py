"""What every store must do: subclass `StoreContract`, give it a `store`, and pytest shows whether yours does."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Barrier

import pytest

from st_auth.clock import Clock
from st_auth.errors import Unavailable
from st_auth.stores import Record, Store

__all__ = ["StoreContract", "TurnedClock"]


class TurnedClock:
    """A clock that stands still until a test turns it. `clock` is what the code under test is given."""

    def __init__(self, start: datetime = datetime(2026, 11, 22, 12, tzinfo=UTC)) -> None:
        self._now = start
        self._monotonic = 1000.0
        self.clock = Clock(now=lambda: self._now, monotonic=lambda: self._monotonic)

    def now(self) -> datetime:
        """Return the time that it shows."""
        return self._now

    def advance(self, span: timedelta) -> None:
        """Let time pass, on both clocks."""
        self._now += span
        self._monotonic += span.total_seconds()

    def jump(self, span: timedelta) -> None:
        """Set the wall clock forward or back, as an administrator or NTP does; no time passes."""
        self._now += span


class StoreContract:
    """The contract of `st_auth.stores.Store` as tests.

        class TestMine(StoreContract):
            @pytest.fixture
            def store(self, clock):
                return MyStore(clock=clock.clock)

    A store that takes no clock overrides `advance` with something that lets time pass for it.
    """

    @pytest.fixture
    def clock(self) -> TurnedClock:
        """The clock to give to the store."""
        return TurnedClock()

    @pytest.fixture
    def advance(self, clock: TurnedClock) -> Callable[[timedelta], None]:
        """Lets time pass for the store."""
        return clock.advance

    @pytest.fixture
    def store(self) -> Store:
        """The store under test, empty."""
        raise NotImplementedError("Give the contract a `store` fixture.")

    def test_what_was_put_is_read_back_with_its_version(self, store: Store) -> None:
        expires_at = store.now() + timedelta(hours=1, microseconds=7)

        assert store.put("key", Record(b"\x00value\xff", expires_at, ("a", "b")), expect=0)

        assert store.get("key") == Record(b"\x00value\xff", expires_at, ("a", "b"), version=1)

    def test_what_was_never_put_is_absent(self, store: Store) -> None:
        assert store.get("nothing") is None
        assert store.find("nothing") == []
        assert store.versions(["nothing"]) == {}
        assert store.versions([]) == {}

    def test_a_put_with_the_right_version_replaces_and_counts_up(self, store: Store) -> None:
        versions = []
        for expect in range(3):
            assert store.put("key", _record(store, b"%d" % expect), expect=expect)
            versions.append(store.versions(["key"])["key"])

        assert versions == [1, 2, 3]
        assert _value(store, "key") == b"2"

    @pytest.mark.parametrize("expect", [0, 1, 3, 99, -1])
    def test_a_put_with_a_wrong_version_changes_nothing(self, store: Store, expect: int) -> None:
        store.put("key", _record(store, b"one", "old"), expect=0)
        store.put("key", _record(store, b"two", "old"), expect=1)

        assert not store.put("key", _record(store, b"three", "new"), expect=expect)

        assert _value(store, "key") == b"two"
        assert store.versions(["key"]) == {"key": 2}
        assert (store.find("old"), store.find("new")) == (["key"], [])

    def test_a_put_that_need_not_be_durable_is_read_back_like_any_other(self, store: Store) -> None:
        assert store.put("key", _record(store, b"first"), expect=0)

        assert store.put("key", _record(store, b"second"), expect=1, durable=False)
        assert not store.put("key", _record(store, b"late"), expect=1, durable=False)

        assert _value(store, "key") == b"second"
        assert store.versions(["key"]) == {"key": 2}

    def test_a_put_that_expects_what_is_absent_creates_nothing(self, store: Store) -> None:
        assert not store.put("key", _record(store), expect=1)

        assert store.get("key") is None

    def test_the_version_inside_the_record_is_not_believed(self, store: Store) -> None:
        assert store.put("key", Record(b"", store.now() + timedelta(hours=1), version=41), expect=0)

        assert store.versions(["key"]) == {"key": 1}

    def test_what_was_deleted_is_gone_and_deleting_it_again_is_fine(self, store: Store) -> None:
        store.put("key", _record(store, b"", "tag"), expect=0)

        store.delete("key")
        store.delete("key")

        assert store.get("key") is None
        assert store.find("tag") == []
        assert not store.put("key", _record(store), expect=1)
        assert store.put("key", _record(store), expect=0)

    def test_a_record_expires_by_the_clock_of_the_store(self, store: Store, advance: Callable[[timedelta], None]) -> None:
        store.put("key", Record(b"", store.now() + timedelta(seconds=30), ("tag",)), expect=0)
        advance(timedelta(seconds=29))
        assert store.get("key") is not None

        advance(timedelta(seconds=1))

        assert store.get("key") is None
        assert store.versions(["key"]) == {}
        assert not store.put("key", _record(store), expect=1)
        assert store.put("key", _record(store, b"again"), expect=0)
        assert store.versions(["key"]) == {"key": 1}

    def test_a_record_put_after_its_expiry_is_absent(self, store: Store) -> None:
        assert store.put("key", Record(b"", store.now() - timedelta(seconds=1)), expect=0)

        assert store.get("key") is None
        assert store.put("key", _record(store), expect=0)

    def test_a_put_may_make_a_record_last_longer(self, store: Store, advance: Callable[[timedelta], None]) -> None:
        store.put("key", Record(b"", store.now() + timedelta(seconds=10)), expect=0)
        store.put("key", Record(b"", store.now() + timedelta(days=1), ("tag",)), expect=1)

        advance(timedelta(hours=23))
        for number in range(8):
            store.put(f"other {number}", _record(store), expect=0)

        assert store.versions(["key"]) == {"key": 2}
        assert store.find("tag") == ["key"]

    def test_what_expired_long_ago_does_not_hide_what_is_there(self, store: Store, advance: Callable[[timedelta], None]) -> None:
        for number in range(20):
            store.put(f"old {number}", Record(b"", store.now() + timedelta(minutes=1), ("tag",)), expect=0)
        advance(timedelta(hours=3))

        for number in range(20):
            store.put(f"new {number}", _record(store, b"", "tag"), expect=0)

        keys = set(store.find("tag"))
        assert {f"new {number}" for number in range(20)} <= keys
        assert all(store.get(f"old {number}") is None for number in range(20))

    def test_a_tag_finds_all_its_records_and_no_others(self, store: Store) -> None:
        store.put("a", _record(store, b"", "red", "round"), expect=0)
        store.put("b", _record(store, b"", "red"), expect=0)
        store.put("c", _record(store, b"", "redder"), expect=0)

        assert sorted(store.find("red")) == ["a", "b"]
        assert store.find("round") == ["a"]
        assert store.find("RED") == []

    def test_tags_follow_the_latest_put(self, store: Store) -> None:
        store.put("key", _record(store, b"", "one", "two"), expect=0)

        store.put("key", _record(store, b"", "two", "three"), expect=1)

        assert [store.find(tag) for tag in ("one", "two", "three")] == [[], ["key"], ["key"]]

    def test_versions_of_two_thousand_keys_come_in_one_call(self, store: Store) -> None:
        for number in range(0, 2000, 100):
            store.put(f"key {number}", _record(store), expect=0)

        versions = store.versions([f"key {number}" for number in range(2000)])

        assert versions == {f"key {number}": 1 for number in range(0, 2000, 100)}

    def test_a_value_of_a_megabyte_comes_back_whole(self, store: Store) -> None:
        value = bytes(range(256)) * 4096

        store.put("big", _record(store, value), expect=0)
        store.put("empty", _record(store, b""), expect=0)

        assert _value(store, "big") == value
        assert _value(store, "empty") == b""

    def test_keys_are_compared_exactly(self, store: Store) -> None:
        odd = [
            "a",
            "A",
            "a ",
            " a",
            "a\x00",
            "a\x00b",
            "é",
            "e\u0301",
            "'; DROP TABLE records; --",
            "%",
            "_",
            "*",
            "{a}",
            "🔑",
            "k" * 512,
            "1",
            "01",
        ]
        for key in odd:
            assert store.put(key, _record(store, key.encode(), f"tag {key}"), expect=0)

        assert [_value(store, key) for key in odd] == [key.encode() for key in odd]
        assert [store.find(f"tag {key}") for key in odd] == [[key] for key in odd]
        assert store.versions(odd) == dict.fromkeys(odd, 1)

    def test_of_eight_threads_that_put_first_exactly_one_wins(self, store: Store) -> None:
        start = Barrier(8)

        def put(number: int) -> bool:
            start.wait()
            return store.put("key", _record(store, b"%d" % number), expect=0)

        with ThreadPoolExecutor(8) as pool:
            won = list(pool.map(put, range(8)))

        assert sum(won) == 1
        assert _value(store, "key") == b"%d" % won.index(True)

    def test_each_version_has_exactly_one_writer_among_eight_threads(self, store: Store) -> None:
        store.put("key", _record(store, b"0"), expect=0)
        start = Barrier(8)

        def count_up(_: int) -> list[int]:
            start.wait()
            won = []
            for _ in range(12):
                record = store.get("key")
                assert record
                if store.put("key", _record(store, b"%d" % (int(record.value) + 1)), expect=record.version):
                    won.append(record.version + 1)
            return won

        with ThreadPoolExecutor(8) as pool:
            wins = sorted(version for won in pool.map(count_up, range(8)) for version in won)

        assert wins == list(range(2, len(wins) + 2))
        assert _value(store, "key") == b"%d" % len(wins)

    def test_now_is_an_aware_time(self, store: Store) -> None:
        assert store.now().utcoffset() == timedelta(0)

    def test_a_closed_store_is_unavailable_and_closes_twice(self, store: Store) -> None:
        store.close()
        store.close()

        for asked in (lambda: store.get("key"), lambda: store.find("tag")):
            with pytest.raises(Unavailable) as caught:
                asked()
            assert caught.value.code == "store"


def _record(store: Store, value: bytes = b"", *tags: str) -> Record:
    return Record(value, store.now() + timedelta(hours=12), tags)


def _value(store: Store, key: str) -> bytes | None:
    record = store.get(key)
    return record.value if record else None
