"""Small things of a statement under the rule file that the larger tests pass by."""

from collections.abc import Mapping
from typing import Any

import pytest
import sqlglot
from sqlglot import exp

from st_auth.access.permissions import Granted
from st_auth.access.rules import ColumnRule, Rules, TableRule
from st_auth.access.sql import Filtered, SQLRules
from st_auth.access.sql_names import TableNames, empty_select, fold_column, twins
from st_auth.access.sql_params import is_marker, marker
from st_auth.access.sql_rewrite import Rewriting
from st_auth.errors import ConfigError, PermissionDenied
from tests.access.sql_ground import STYLES
from tests.access.test_sql import Reader

SOME = TableRule("sales", rows="a = 1")
SEEN = "(SELECT * FROM sales AS st_auth_t WHERE (st_auth_t.a = 1))"
SAMPLE = "TABLESAMPLE SYSTEM (10 PERCENT)"


def named(*rules: TableRule) -> dict[str, TableRule]:
    return {rule.name: rule for rule in rules}


def ask(sql: str, *rules: TableRule, params: Any = None, dialect: str = "duckdb", values: Any = None, schema: str = "") -> Filtered:
    ruled = SQLRules(Rules(tables=named(*(rules or (SOME, TableRule("x")))), schema=schema), dialect, STYLES.get(dialect, "named"))
    reader = Reader(values=values) if values else Reader()
    return ruled.filtered(sql, params, reader, lambda _: ("a", "b"))


def refusal(sql: str, *rules: TableRule, **how: Any) -> PermissionDenied:
    with pytest.raises(PermissionDenied) as caught:
        ask(sql, *rules, **how)
    return caught.value


# -- where a table stands --------------------------------------------------------------------------------------------------


def test_a_table_beside_a_cte_keeps_its_rule() -> None:
    asked = ask("with y as (select 1 as n), z as (select 2 as n) select * from y, sales, z")

    assert asked.sql.endswith(f"SELECT * FROM st_auth_cte_1 AS y, {SEEN} AS sales, st_auth_cte_2 AS z")


def test_a_table_with_a_schema_is_never_a_cte() -> None:
    asked = ask("with salt as (select 1 as n) select * from lake.salt, salt", TableRule("lake.salt"))

    assert asked.sql == "WITH st_auth_cte_1 AS (SELECT 1 AS n) SELECT * FROM lake.salt, st_auth_cte_1 AS salt"
    assert asked.tables == ("lake.salt",)


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("select * from sales s tablesample (10 percent)", f"SELECT * FROM (SELECT * FROM {SEEN}) AS s {SAMPLE}"),
        (
            "select * from (sales tablesample (10 percent) join x using (a))",
            f"SELECT * FROM ((SELECT * FROM (SELECT * FROM {SEEN}) AS sales {SAMPLE}) AS sales JOIN x USING (a))",
        ),
        (
            "select * from sales pivot (sum(a) for b in ('x')) tablesample (10 percent)",
            f"SELECT * FROM (SELECT * FROM {SEEN}) PIVOT(SUM(a) FOR b IN ('x')) {SAMPLE}",
        ),
        (
            "select * from (sales o tablesample (10 percent) lateral view explode(b) t as c)",
            f"SELECT * FROM ((SELECT * FROM (SELECT * FROM {SEEN}) AS o {SAMPLE}) AS o CROSS JOIN UNNEST(b) AS t(c))",
        ),
        ("select * from sales pivot (sum(a) for b in ('x'))", f"SELECT * FROM {SEEN} PIVOT(SUM(a) FOR b IN ('x'))"),
    ],
)
def test_what_stands_behind_a_table_stays_behind_it(sql: str, expected: str) -> None:
    assert ask(sql).sql == expected


def test_a_column_keeps_the_catalog_of_another_table() -> None:
    rules = (TableRule("db.main.sales", rows="a = 1"), TableRule("other.main.sales"))

    asked = ask("select db.main.sales.a, other.main.sales.a from db.main.sales, other.main.sales", *rules)

    assert asked.sql.startswith("SELECT sales.a, other.main.sales.a FROM (SELECT * FROM db.main.sales AS st_auth_t ")
    assert asked.tables == ("db.main.sales", "other.main.sales")


def test_only_a_table_that_lost_nothing_may_stay_in_the_statement() -> None:
    tables = named(SOME, TableRule("own", columns={"a": ColumnRule("hide")}), TableRule("x"))
    rewriting = Rewriting(TableNames(tables, "", "duckdb"), "duckdb", Granted((), frozenset()), lambda _: ("a", "b"), [])

    rewriting.run(sqlglot.parse_one("select * from sales, own, x", dialect="duckdb"))

    assert [rewriting.may_stay(exp.to_table(name)) for name in ("sales", "own", "x")] == [False, False, True]
    with pytest.raises(PermissionDenied, match="reads in another way"):
        rewriting.written("SELECT * FROM x")


class _Careless(SQLRules):
    class _Rewriting(Rewriting):
        def run(self, tree: exp.Expr) -> exp.Expr:
            return tree

    _rewriting = _Rewriting


def test_what_was_not_rewritten_is_refused_in_the_end() -> None:
    with pytest.raises(PermissionDenied, match="reads in another way"):
        _Careless(Rules(tables=named(SOME)), "duckdb", "dollar").filtered("select * from sales", None, Reader(), lambda _: ())


def test_what_cannot_be_read_once_it_is_written_again_is_refused() -> None:
    refused = refusal("select * from sales tablesample (10 percent) as s", dialect="databricks")

    assert "cannot be read once it is written again" in str(refused)


@pytest.mark.parametrize(
    ("table", "key"), [("my_table", "my_table"), ("main.t", '"main.t"'), ('"a b"', '"a b"')], ids=["plain", "schema", "blank"]
)
def test_a_missing_rule_is_shown_as_the_file_would_have_it(table: str, key: str) -> None:
    assert refusal(f"select * from {table}").hint.endswith(f'in .streamlit/rules.toml:\n\n    [tables.{key}]\n    needs = "…:read"')


# -- the SELECT in a table's place -----------------------------------------------------------------------------------------


def test_a_rule_calls_its_table_by_the_last_part_of_its_name() -> None:
    for name in ("main.box", 'main."box"'):
        assert ask("select * from main.box", TableRule(name, rows="box.a = 1")).sql.endswith("WHERE (st_auth_t.a = 1)) AS box")


def test_a_value_that_a_rule_names_twice_is_bound_once() -> None:
    asked = ask("select * from t, t u", TableRule("t", rows="a = :email or b = :email"))

    assert asked.sql.count("$p0") == 4
    assert asked.params == {"p0": "ana@acme.com"}


def test_a_column_of_another_table_in_a_rule_keeps_its_schema_and_catalog() -> None:
    rule = TableRule("main.t", rows="t.a = (select max(db.main.y.a) from db.main.y where main.z.b = t.b)")

    assert "(SELECT MAX(db.main.y.a) FROM db.main.y WHERE main.z.b = st_auth_t.b)" in ask("select * from main.t", rule).sql


def test_a_rule_of_its_own_pivot_compares_the_columns_that_it_names() -> None:
    """Some generators take the qualifiers away there: a column would be compared with itself, and every row be shown."""
    rule = TableRule("t", rows="a in (select c from (pivot (select y.c, y.d from z as y where y.a = t.a) on d in (1) using sum(c)))")

    assert "(SELECT y.c, y.d FROM z AS y WHERE y.a = st_auth_t.a)" in ask("select * from t", rule).sql


def test_a_rule_asks_for_columns_and_is_written_in_the_dialect() -> None:
    asked: list[str] = []
    rules = Rules(tables=named(TableRule("Sal es", rows="a = 1 /* CANARY */", columns={"a": ColumnRule("null")})))

    def columns(table: str) -> tuple[str, ...]:
        asked.append(table)
        return ("a", "b")

    sql = SQLRules(rules, "mysql", "named").filtered("select /* CANARY */ `a` from `Sal es`", None, Reader(), columns).sql

    assert asked == ["`Sal es`"]
    assert sql == (
        "SELECT `a` FROM (SELECT CASE WHEN 1 = 0 THEN st_auth_t.`a` END AS `a`, st_auth_t.`b` "
        "FROM `Sal es` AS st_auth_t WHERE (st_auth_t.a = 1)) AS `Sal es`"
    )


def test_columns_are_asked_of_a_table_with_its_catalog() -> None:
    asked = ask("select * from db.main.t", TableRule("db.main.t", columns={"a": ColumnRule("hide")}))

    assert asked.sql == 'SELECT * FROM (SELECT st_auth_t."b" FROM db.main.t AS st_auth_t) AS t'


@pytest.mark.parametrize("rows", ["", "a in (select b from y pivot (sum(c) for d in (1, 2)))"])
def test_what_a_dialect_does_not_know_is_written_neither_in_a_rule_nor_in_a_statement(rows: str) -> None:
    sql = "select * from t" if rows else "select * from t pivot (sum(c) for d in (1, 2))"

    assert "holds what sqlite does not know" in str(refusal(sql, TableRule("t", rows=rows), dialect="sqlite"))


@pytest.mark.parametrize("rule", [TableRule("t", columns={"c": ColumnRule("hide")}), TableRule("t", rows="a in (")])
def test_what_is_wrong_with_a_rule_names_its_file(rule: TableRule) -> None:
    with pytest.raises(ConfigError, match=r"\.streamlit/rules\.toml[^x]"):
        ask("select * from t", rule)


# -- names -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("dialect", "plain", "quoted"),
    [
        ("postgres", ["sales", "SALES", '"sales"'], ['"SALES"', '"Sales"']),
        ("snowflake", ["sales", "SALES", '"SALES"'], ['"sales"', '"Sales"']),
        ("duckdb", ["sales", "SALES", '"SALES"', '"Sales"'], ["sale"]),
        ("mysql", ["Sales", "`Sales`"], ["sales", "`SALES`"]),
    ],
)
def test_a_table_is_found_in_the_capitals_in_which_the_database_finds_it(dialect: str, plain: list[str], quoted: list[str]) -> None:
    rule = TableRule("Sales")

    assert [ask(f"select * from {name}", rule, dialect=dialect).rules for name in plain] == [("Sales",)] * len(plain)
    assert [refusal(f"select * from {name}", rule, dialect=dialect).code for name in quoted] == ["no_rule"] * len(quoted)


def test_names_are_folded_in_ascii_and_nowhere_else() -> None:
    some = "".join(map(chr, range(0x250)))
    lower = "".join(chr(number + 32) if 65 <= number <= 90 else chr(number) for number in range(0x250))
    upper = "".join(chr(number - 32) if 97 <= number <= 122 else chr(number) for number in range(0x250))
    plain = "".join(sign for sign in some if sign not in '".')

    assert fold_column(some) == lower
    for dialect, folded in (("postgres", lower), ("snowflake", upper), ("mysql", some)):
        names = TableNames(named(TableRule(plain)), "", dialect)
        assert names.find(("".join(sign for sign in folded if sign not in '".'),)) is not None


def found(tables: tuple[str, ...], schema: str, name: tuple[str, ...]) -> str | None:
    rule = TableNames(named(*map(TableRule, tables)), schema, "postgres").find(name)
    return rule and rule.name


@pytest.mark.parametrize(
    ("tables", "schema", "name", "rule"),
    [
        (("*.salt", "lake.*"), "", ("lake", "salt"), "lake.*"),
        (('main."My""Table"',), "", ("main", 'My"Table'), 'main."My""Table"'),
        (('main."My.Table"',), "", ("main", "My.Table"), 'main."My.Table"'),
        (("sales", "other.*"), "db.main", ("other", "sales"), "other.*"),
        (("sales", "other.*"), "db.main", ("main", "sales"), "sales"),
        (("sales", "other.*"), "db.main", ("db", "main", "sales"), "sales"),
        (("db.main.sales",), "db.main", ("sales",), "db.main.sales"),
        (("db.main.sales", "main.*"), "db.main", ("main", "Sales"), None),
        (("srv.x.main.sales", "x.main.*"), "db.main", ("x", "main", "sales"), None),
        (("sales",), "db.main", ("db", "sales"), None),
        (("app.other.sales",), "app", ("other", "sales"), None),
        (("other.sales", "*"), "", ("sales",), None),
        (("*",), "", ("sales",), "*"),
        (("lake.*",), "", ("lake", "salt", "x"), None),
    ],
)
def test_a_table_is_found_by_its_name_with_the_schema_or_without(tables: Any, schema: str, name: Any, rule: str | None) -> None:
    assert found(tables, schema, name) == rule


@pytest.mark.parametrize(
    "name",
    [
        *("pg_class", "sqlite_master", "duckdb_tables", "pragma_x", "__x", "information_schema", "sys", "system", "mysql"),
        *("performance_schema", "snowflake", "dbstat", "account_usage", "ACCOUNT_USAGE", "a.csv", "a*", "a$x", "-a", "a/b"),
    ],
)
def test_a_star_means_nothing_that_the_database_keeps_and_no_file(name: str) -> None:
    assert found(("*.*",), "", ("lake", name)) is None
    assert found(("*.*",), "", (name, "salt")) is None
    assert found(("*.*",), "", ("lake", "salt-1 b")) == "*.*"


def test_a_table_is_named_as_the_rule_file_names_it() -> None:
    names = TableNames(named(TableRule("main.Sales")), "", "postgres")

    assert [names.named(text) is not None for text in ("main.sales", 'Main."sales"', 'main."Sales"')] == [True, True, False]


@pytest.mark.parametrize(
    ("dialect", "schema", "expected"),
    [
        ("mysql", "s", "SELECT * FROM `s`.`T` WHERE 1 = 0"),
        ("postgres", "s", 'SELECT * FROM "s"."T" WHERE 1 = 0'),
        ("postgres", "", 'SELECT * FROM "T" WHERE 1 = 0'),
    ],
)
def test_the_columns_of_a_table_are_asked_for_without_its_rows(dialect: str, schema: str, expected: str) -> None:
    assert empty_select(dialect, schema, "T") == expected


def test_names_that_differ_in_capitals_alone_are_twins() -> None:
    assert twins(["Sales", "sales", "SALES", "orders", "orders"]) == [("Sales", "sales"), ("Sales", "SALES")]


# -- parameters ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("dialect", "sql", "params", "expected", "bound"),
    [
        ("postgres", "select '\\:y', :x from x", {"x": 1}, "SELECT '\\:y', :p0 FROM x", {"p0": 1}),
        ("postgres", "select 'a:b' from x", None, "SELECT 'a\\:b' FROM x", None),
        ("snowflake", "select '5%' from x", None, "SELECT '5%' FROM x", None),
        ("snowflake", "select 5 %% 3, %s, %s from x", [1, 2], "SELECT 5 %% 3, %(p0)s, %(p1)s FROM x", {"p0": 1, "p1": 2}),
        ("snowflake", "select %s, %s, %s from x", [1, 2, 3], "SELECT %(p0)s, %(p1)s, %(p2)s FROM x", {"p0": 1, "p1": 2, "p2": 3}),
        ("duckdb", "select ?, ? from x", [1, 2], "SELECT $p0, $p1 FROM x", {"p0": 1, "p1": 2}),
        ("duckdb", "select 1 from x", None, "SELECT 1 FROM x", None),
        ("duckdb", "select ? from x", [[1, 2]], "SELECT $p0 FROM x", {"p0": [1, 2]}),
        ("bigquery", "select `a` /* CANARY */ from x", None, "SELECT `a` FROM x", None),
    ],
)
def test_what_is_bound_and_what_is_text_are_written_for_the_driver(
    dialect: str, sql: str, params: Any, expected: str, bound: Mapping[str, Any] | None
) -> None:
    asked = ask(sql, dialect=dialect, params=params)

    assert (asked.sql, asked.params) == (expected, bound)


@pytest.mark.parametrize(
    ("dialect", "sql", "params", "error"),
    [
        ("postgres", "select :x from x", [1], TypeError),
        ("snowflake", "select 5 % 3 from x", [1], ValueError),
        ("snowflake", "select %(y)s from x", {"x": 1}, ValueError),
        ("duckdb", "select ? from x", [1, 2], ValueError),
    ],
)
def test_parameters_that_the_driver_would_not_take_are_an_error(dialect: str, sql: str, params: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        ask(sql, dialect=dialect, params=params)


def test_only_a_column_of_that_name_stands_for_what_is_bound() -> None:
    assert [is_marker(node) for node in (exp.column(marker(0)), exp.column("a"), exp.to_identifier(marker(0)))] == [True, False, False]


def test_mysql_gets_numbers_and_truths_as_texts_and_nobody_else_does() -> None:
    rule, values = TableRule("t", rows="a in (:v)"), {"v": (0, True, 1.5, "x")}

    assert ask("select * from t", rule, dialect="mysql", values=values).params == {"p0_0": "0", "p0_1": "1", "p0_2": "1.5", "p0_3": "x"}
    assert ask("select * from t", rule, dialect="postgres", values=values).params == {"p0_0": 0, "p0_1": True, "p0_2": 1.5, "p0_3": "x"}


# -- what is kept of statements, and what is refused at the door -----------------------------------------------------------


def test_a_statement_with_other_parameters_is_another_one() -> None:
    rules = Rules(tables=named(TableRule("x")))
    snowflake, postgres = SQLRules(rules, "snowflake", "pyformat"), SQLRules(rules, "postgres", "named")
    snowflake.filtered("select '5%' from x", None, Reader(), lambda _: ())
    postgres.filtered("select :a from x", {"a": 1}, Reader(), lambda _: ())

    with pytest.raises(ValueError, match="write %%"):
        snowflake.filtered("select '5%' from x", [1], Reader(), lambda _: ())
    with pytest.raises(PermissionDenied):
        postgres.filtered("select :a from x", {"b": 1}, Reader(), lambda _: ())


def test_the_oldest_statement_is_the_first_to_go() -> None:
    asked: list[str] = []
    rules = SQLRules(Rules(tables=named(TableRule("x", columns={"a": ColumnRule("hide")}))), "duckdb", "dollar")

    def columns(table: Any) -> tuple[str, ...]:
        asked.append(table)
        return "a", "b"

    def run(number: int) -> None:
        rules.filtered(f"select {number} from x", None, Reader(), columns)

    for number in [*range(513), 512, 511, 1]:
        run(number)
    assert len(asked) == 513
    run(0)
    assert len(asked) == 514


def test_a_statement_may_be_so_long_and_no_longer() -> None:
    sql = "select 1 from x".ljust(100_000)

    assert ask(sql).sql == "SELECT 1 FROM x"
    assert "100,000 characters" in str(refusal(f"{sql} "))


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("", "This statement holds no statement, so"),
        (";", "This statement holds no statement, so"),
        ("select 1; select 2", "This statement holds several statements, so"),
        ("select 'CANARY", "cannot be read as SQL of duckdb: a quote or a comment in it has no end."),
        ("select 1 +\n from x", "cannot be read as SQL of duckdb: it is none to us, line 2, column 5."),
        (f"select {'(' * 2000}1{')' * 2000}", "This statement holds too many levels, so"),
    ],
)
def test_what_cannot_be_read_is_refused_with_the_reason(sql: str, said: str) -> None:
    refused = refusal(sql)

    assert refused.code == "statement_refused"
    assert said in str(refused)
