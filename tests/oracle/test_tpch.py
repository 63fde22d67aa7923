"""TPC-H's 22 statements under the rules, and over tables filtered and masked by hand: the same answers, in DuckDB and PostgreSQL."""

from collections.abc import Iterable, Iterator
from itertools import combinations
from pathlib import Path

import duckdb
import pytest

from st_auth.access.rules import ColumnRule, Rules, TableRule
from st_auth.errors import PermissionDenied
from tests.oracle.engines import DuckDB, Postgres, filter_of
from tests.oracle.people import Answer, Reader, is_empty
from tests.servers.postgres import PostgresServer
from tests.servers.tpch_tables import TABLES, make_tables

SCALE = 0.02
RULES = Rules(
    tables={
        "customer": TableRule(
            "customer",
            "customers:read",
            "c_nationkey in (:nations)",
            {
                "c_name": ColumnRule("mask(c_name)", "people:read"),
                "c_phone": ColumnRule("substring(c_phone from 1 for 2) || '-***'", "people:read"),
                "c_address": ColumnRule("null", "people:read"),
            },
        ),
        "orders": TableRule(
            "orders",
            "orders:read",
            "o_orderpriority in (:priorities) and orders.o_clerk <> :clerk",
            {"o_clerk": ColumnRule("hide"), "o_totalprice": ColumnRule("round(o_totalprice, -2)", "prices:read")},
        ),
        "supplier": TableRule(
            "supplier",
            rows="s_acctbal between :low and :high",
            columns={
                "s_phone": ColumnRule("mask(s_phone)"),
                "s_address": ColumnRule("left(s_address, 3)", "people:read"),
                "s_name": ColumnRule("mask(s_name)", "prices:read"),
            },
        ),
        "lineitem": TableRule("lineitem", rows="l_quantity > :least", columns={"l_comment": ColumnRule("hide", "people:read")}),
        "partsupp": TableRule("partsupp", rows="not ps_availqty < :stock"),
        "nation": TableRule("nation"),
        "part": TableRule("part"),
        "region": TableRule("region"),
    }
)
ANA = Reader(
    "ana",
    frozenset({"customers:read", "orders:read", "people:read"}),
    {
        "nations": tuple(nation for nation in range(25) if nation not in (1, 8, 4)),
        "priorities": ("1-URGENT", "2-HIGH", "3-MEDIUM", "5-LOW"),
        "clerk": ("Clerk#000000007",),
        "low": (-900,),
        "high": (9950,),
        "least": (1,),
        "stock": (300,),
    },
)
BOB = Reader(
    "bob",
    frozenset({"customers:read", "orders:read", "prices:*"}),
    {
        "nations": tuple(nation for nation in range(25) if nation not in (2, 9, 13)),
        "priorities": ("1-URGENT", "2-HIGH", "4-NOT SPECIFIED", "5-LOW"),
        "clerk": ("Clerk#000000003",),
        "low": (-500,),
        "high": (9900,),
        "least": (3,),
        "stock": (900,),
    },
)
PEOPLE = (ANA, BOB)

# What each of them may see, written by hand, as somebody would who has no rules but copies.
COPIES = """
create schema ana;
create table ana.customer as select * from public.customer where c_nationkey not in (1, 8, 4);
create table ana.orders as
  select o_orderkey, o_custkey, o_orderstatus, round(o_totalprice, -2) as o_totalprice, o_orderdate, o_orderpriority, o_shippriority,
    o_comment
  from public.orders where o_orderpriority <> '4-NOT SPECIFIED' and o_clerk <> 'Clerk#000000007';
create table ana.supplier as
  select s_suppkey, '***' as s_name, s_address, s_nationkey, '***' as s_phone, s_acctbal, s_comment
  from public.supplier where s_acctbal >= -900 and s_acctbal <= 9950;
create table ana.lineitem as select * from public.lineitem where l_quantity > 1;
create table ana.partsupp as select * from public.partsupp where ps_availqty >= 300;

create schema bob;
create table bob.customer as
  select c_custkey, '***' as c_name, cast(null as varchar) as c_address, c_nationkey, left(c_phone, 2) || '-***' as c_phone, c_acctbal,
    c_mktsegment, c_comment
  from public.customer where c_nationkey <> 2 and c_nationkey <> 9 and c_nationkey <> 13;
create table bob.orders as
  select o_orderkey, o_custkey, o_orderstatus, o_totalprice, o_orderdate, o_orderpriority, o_shippriority, o_comment
  from public.orders where o_orderpriority <> '3-MEDIUM' and o_clerk <> 'Clerk#000000003';
create table bob.supplier as
  select s_suppkey, s_name, left(s_address, 3) as s_address, s_nationkey, '***' as s_phone, s_acctbal, s_comment
  from public.supplier where s_acctbal >= -500 and s_acctbal <= 9900;
create table bob.lineitem as
  select l_orderkey, l_partkey, l_suppkey, l_linenumber, l_quantity, l_extendedprice, l_discount, l_tax, l_returnflag, l_linestatus,
    l_shipdate, l_commitdate, l_receiptdate, l_shipinstruct, l_shipmode
  from public.lineitem where l_quantity > 3;
create table bob.partsupp as select * from public.partsupp where ps_availqty >= 900;
"""


def engines_of_duckdb(folder: Path) -> dict[str, DuckDB]:
    """A database for everybody: for the one who reads with the rules, and for each person's copies."""
    load = [f"create table public.{table} as from '{folder / table}.parquet'" for table in TABLES]
    engines = {name: DuckDB("create schema public", *load, COPIES) for name in ("all", "ana", "bob")}
    for name, engine in engines.items():
        engine.run(f"set search_path = '{'public' if name == 'all' else f'{name},public'}'")
    return engines


def engines_of_postgres(folder: Path, server: PostgresServer) -> dict[str, Postgres]:
    """The same in PostgreSQL, where one database holds them all."""
    database = "tpch"
    server.ask(f"create database {database}")
    connection = duckdb.connect()
    for table in TABLES:
        data = connection.execute(f"select * from '{folder / table}.parquet'")
        server.ask(f"create table {table} ({', '.join(f'{name} {kind}' for name, kind, *_ in data.description)})", database=database)
        server.load(database, table, data.fetchall())
    server.ask(f"{COPIES} {_indexes()} analyze", database=database)
    return {name: Postgres(server, database, path) for name, path in (("all", "public"), ("ana", "ana,public"), ("bob", "bob,public"))}


@pytest.fixture(scope="module")
def statements(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[int, str]]:
    folder = tmp_path_factory.mktemp("tpch")
    return folder, make_tables(folder, SCALE)


@pytest.fixture(scope="module", params=["duckdb", "postgres"])
def engines(request: pytest.FixtureRequest, statements: tuple[Path, dict[int, str]]) -> Iterator[dict[str, DuckDB] | dict[str, Postgres]]:
    if request.param == "duckdb":
        made = engines_of_duckdb(statements[0])
        yield made
        _close(made.values())
        return
    with PostgresServer() as server:
        found = engines_of_postgres(statements[0], server)
        yield found
        _close(found.values())


def _indexes() -> str:
    """PostgreSQL looks at each row of `lineitem` for each row of `part` without them."""
    keys = (
        "lineitem (l_orderkey)",
        "lineitem (l_partkey, l_suppkey)",
        "orders (o_orderkey)",
        "orders (o_custkey)",
        "partsupp (ps_partkey)",
    )
    return "".join(f"create index on {schema}.{key};" for schema in ("public", "ana", "bob") for key in keys)


def _close(engines: Iterable[DuckDB | Postgres]) -> None:
    for engine in engines:
        engine.close()


def test_each_of_the_22_statements_gives_each_person_what_it_gives_over_copies_for_them(statements, engines) -> None:
    texts = statements[1]
    rules = filter_of(RULES, engines["all"])
    refused, dull = set(), set()
    for number, sql in texts.items():
        answers: list[Answer] = [engines["all"].run(sql)]
        for person in PEOPLE:
            try:
                filtered = rules(sql, None, person)
            except PermissionDenied:
                refused.add(number)
                continue
            answers.append(engines["all"].run(filtered.sql, filtered.params))
            assert answers[-1] == engines[person.name].run(sql), f"statement {number} for {person.name}: {filtered.sql}"
        if any(map(is_empty, answers)) or any(one == other for one, other in combinations(answers, 2)):
            dull.add(number)

    assert len(texts) == 22
    assert refused == set()
    assert dull == set(), "empty, or the same for two people or for all rows"


def test_a_rule_that_is_left_out_of_one_table_shows_in_the_answers(statements, engines) -> None:
    """The comparison itself: rules that forget the rows of `lineitem` give other answers to most of the statements."""
    forgetful = Rules(tables={**RULES.tables, "lineitem": TableRule("lineitem", columns=RULES.tables["lineitem"].columns)})
    rules = filter_of(forgetful, engines["all"])
    wrong = set()
    for number, sql in statements[1].items():
        filtered = rules(sql, None, BOB)
        if engines["all"].run(filtered.sql, filtered.params) != engines["bob"].run(sql):
            wrong.add(number)

    assert wrong >= {1, 5, 6, 7, 9, 10, 14, 19}
