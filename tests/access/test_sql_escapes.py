"""Attempts to read around the rules: each is refused, or shows nothing that is hidden; and what is like it in good faith runs."""

import re
import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any, Final

import duckdb
import pytest
import sqlglot
from sqlalchemy.exc import DBAPIError
from sqlglot import exp

from st_auth.access.rules import Rules, TableRule
from st_auth.access.sql import SQLRules
from st_auth.access.sql_known import BY_CLASS, BY_NAME, NODES, TABLES_BY_CLASS, TABLES_BY_NAME
from st_auth.access.sql_params import ours
from st_auth.access.sql_proof import require_proven
from st_auth.errors import PermissionDenied
from tests.access.sql_ground import CANARY, Database, Reader, database, filtered, unruled
from tests.servers.postgres import PostgresServer

DIALECTS: Final = {"snowflake", "postgres", "duckdb", "sqlite", "databricks", "trino", "bigquery", "mysql"}
ATTEMPTS: Final = tomllib.loads((Path(__file__).parent.parent / "vectors" / "sql_escapes.toml").read_text("utf-8"))["attempt"]
RUN_HERE: Final = {"duckdb", "sqlite", "postgres"}
_REPEATED: Final = re.compile(r"\{\{(\d+) (.+?)\}\}")

every = pytest.mark.parametrize("attempt", ATTEMPTS, ids=[attempt["id"] for attempt in ATTEMPTS])


@pytest.fixture(scope="module")
def databases() -> Iterator[Mapping[str, Database]]:
    with PostgresServer() as server, ExitStack() as stack:
        server.ask("create database escapes", database="postgres")
        url = f"postgresql+psycopg://postgres@127.0.0.1:{server.port}/escapes"
        yield {dialect: stack.enter_context(database(dialect, url)) for dialect in sorted(RUN_HERE)}


def whole(sql: str) -> str:
    return _REPEATED.sub(lambda found: found[2] * int(found[1]), sql)


@every
def test_an_attempt_to_read_around_the_rules_shows_nothing(attempt: Mapping[str, Any], databases: Mapping[str, Database]) -> None:
    sql, dialect = whole(attempt["sql"]), attempt["dialect"]
    if attempt["expect"] == "refused":
        with pytest.raises(PermissionDenied) as caught:
            filtered(dialect, sql, attempt.get("params"), attempt.get("claims"))
        assert caught.value.code == attempt["code"]
        assert "\n" not in str(caught.value)
        assert caught.value.hint
        return

    asked = filtered(dialect, sql, attempt.get("params"), attempt.get("claims"))

    assert unruled(asked.sql, dialect) == []
    if dialect in RUN_HERE:
        assert not CANARY.search(_answer(databases[dialect], asked))


@every
def test_the_same_construct_in_good_faith_runs(attempt: Mapping[str, Any], databases: Mapping[str, Database]) -> None:
    asked = filtered(attempt["dialect"], whole(attempt["twin"]), attempt.get("twin_params"))

    assert unruled(asked.sql, attempt["dialect"]) == []
    if attempt["dialect"] in RUN_HERE:
        assert databases[attempt["dialect"]].run(asked) == attempt["twin_rows"]


def _answer(database: Database, asked: Any) -> str:
    try:
        return str(database.run(asked))
    except (duckdb.Error, DBAPIError) as error:
        return str(error)


def test_there_are_attempts_in_every_dialect_and_each_has_a_twin() -> None:
    counted = Counter(attempt["dialect"] for attempt in ATTEMPTS)

    assert len({attempt["id"] for attempt in ATTEMPTS}) == len(ATTEMPTS) >= 400
    assert set(counted) == DIALECTS == set(BY_NAME)
    assert min(counted.values()) >= 20
    assert all(attempt["twin"] for attempt in ATTEMPTS)
    assert all("twin_rows" in attempt for attempt in ATTEMPTS if attempt["dialect"] in RUN_HERE)


@pytest.mark.parametrize("dialect", sorted(RUN_HERE))
def test_without_the_rules_the_canaries_sing(databases: Mapping[str, Database], dialect: str) -> None:
    """Or the tests above could not fail."""
    asked = filtered(dialect, "select * from regions")

    for table in ("sales", "orders", "wages", "lake.salt"):
        unfiltered = type(asked)(asked.sql.replace("regions", table), None, (), (), ())
        assert CANARY.search(_answer(databases[dialect], unfiltered))
        assert unruled(unfiltered.sql, dialect) == [table]


def test_the_qualifiers_of_a_rule_stay_where_the_parser_takes_them_away() -> None:
    """Without them the rule's own query compares a column with itself, and every row is shown."""
    for dialect, sql in [
        ("duckdb", "pivot orders on region in ('eu') using max(item)"),
        ("duckdb", "with x as (from orders) pivot x on region in ('eu') using max(item)"),
        ("bigquery", "select * from unnest(['x']) as access, orders"),
        ("snowflake", "select * from regions pivot(count(region) for region in (select region from orders))"),
    ]:
        assert "access.region = st_auth_t.region AND access.person = " in filtered(dialect, sql).sql


@pytest.mark.parametrize(
    ("rules", "schema", "sql"),
    [
        (("sales", "main.*"), "", "select * from main.sales"),
        (("main.sales", "*"), "", "select * from sales"),
        (("db.main.sales", "main.*"), "", "select * from MAIN.SALES"),
        (("db.main.sales", "*"), "db.main", 'select * from "Sales"'),
    ],
)
def test_a_star_does_not_mean_a_table_that_may_have_a_rule_of_its_own(rules: tuple[str, ...], schema: str, sql: str) -> None:
    for dialect in ("postgres", "mysql"):
        tables = {name: TableRule(name, rows="" if name.endswith("*") else "region = :email") for name in rules}
        quoted = sql.replace('"', "`") if dialect == "mysql" else sql

        try:
            text = SQLRules(Rules(tables=tables, schema=schema), dialect, "named").filtered(quoted, None, Reader(), lambda _: ()).sql
        except PermissionDenied as refused:
            assert refused.code == "no_rule"
        else:
            assert "region = :p0" in text


def test_a_star_means_a_table_of_another_schema() -> None:
    tables = {"app.sales": TableRule("app.sales", rows="region = :email"), "lake.*": TableRule("lake.*")}

    asked = SQLRules(Rules(tables=tables), "postgres", "named").filtered("select * from lake.sales", None, Reader(), lambda _: ())

    assert asked.rules == ("lake.*",)


@pytest.mark.parametrize(
    ("text", "proven"),
    [
        (f"SELECT * FROM {ours('st_auth_table_0_')} AS sales", True),
        (f"SELECT * FROM sales AS {ours('st_auth_table_0_')}", False),
        (f"WITH {ours('st_auth_cte_1')} AS (SELECT 1 AS a) SELECT * FROM {ours('st_auth_cte_1')} AS a, regions", True),
        ("SELECT * FROM sales", False),
        ("SELECT * FROM sales AS st_auth_t", False),
        (f"SELECT * FROM lake.{ours('st_auth_cte_1')}", False),
        ("SELECT 1 -- , x", False),
        ("SELECT 1 /* x */ AS a", False),
        ("SELECT 1; SELECT 2", False),
        ("SELECT * FROM read_csv('x')", False),
        ("DELETE FROM regions", False),
    ],
    ids=range(11),  # the texts hold a secret of each process
)
def test_only_what_is_written_in_the_end_counts(text: str, proven: bool) -> None:
    if proven:
        require_proven(text, "duckdb", frozenset(), lambda table: table.name == "regions")
        return
    with pytest.raises(PermissionDenied) as caught:
        require_proven(text, "duckdb", frozenset(), lambda table: table.name == "regions")
    assert caught.value.code == "statement_refused"


def test_what_the_parser_cannot_write_again_is_refused() -> None:
    with pytest.raises(PermissionDenied, match="holds what sqlite does not know"):
        filtered("sqlite", "select * from regions pivot(count(*) for region in ('eu'))")


@pytest.mark.parametrize("sql", ["select 'CANARY' + from regions", "select 'CANARY", "select 'CANARY' /* CANARY"])
@pytest.mark.parametrize("dialect", sorted(DIALECTS))
def test_a_refusal_does_not_quote_the_statement(dialect: str, sql: str) -> None:
    with pytest.raises(PermissionDenied) as caught:
        filtered(dialect, sql)

    assert "CANARY" not in f"{caught.value} {caught.value.hint} {caught.value.__cause__}"


@pytest.mark.parametrize("dialect", sorted(DIALECTS))
def test_a_statement_of_any_dialect_is_refused_or_filtered_in_every_other(dialect: str) -> None:
    """No attempt gets anything but our own errors out of the parser, and none is read without its rule."""
    for attempt in ATTEMPTS:
        with suppress(PermissionDenied, TypeError, ValueError):
            asked = filtered(dialect, whole(attempt["sql"]), attempt.get("params"))
            assert unruled(asked.sql, dialect) == []


REFUSED: Final = {  # functions that the parser has a class for, and why nobody may call them under rules
    "asks a model": """
        AIAgg AIClassify AIEmbed AIForecast AIGenerate AISimilarity AISummarizeAgg GenerateBool GenerateDouble GenerateEmbedding
        GenerateInt GenerateTable GenerateText MLForecast MLTranslate Predict
    """,
    "reads a table or its history, which an argument names": "Apply FeaturesAtTime GapFill VectorSearch",
    "reads or writes a file": "ReadCSV ReadParquet ToFile",
    "names something by a text": "DynamicIdentifier ObjectId",
    "reads a secret, or the statement with what is bound in it": "CurrentStatement Secret",
    "counts on": "NextValueFor",
    "is any function at all, by its name": "AnonymousAggFunc CombinedAggFunc CombinedParameterizedAgg ParameterizedAgg SafeFunc",
    "is no function of SQL that we have looked at": "Agg HashAgg _ExplodeOuter",
}


def test_each_function_of_the_parser_has_been_looked_at() -> None:
    """A new version of the parser has new ones: look at them, then put them into sql_known.py or here."""
    names = {function.__name__ for function in exp.ALL_FUNCTIONS}
    refused = {name for text in REFUSED.values() for name in text.split()}

    assert names - BY_CLASS - refused == set()
    assert refused - names == set()
    assert refused & BY_CLASS == set()


def test_what_is_known_is_there_in_the_parser() -> None:
    classes = {name for name in dir(exp) if isinstance(getattr(exp, name), type)}

    assert (NODES | BY_CLASS | TABLES_BY_CLASS) - classes == set()
    assert TABLES_BY_CLASS <= BY_CLASS
    assert all(TABLES_BY_NAME[dialect] <= BY_NAME[dialect] for dialect in TABLES_BY_NAME)
    assert sqlglot.__version__.startswith("30."), "look at what is new in the parser"
