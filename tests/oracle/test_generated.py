"""Generated statements under the rules give what they give over copies that were filtered and masked by hand."""

import os
from collections.abc import Iterator, Mapping

import pytest
from sqlglot import exp

from st_auth.access.rules import TableRule
from st_auth.access.sql import SQLRules
from st_auth.access.sql_names import parts_of
from st_auth.access.sql_rewrite import Rewriting
from tests.oracle.engines import DuckDB, Engine, Postgres, filter_of
from tests.oracle.generator import CONSTRUCTS, PORTABLE, Generator, Statement
from tests.oracle.people import Answer, Reader
from tests.oracle.run import Ask, Tally, compare
from tests.oracle.tables import PEOPLE, rules, set_up
from tests.servers.postgres import PostgresServer

FULL = 5000
STATEMENTS = int(os.environ.get("ST_AUTH_ORACLE", "400"))
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
            database = f"copies_{name or 'all'}"
            server.ask(f"create database {database}")
            server.ask(";".join(set_up("public", name)), database=database)
            engines[name] = Postgres(server, database)
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


def test_generated_statements_under_the_rules_give_what_they_give_over_copies_in_duckdb(duckdbs) -> None:
    tally = compare("duckdb", asking(duckdbs[None], "memory.main"), duckdbs, STATEMENTS, seed=1)

    require_alike(tally, "duckdb", STATEMENTS)


def test_generated_statements_under_the_rules_give_what_they_give_over_copies_in_postgresql(postgreses) -> None:
    statements = STATEMENTS // 2
    tally = compare("postgres", asking(postgreses[None], "public"), postgreses, statements, seed=2)

    require_alike(tally, "postgres", statements)


class _Careless(Rewriting):
    """Leaves the tables in the bodies of CTEs as they are."""

    _inside = 0

    def _with(self, with_: exp.Expr, ctes: Mapping[str, str]) -> Mapping[str, str]:
        self._inside += 1
        try:
            return super()._with(with_, ctes)
        finally:
            self._inside -= 1

    def _derived(self, table: exp.Table, rule: TableRule, hidden: Mapping[str, str]) -> None:
        if self._inside:
            self._staying.add(parts_of(table, self._dialect))
        else:
            super()._derived(table, rule, hidden)


class _CarelessRules(SQLRules):
    _rewriting = _Careless


def test_a_rewriter_that_misses_the_bodies_of_ctes_is_found_within_500_statements(duckdbs) -> None:
    tally = compare("duckdb", asking(duckdbs[None], "memory.main", make=_CarelessRules), duckdbs, 500, seed=1, enough=1)

    assert tally.wrong
    assert "with " in tally.wrong[0]


def test_the_same_seed_makes_the_same_statements() -> None:
    one, other = ([made.statement(name) for name in PORTABLE] for made in (Generator(5, "postgres"), Generator(5, "postgres")))

    assert one == other
