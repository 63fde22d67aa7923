"""A-32: a pool never lends one person's open connection to another."""

import duckdb
import pytest

from st_auth.connections.pool import Pool
from st_auth.errors import LoginRequired
from st_auth.testing import FakeIssuer
from tests.connections import test_duckdb, test_own_login
from tests.servers.postgres import PostgresServer


def _lend_to_everybody() -> None:
    Pool._whose = lambda self, live: "everybody"


DISARM = {"A-32": _lend_to_everybody, "A-32.b": _lend_to_everybody}


@pytest.fixture
def ground(tmp_path):
    path = tmp_path / "x.duckdb"
    duckdb.connect(str(path)).close()
    with FakeIssuer(serve=True) as issuer:
        ground = test_duckdb.DuckGround(issuer, path)
        yield ground
        ground.close()


def test_a32_two_hundred_people_in_sixty_four_threads_get_each_their_own(ground):
    contract = test_duckdb.TestDuckDB()
    contract.checks = 1_000
    contract.test_a17_a32_two_hundred_people_in_sixty_four_threads_never_cross(ground)


@pytest.fixture
def own(ground):
    with PostgresServer(passwords=True) as postgres:
        own = test_own_login.OwnGround(ground.issuer, postgres)
        yield own
        own.close()


def test_a32b_who_gave_no_password_gets_nothing_of_the_connection_that_another_person_opened_with_theirs(own):
    ana, bob, again = own.log_in("ana"), own.log_in_without("bob"), own.log_in_without("ana")
    assert own.column(ana, "select session_user::text") == ["ana"]

    for live in (bob, again):
        with pytest.raises(LoginRequired):
            own.column(live, "select session_user::text")
