"""Generated statements under the rules give what they give over copies that were filtered and masked by hand."""

import os
from collections.abc import Iterator

import pytest

from tests.oracle.engines import DuckDB, Engine, Postgres, filter_of
from tests.oracle.generator import CONSTRUCTS, Statement
from tests.oracle.people import Answer, Reader
from tests.oracle.run import Ask, Tally, compare
from tests.oracle.tables import PEOPLE, rules, set_up
from tests.servers.postgres import PostgresServer

FULL = 5000
STATEMENTS = int(os.environ.get("ST_AUTH_ORACLE", "1500"))
PERSONS = (None, *(person.name for person in PEOPLE))


@pytest.fixture(scope="module")
def duckdbs() -> Iterator[dict[str | None, Engine]]:
    engines = {name: DuckDB(*set_up("main", name)) for name in PERSONS}
    yield dict(engines)
    for engine in engines.values():
        engine.close()


@pytest.fixture(scope="module")
def postgreses() -> Iterator[dict[str | None, Engine]]:
    with PostgresServer() as server:
        engines = {}
        for name in PERSONS:
            server.ask(f"create database copies_{name}")
            server.ask(";".join(set_up("public", name)), database=f"copies_{name}")
            engines[name] = Postgres(server, f"copies_{name}")
        yield dict(engines)
        for engine in engines.values():
            engine.close()


def asking(engine: Engine, home: str, **how) -> Ask:
    """Ask the database that holds everything, with the rules."""
    filtered = filter_of(rules(home), engine, **how)

    def ask(statement: Statement, reader: Reader) -> tuple[str, Answer]:
        made = filtered(statement.sql, statement.params, reader)
        return made.sql, engine.run(made.sql, made.params)

    return ask


def require_alike(tally: Tally, dialect: str, statements: int) -> None:
    """No difference; each construct often enough, most answers with something in them."""
    assert tally.wrong == [], "\n\n".join(tally.wrong)
    assert tally.statements == statements
    assert tally.neither <= 0.1 * statements
    assert tally.filled >= 0.6 * tally.answered
    least = 100 * statements // FULL
    assert {name: tally.used[name] for name in CONSTRUCTS[dialect] if tally.used[name] < least} == {}
