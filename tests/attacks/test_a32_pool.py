"""A-32: a pool never lends one person's open connection to another."""

import duckdb
import pytest

from st_auth.connections.pool import Pool
from st_auth.testing import FakeIssuer
from tests.connections import test_duckdb

DISARM = {"A-32": lambda: setattr(Pool, "_whose", lambda self, live: "everybody")}


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
