"""The memory store keeps the contract, and does not grow."""

from datetime import timedelta

import pytest

from st_auth.errors import ConfigError
from st_auth.stores import Record, open_store
from st_auth.stores.memory import MemoryStore
from st_auth.testing.store_contract import StoreContract, TurnedClock


class TestMemory(StoreContract):
    @pytest.fixture
    def store(self, clock):
        return MemoryStore(clock.clock)


def test_expired_records_are_removed_a_few_at_each_put_after_an_hour():
    clock = TurnedClock()
    store = MemoryStore(clock.clock)
    for number in range(100):
        store.put(f"old {number}", Record(b"", clock.now() + timedelta(minutes=1), ("tag",)), expect=0)
    clock.advance(timedelta(minutes=62))

    for number in range(30):
        store.put(f"new {number}", Record(b"", clock.now() + timedelta(hours=1)), expect=0)

    assert len(store._records) == 30
    assert store._tagged == {}


def test_a_memory_address_opens_a_memory_store():
    assert isinstance(open_store("memory://"), MemoryStore)


@pytest.mark.parametrize("url", ["redis://localhost", "rediss://localhost", "postgresql://db/app"])
def test_a_store_of_a_later_version_says_so_and_what_there_is(url):
    with pytest.raises(ConfigError) as caught:
        open_store(url)

    assert "comes with a later version" in str(caught.value)
    assert "sqlite:///" in str(caught.value)


@pytest.mark.parametrize("url", ["", "vault.db", "mysql://db", "sqlite://", "sqlite:///", "sqlite://vault.db"])
def test_an_address_that_is_none_names_its_key(url):
    with pytest.raises(ConfigError) as caught:
        open_store(url)

    assert [problem.key for problem in caught.value.problems] == ["st_auth.store"]
