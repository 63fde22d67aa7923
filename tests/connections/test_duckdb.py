"""DuckDB keeps the contract: one file, and each person's connection knows whose it is."""

from contextlib import suppress

import duckdb
import pytest

from st_auth.connections.guard import Guarded
from st_auth.errors import ConnectionFailed, CrossSessionError
from st_auth.testing import FakeIssuer
from st_auth.testing.connection_contract import ConnectionContract, ConnectionGround
from tests.connections.cursors import CursorContract


class DuckGround(ConnectionGround):
    has_server_sessions = False

    def __init__(self, issuer, path, **more):
        self.path = path
        super().__init__(issuer, {"type": "st_auth.DuckDBConnection", "path": str(path), "rules": "engine", **more})

    def who(self, handle):
        return handle.query("select getvariable('st_auth_user') as me", as_="arrow")["me"][0].as_py()

    def end_at_server(self, person):
        for live in self.core.live.known():
            if live.stored.card.subject == person:
                for opened in list(self.core.pool._opened.get(live.login_id, {}).values()):
                    with suppress(duckdb.ResourceInUseException):  # somebody is at it just now
                        opened.connection.close()

    def refuse(self):
        self.path.unlink()


@pytest.fixture
def issuer():
    with FakeIssuer(serve=True) as issuer:
        yield issuer


@pytest.fixture
def ground(issuer, tmp_path):
    path = tmp_path / "sales.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute("create table sales as select * from (values ('eu', 1), ('us', 2)) t(region, amount)")
    ground = DuckGround(issuer, path)
    yield ground
    ground.close()


class TestDuckDB(ConnectionContract, CursorContract):
    checks = 3_500
    share = 0.34


@pytest.fixture
def handle(ground):
    ana = ground.log_in("ana")
    with ground.runs.of(ana.login_id):
        yield ground.handle(ana)


@pytest.mark.parametrize("as_", ["pandas", "polars", "arrow"])
def test_rows_come_as_the_frame_that_was_asked_for(handle, as_):
    frame = handle.query("select * from sales where amount > ? order by amount", [1], as_=as_)

    assert type(frame).__module__.split(".")[0] == {"arrow": "pyarrow"}.get(as_, as_)
    assert frame.shape == (1, 2)


def test_a_statement_that_is_refused_names_the_connection_and_what_is_wrong(handle):
    with pytest.raises(ConnectionFailed, match=r"“it” failed: .*nowhere") as caught:
        handle.query("select * from nowhere")
    assert caught.value.code == "query_failed"


def test_the_file_is_open_for_reading_only_unless_the_section_says_otherwise(handle):
    with pytest.raises(ConnectionFailed, match="read-only"):
        handle.query("create table more as select 1")


@pytest.mark.parametrize(
    "make",
    [
        lambda cursor: cursor.cursor(),
        lambda cursor: cursor.duplicate(),
        lambda cursor: cursor.execute("select 1").cursor(),
        lambda cursor: cursor.sql("select getvariable('st_auth_user') as me"),
        lambda cursor: cursor.table("sales").filter("amount > 1"),
        lambda cursor: cursor.table("sales").union(cursor.table("sales")),
        lambda cursor: cursor.table("sales").query("sales", "select getvariable('st_auth_user') as me"),
    ],
)
def test_a32_what_a_cursor_makes_is_guarded_as_it_is(ground, make):
    ana, bob = ground.log_in("ana"), ground.log_in("bob")
    with ground.runs.of(ana.login_id):
        made = make(ground.handle(ana).cursor())
        taken = made.fetchall
        assert isinstance(made, Guarded)
        taken()
    for act in (taken, lambda: made.fetchall, lambda: made.description):
        with ground.runs.of(bob.login_id), pytest.raises(CrossSessionError):
            act()


def test_a_cursor_of_a_cursor_knows_whose_it_is(handle):
    further = handle.cursor().cursor()
    assert further.execute("select getvariable('st_auth_user')").fetchall() == [("ana",)]
    assert further.sql("select getvariable('st_auth_user')").fetchall() == [("ana",)]


def test_rows_and_frames_of_a_cursor_are_the_drivers_own(handle):
    relation = handle.cursor().table("sales").order("amount")
    assert relation.fetchall() == [("eu", 1), ("us", 2)]
    assert list(relation.df()["amount"]) == [1, 2]
    assert relation.to_arrow_table().num_rows == 2
