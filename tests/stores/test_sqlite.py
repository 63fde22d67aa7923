"""The SQLite store keeps the contract, keeps its files to itself, and survives what processes do."""

import os
import signal
import sqlite3
import stat
import subprocess
import sys
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest

from st_auth.errors import ConfigError, Unavailable
from st_auth.stores import Record, open_store
from st_auth.stores.sqlite import SqliteStore
from st_auth.testing.store_contract import StoreContract, TurnedClock


class TestSqlite(StoreContract):
    @pytest.fixture
    def store(self, tmp_path, clock):
        store = SqliteStore(tmp_path / "vault.db", clock.clock)
        yield store
        store.close()


@pytest.fixture
def clock():
    return TurnedClock()


@pytest.fixture
def path(tmp_path):
    return tmp_path / "made" / "st_auth" / "vault.db"


@pytest.fixture
def opened(clock):
    stores = []

    def open_at(path):
        stores.append(SqliteStore(path, clock.clock))
        return stores[-1]

    yield open_at
    for store in stores:
        store.close()


def test_a_record_survives_closing_and_reopening(opened, path, clock):
    expires_at = clock.now() + timedelta(hours=1, microseconds=1)
    first = opened(path)
    first.put("key", Record(b"value", expires_at, ("tag",)), expect=0)
    first.close()

    again = opened(path)

    assert again.get("key") == Record(b"value", expires_at, ("tag",), 1)
    assert again.find("tag") == ["key"]


def test_file_wal_and_folder_are_nobody_elses_whatever_the_umask(opened, path, clock):
    umask = os.umask(0)
    try:
        opened(path).put("key", Record(b"", clock.now() + timedelta(hours=1)), expect=0)
    finally:
        os.umask(umask)

    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in path.parent.glob("vault.db*")}
    assert modes == {"vault.db": 0o600, "vault.db-wal": 0o600, "vault.db-shm": 0o600}
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_a_file_that_others_could_read_is_closed_to_them(opened, path):
    opened(path).close()
    path.chmod(0o644)

    opened(path)

    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_folder_of_ours_is_kept_out_of_git(opened, path):
    opened(path)

    assert (path.parent / ".gitignore").read_text() == "*\n"


def test_a_folder_that_was_there_gets_no_gitignore_unless_it_is_named_like_ours(opened, tmp_path):
    (tmp_path / "st_auth").mkdir()

    opened(tmp_path / "vault.db")
    opened(tmp_path / "st_auth" / "vault.db")

    assert not (tmp_path / ".gitignore").exists()
    assert (tmp_path / "st_auth" / ".gitignore").exists()


def test_a_gitignore_that_was_there_stays_as_it_is(opened, path):
    path.parent.mkdir(parents=True)
    (path.parent / ".gitignore").write_text("mine\n")

    opened(path)

    assert (path.parent / ".gitignore").read_text() == "mine\n"


def test_addresses_are_relative_with_three_slashes_and_absolute_with_four(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    open_store("sqlite:///here/vault.db").close()
    open_store(f"sqlite:///{tmp_path}/there/vault.db").close()

    assert (tmp_path / "here" / "vault.db").exists()
    assert (tmp_path / "there" / "vault.db").exists()


@pytest.mark.parametrize("content", [b"this is no database" * 100, b"SQLite format 3\x00" + b"\xff" * 5000])
def test_a_file_that_is_no_database_is_named_and_left_alone(opened, path, content):
    path.parent.mkdir(parents=True)
    path.write_bytes(content)

    with pytest.raises(ConfigError, match="not a SQLite database") as caught:
        opened(path)

    assert caught.value.problems[0].key == "st_auth.store"
    assert str(path) in str(caught.value)
    assert path.read_bytes() == content


def test_another_programs_database_is_refused_and_left_alone(opened, tmp_path):
    connection = sqlite3.connect(tmp_path / "theirs.db")
    connection.execute("CREATE TABLE customers (name)")
    connection.close()

    with pytest.raises(ConfigError, match="another program"):
        opened(tmp_path / "theirs.db")


def test_a_database_of_a_newer_version_is_refused(opened, path):
    opened(path).close()
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 2")
    connection.close()

    with pytest.raises(ConfigError, match="newer version"):
        opened(path)


def test_a_place_that_cannot_be_written_is_named(opened, tmp_path):
    (tmp_path / "file").write_text("in the way")

    with pytest.raises(ConfigError, match="cannot be opened for writing") as caught:
        opened(tmp_path / "file" / "vault.db")

    assert "let this process write to" in str(caught.value)


def test_a_path_that_is_a_folder_is_named(opened, tmp_path):
    with pytest.raises(ConfigError, match="cannot be opened for writing"):
        opened(tmp_path)


def test_a_file_damaged_while_open_is_unavailable_and_never_a_wrong_answer(opened, path, clock):
    store = opened(path)
    for number in range(200):
        store.put(f"key {number}", Record(b"x" * 500, clock.now() + timedelta(hours=1)), expect=0)
    store.close()
    raw = bytearray(path.read_bytes())
    raw[4096 : 4096 * 40] = b"\xff" * (4096 * 39)
    path.write_bytes(raw)

    again = opened(path)

    with pytest.raises(Unavailable):
        again.get("key 7")
    with pytest.raises(Unavailable):
        again.versions(["key 7"])
    with pytest.raises(Unavailable):
        again.put("key 7", Record(b"", clock.now() + timedelta(hours=1)), expect=0)


def test_a_table_that_vanishes_is_unavailable_with_the_drivers_error_as_cause(opened, path, clock):
    store = opened(path)
    connection = sqlite3.connect(path)
    connection.executescript("DROP TABLE records; DROP TABLE tags")
    connection.close()

    with pytest.raises(Unavailable) as caught:
        store.delete("key")

    assert isinstance(caught.value.__cause__, sqlite3.Error)


def test_a_folder_that_vanishes_is_unavailable(opened, path):
    store = opened(path)
    store._idle.pop().close()
    for file in path.parent.iterdir():
        file.unlink()
    path.parent.rmdir()

    with pytest.raises(Unavailable):
        store.get("key")


def test_expired_rows_are_removed_with_their_tags_a_few_at_each_put(opened, path, clock):
    store = opened(path)
    for number in range(20):
        store.put(f"old {number}", Record(b"", clock.now() + timedelta(minutes=1), (f"tag {number}",)), expect=0)
    clock.advance(timedelta(minutes=62))

    for number in range(5):
        store.put(f"new {number}", Record(b"", clock.now() + timedelta(hours=1)), expect=0)

    connection = sqlite3.connect(path)
    left = [connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in ("records", "tags")]
    connection.close()
    assert left == [5, 0]


def test_a34_a_clock_that_was_an_hour_ahead_for_a_while_has_removed_nothing(opened, path, clock):
    store = opened(path)
    store.put("key", Record(b"", clock.now() + timedelta(minutes=10)), expect=0)

    clock.jump(timedelta(hours=1))
    store.put("other", Record(b"", clock.now() + timedelta(hours=1)), expect=0)
    assert store.get("key") is None
    clock.jump(timedelta(hours=-1))

    assert store.get("key") is not None


def test_only_what_need_not_be_durable_is_committed_without_waiting_for_the_disk(opened, path, clock, monkeypatch):
    levels = []

    class Watched(sqlite3.Connection):
        def execute(self, sql, *values):
            if sql == "COMMIT":
                levels.append(super().execute("PRAGMA synchronous").fetchone()[0])
            return super().execute(sql, *values)

    opened(path).close()
    monkeypatch.setattr(sqlite3, "connect", partial(sqlite3.connect, factory=Watched))
    store, record = opened(path), Record(b"value", clock.now() + timedelta(hours=1))
    levels.clear()

    store.put("key", record, expect=0)
    store.put("key", record, expect=1, durable=False)
    store.put("key", record, expect=2)
    store.delete("key")

    normal, full = 1, 2
    assert levels == [full, normal, full, full]


def test_a_file_that_another_program_keeps_locked_is_unavailable_for_writing_and_readable(path, clock):
    store = SqliteStore(path, clock.clock, patience=timedelta(milliseconds=20))
    record = Record(b"", clock.now() + timedelta(hours=1))
    store.put("key", record, expect=0)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")

    with pytest.raises(Unavailable) as caught:
        store.put("key", record, expect=1)

    assert store.versions(["key"]) == {"key": 1}
    other.execute("ROLLBACK")
    other.close()
    assert "locked" in str(caught.value)
    assert store.put("key", record, expect=1)
    store.close()


def test_a_writer_that_queues_too_long_is_told_so(path, clock):
    store = SqliteStore(path, clock.clock, patience=timedelta(milliseconds=20))

    with store._writing, pytest.raises(Unavailable, match="busy"):
        store.delete("key")

    store.close()


def test_a_time_without_a_zone_is_refused_and_leaves_the_store_usable(opened, path, clock):
    store = opened(path)

    with pytest.raises(TypeError):
        store.put("key", Record(b"", clock.now().replace(tzinfo=None)), expect=0)

    assert store.put("key", Record(b"", clock.now() + timedelta(hours=1)), expect=0)


def test_a_store_that_is_closed_while_it_is_read_closes_that_connection_too(opened, path):
    store = opened(path)

    with store._borrowed() as connection:
        store.close()

    assert not store._idle
    with pytest.raises(sqlite3.ProgrammingError):
        connection.execute("SELECT 1")


def test_two_stores_on_one_file_see_each_other_at_once(opened, path, clock):
    one, two = opened(path), opened(path)

    one.put("key", Record(b"1", clock.now() + timedelta(hours=1), ("tag",)), expect=0)

    assert two.versions(["key"]) == {"key": 1}
    assert two.put("key", Record(b"2", clock.now() + timedelta(hours=1)), expect=1)
    assert not one.put("key", Record(b"3", clock.now() + timedelta(hours=1)), expect=1)
    assert one.find("tag") == []


_COUNT = """
import sys
from datetime import timedelta
from functools import partial
from st_auth.stores import Record
from st_auth.stores.sqlite import SqliteStore

store = SqliteStore(sys.argv[1])
won = 0
while won < 25:
    there = store.get("counter")
    value = int(there.value) if there else 0
    record = Record(b"%d" % (value + 1), store.now() + timedelta(hours=1))
    won += store.put("counter", record, expect=there.version if there else 0)
"""

_WRITE_FOR_EVER = """
import sys
from datetime import timedelta
from functools import partial
from st_auth.stores import Record
from st_auth.stores.sqlite import SqliteStore

store = SqliteStore(sys.argv[1])
number = 0
while True:
    assert store.put(f"key {number}", Record(b"x" * 3000, store.now() + timedelta(hours=1), ("tag",)), expect=0)
    print(number, flush=True)
    number += 1
"""


def _start(program, path):
    return subprocess.Popen([sys.executable, "-c", program, str(path)], stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2])


def test_four_processes_that_begin_on_a_new_file_together_lose_no_count(path):
    workers = [_start(_COUNT, path) for _ in range(4)]
    outcomes = [(worker.communicate(timeout=60), worker.returncode)[1] for worker in workers]

    store = SqliteStore(path)
    record = store.get("counter")
    store.close()

    assert outcomes == [0, 0, 0, 0]
    assert (record.value, record.version) == (b"100", 100)


def test_what_a_writer_was_told_is_stored_is_there_after_kill_9(path):
    writer = _start(_WRITE_FOR_EVER, path)
    told = [int(writer.stdout.readline()) for _ in range(40)]
    writer.send_signal(signal.SIGKILL)
    told += [int(line) for line in writer.communicate(timeout=30)[0].split()]

    store = SqliteStore(path)
    found = store.versions([f"key {number}" for number in told])
    tagged = set(store.find("tag"))
    assert store.put("after", Record(b"", store.now() + timedelta(hours=1)), expect=0)
    store.close()

    assert writer.returncode == -signal.SIGKILL
    assert len(found) == len(told) >= 40
    assert set(found) <= tagged
