"""A statement under the rule file: what comes out of it, and what is refused."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from st_auth.access.permissions import Granted
from st_auth.access.rules import ColumnRule, Rules, Scalar, TableRule
from st_auth.access.sql import Filtered, SQLRules
from st_auth.errors import ConfigError, PermissionDenied

COLUMNS = ("region", "amount", "email", "margin", "secret")
TABLES = {
    "sales": TableRule(
        "sales",
        "sales:read",
        "region in (:regions)",
        {"email": ColumnRule("mask(email)"), "margin": ColumnRule("null", "people:read"), "secret": ColumnRule("hide")},
    ),
    "regions": TableRule("regions"),
    "own": TableRule("own", rows="owner = :email"),
    "hr.*": TableRule("hr.*", "people:read"),
    "lake.*": TableRule("lake.*", rows="not is_secret"),
    "lake.open": TableRule("lake.open"),
}


@dataclass
class Reader:
    """Somebody who reads, with the values that a test gives."""

    granted: Granted = field(default_factory=lambda: Granted(("analyst",), frozenset({"sales:read"})))
    values: dict[str, Sequence[Scalar]] = field(default_factory=lambda: {"regions": ("eu", "us"), "email": ("ana@acme.com",)})

    def value(self, name: str) -> Sequence[Scalar]:
        return self.values[name]


def filtered(sql: str, params: Any = None, *, dialect: str = "duckdb", style: Any = "dollar", reader: Reader | None = None) -> Filtered:
    rules = Rules(tables=TABLES, functions=frozenset({"half"}))
    return SQLRules(rules, dialect, style).filtered(sql, params, reader or Reader(), lambda _: COLUMNS)


def refusal(sql: str, params: Any = None, **how: Any) -> PermissionDenied:
    with pytest.raises(PermissionDenied) as caught:
        filtered(sql, params, **how)
    return caught.value


def test_a_table_becomes_its_rows_and_columns_under_its_own_name() -> None:
    asked = filtered("select * from sales")

    assert asked.sql == (
        'SELECT * FROM (SELECT st_auth_t."region", st_auth_t."amount", '
        "(CASE WHEN st_auth_t.email IS NULL THEN NULL ELSE '***' END) AS \"email\", "
        'CASE WHEN 1 = 0 THEN st_auth_t."margin" END AS "margin" '
        "FROM sales AS st_auth_t WHERE (st_auth_t.region IN ($p0_0, $p0_1))) AS sales"
    )
    assert asked.params == {"p0_0": "eu", "p0_1": "us"}
    assert (asked.tables, asked.rules, asked.hidden) == (("sales",), ("sales",), ("sales.secret",))


def test_a_column_is_as_it_is_for_somebody_with_its_permission() -> None:
    reader = Reader(Granted(("lead",), frozenset({"sales:read", "people:*"})))

    assert 'st_auth_t."margin", ' not in filtered("select * from sales").sql
    assert 'st_auth_t."margin" FROM' in filtered("select * from sales", reader=reader).sql


def test_the_alias_of_a_table_is_kept() -> None:
    assert filtered("select s.amount from sales s").sql.endswith(") AS s")


def test_a_table_whose_rule_takes_nothing_away_stays_as_it_is() -> None:
    assert filtered("select * from regions").sql == "SELECT * FROM regions"


def test_a_cte_of_the_name_of_a_table_is_not_taken_for_the_table() -> None:
    asked = filtered("with sales as (select 1 as amount) select amount from sales")

    assert asked.sql == "WITH st_auth_cte_1 AS (SELECT 1 AS amount) SELECT amount FROM st_auth_cte_1 AS sales"
    assert asked.tables == ()


def test_a_cte_does_not_see_itself_unless_it_is_recursive() -> None:
    assert filtered("with sales as (select * from sales) select * from sales").tables == ("sales",)
    assert filtered("with recursive sales as (select 1 as n union all select n + 1 from sales) select * from sales").tables == ()


def test_a_cte_is_not_seen_outside_of_its_statement() -> None:
    asked = filtered("select * from (with regions as (select 1) select * from regions) x, sales, regions")

    assert asked.tables == ("sales", "regions")


@pytest.mark.parametrize(
    "sql",
    [
        "select 1 where exists (select 1 from sales)",
        "select (select max(amount) from sales)",
        "select * from regions where region in (select region from sales)",
        "select 1 union all select amount from sales",
        "select * from regions, lateral (select * from sales) x",
        "select * from regions join sales using (region)",
        "select * from (sales join regions using (region)) x",
        "from sales",
        "with a as (with b as (select * from sales) select * from b) select * from a",
        "select * from sales pivot (sum(amount) for region in ('eu'))",
        "pivot sales on region in ('eu') using sum(amount)",
        "unpivot sales on amount, margin into name what value much",
        "select count(*) over (order by (select max(amount) from sales)) from regions",
        "select * from SALES",
        'select * from "sales"',
    ],
)
def test_a_table_is_filtered_wherever_it_stands(sql: str) -> None:
    assert "IN ($p" in filtered(sql).sql


def test_a_pivot_without_its_values_is_refused_where_something_is_bound_as_duckdb_takes_no_parameter_there() -> None:
    refused = refusal("pivot sales on region using sum(amount)")

    assert refused.code == "statement_refused"
    assert "PIVOT … ON column IN ('a', 'b')" in refused.hint
    assert filtered("pivot regions on region using count(*)").sql == "PIVOT regions ON region USING COUNT(*)"


def test_below_a_pivot_columns_keep_their_tables() -> None:
    """sqlglot takes them off there: a rule that asks another table, or a join of the author's, would mean something else."""
    asked = filtered("pivot (select a.* from sales a join own o on a.region = o.region) on region in ('eu') using sum(amount)")

    assert "SELECT a.* FROM" in asked.sql
    assert "ON a.region = o.region" in asked.sql
    assert "WHERE (st_auth_t.region IN ($p0_0, $p0_1))" in asked.sql


def test_a_name_with_its_schema_needs_a_rule_of_its_own() -> None:
    assert refusal("select * from main.sales").code == "no_rule"


def test_a_default_schema_may_be_named_or_left_out() -> None:
    rules = SQLRules(Rules(tables={"sales": TABLES["regions"], "app.x": TABLES["regions"]}, schema="app"), "postgres", "named")

    for sql in ("select * from app.sales", "select * from sales", "select * from x", "select * from app.x"):
        assert rules.filtered(sql, None, Reader(), lambda _: ()).rules == ("regions",)
    with pytest.raises(PermissionDenied):
        rules.filtered("select * from other.sales", None, Reader(), lambda _: ())


def test_a_column_may_be_named_with_its_schema() -> None:
    asked = filtered("select lake.salt.amount from lake.salt")

    assert asked.sql.startswith("SELECT salt.amount FROM (SELECT * FROM lake.salt AS st_auth_t")


def test_the_rule_that_is_written_out_further_counts() -> None:
    assert filtered("select * from lake.open").rules == ("lake.open",)
    assert filtered("select * from lake.other").rules == ("lake.*",)


def test_a_star_in_a_rule_means_no_file() -> None:
    assert refusal("select * from lake.'x.csv'").code in ("no_rule", "statement_refused")
    assert refusal('select * from lake."a*"').code == "no_rule"


def test_a_table_without_a_rule_is_refused_with_the_smallest_rule() -> None:
    refused = refusal("select * from wages")

    assert (refused.code, refused.table) == ("no_rule", "wages")
    assert "[tables.wages]" in refused.hint


def test_a_table_that_needs_a_permission_is_refused_without_it() -> None:
    refused = refusal("select * from hr.wages")

    assert (refused.code, refused.permission) == ("permission_missing", "people:read")


def test_one_value_is_bound_where_the_rule_asks_for_one() -> None:
    assert filtered("select * from own").params == {"p0": "ana@acme.com"}


def test_several_values_where_the_rule_asks_for_one_are_refused() -> None:
    refused = refusal("select * from own", reader=Reader(values={"email": ("a", "b")}))

    assert (refused.code, refused.claim) == ("claim_missing", "email")


def test_a_value_that_holds_sql_is_bound_like_any_other() -> None:
    evil = "x') or 1=1 --"

    asked = filtered("select * from own", reader=Reader(values={"email": (evil,)}))

    assert evil not in asked.sql
    assert asked.params == {"p0": evil}


@pytest.mark.parametrize(
    ("sql", "params", "dialect", "style", "expected"),
    [
        ("select '?' as a, ? from regions", [7], "duckdb", "dollar", "SELECT '?' AS a, $p0 FROM regions"),
        ("select $2, $1 from regions", [7, 8], "duckdb", "dollar", "SELECT $p0, $p1 FROM regions"),
        ("select $x from regions", {"x": 7}, "duckdb", "dollar", "SELECT $p0 FROM regions"),
        ("select :x, ':y' from regions", {"x": 7}, "postgres", "named", "SELECT :p0, '\\:y' FROM regions"),
        ("select %s, '5%%' from regions", [7], "snowflake", "pyformat", "SELECT %(p0)s, '5%%' FROM regions"),
        ("select %(x)s from regions", {"x": 7}, "snowflake", "pyformat", "SELECT %(p0)s FROM regions"),
        ("select '5%' from regions", None, "snowflake", "pyformat", "SELECT '5%' FROM regions"),
    ],
)
def test_parameters_keep_their_places_in_the_style_of_the_driver(sql: str, params: Any, dialect: str, style: Any, expected: str) -> None:
    asked = filtered(sql, params, dialect=dialect, style=style)

    assert asked.sql == expected
    if params:
        assert asked.params is not None
        assert 7 in asked.params.values()


def test_a_parameter_inside_quotes_is_refused() -> None:
    refused = refusal("select * from sales where region = ':x'", {"x": "eu"}, dialect="postgres", style="named")

    assert refused.code == "statement_refused"


@pytest.mark.parametrize(
    ("sql", "params", "style"),
    [("select ?", [], "dollar"), ("select $2", [1], "dollar"), ("select %s, %s", [1], "pyformat"), ("select 5 % 3, %s", [1], "pyformat")],
)
def test_parameters_that_do_not_fit_are_an_error(sql: str, params: Any, style: Any) -> None:
    with pytest.raises((ValueError, PermissionDenied)):
        filtered(sql, params, style=style)


@pytest.mark.parametrize(
    "sql",
    [
        "delete from sales",
        "select 1; select 2",
        "",
        "select * into x from sales",
        "select * from sales for update",
        "copy sales to 'x.csv'",
        "create table x as select * from sales",
        "select * from read_csv('x.csv')",
        "select * from query_table('sales')",
        "select stats(amount) from sales",
        "select main.lower(region) from sales",
        "select 'a\\' from sales",
        "explain select * from sales",
        "describe sales",
        "set variable x = 1",
    ],
)
def test_what_cannot_be_shown_to_obey_is_refused(sql: str) -> None:
    assert refusal(sql).code == "statement_refused"


def test_a_function_that_the_rule_file_calls_harmless_is_taken() -> None:
    assert "HALF(amount)" in filtered("select half(amount) from regions").sql


def test_a_rule_for_a_column_that_is_not_there_shows_nothing() -> None:
    rules = SQLRules(Rules(tables={"sales": TableRule("sales", columns={"emial": ColumnRule("hide")})}), "duckdb", "dollar")

    with pytest.raises(ConfigError, match="emial: is no column"):
        rules.filtered("select * from sales", None, Reader(), lambda _: COLUMNS)


def test_a_statement_is_compiled_once_for_people_with_the_same_permissions() -> None:
    rules, asked = SQLRules(Rules(tables=TABLES), "duckdb", "dollar"), []

    def columns(table: str) -> tuple[str, ...]:
        asked.append(table)
        return COLUMNS

    first = rules.filtered("select * from sales", None, Reader(), columns)
    second = rules.filtered("select * from sales", None, Reader(values={"regions": ("mea",)}), columns)

    assert asked == ["sales"]
    assert first.params == {"p0_0": "eu", "p0_1": "us"}
    assert second.params == {"p0_0": "mea"}
    rules.forget()
    rules.filtered("select * from sales", None, Reader(), columns)
    assert asked == ["sales", "sales"]


def test_a_rule_may_use_what_a_statement_may_not() -> None:
    own = TableRule("sales", rows="app.is_mine(region, current_setting('app.x')) and region in (select r from mine)")
    rules = SQLRules(Rules(tables={"sales": own}), "postgres", "named")

    assert "app.is_mine(st_auth_t.region" in rules.filtered("select * from sales", None, Reader(), lambda _: ()).sql
    for sql in ("select app.is_mine(1, 2)", "select current_setting('app.x') from sales", "select * from sales, mine"):
        with pytest.raises(PermissionDenied):
            rules.filtered(sql, None, Reader(), lambda _: ())


def test_what_stands_inside_of_mask_is_read_too() -> None:
    rules = Rules(tables={"sales": TableRule("sales", columns={"email": ColumnRule("mask(mask(coalesce(email, :email)))")})})

    asked = SQLRules(rules, "duckdb", "dollar").filtered("select email from sales", None, Reader(), lambda _: COLUMNS)

    assert "mask" not in asked.sql.lower()
    assert asked.params == {"p0": "ana@acme.com"}


def test_no_statement_is_quoted_in_a_log(caplog: pytest.LogCaptureFixture) -> None:
    for sql in ("explain select 'CANARY' from sales", "vacuum CANARY", "show CANARY", "select 'CANARY' /*"):
        with pytest.raises(PermissionDenied):
            filtered(sql)

    assert "CANARY" not in caplog.text


def ruled(rule: TableRule, sql: str = "select * from sales", **how: Any) -> Filtered:
    return SQLRules(Rules(tables={"sales": rule}), how.get("dialect", "duckdb"), "dollar").filtered(sql, None, Reader(), lambda _: COLUMNS)


def test_a_table_whose_columns_are_all_hidden_is_refused() -> None:
    with pytest.raises(PermissionDenied) as caught:
        ruled(TableRule("sales", columns=dict.fromkeys(COLUMNS, ColumnRule("hide"))))
    assert (caught.value.code, caught.value.table) == ("permission_missing", "sales")


def test_a_rule_that_is_no_sql_shows_nothing() -> None:
    with pytest.raises(ConfigError, match="region in"):
        ruled(TableRule("sales", rows="region in ("))


def test_a_rule_may_be_a_value_alone() -> None:
    assert ruled(TableRule("sales", rows=":email")).sql.endswith("WHERE ($p0)) AS sales")


def test_a_column_may_be_named_with_its_catalog() -> None:
    rules = SQLRules(Rules(tables={"db.main.sales": TableRule("db.main.sales", rows="region = 'eu'")}), "duckdb", "dollar")

    assert rules.filtered("select db.main.sales.amount from db.main.sales", None, Reader(), lambda _: ()).sql.startswith(
        "SELECT sales.amount"
    )


def test_parameters_in_no_known_form_are_an_error() -> None:
    with pytest.raises(TypeError, match="dict or a sequence"):
        filtered("select ? from regions", "x")


def test_only_so_many_statements_are_kept() -> None:
    rules = SQLRules(Rules(tables={"regions": TableRule("regions")}), "duckdb", "dollar")
    for number in range(520):
        rules.filtered(f"select {number} from regions", None, Reader(), lambda _: ())

    assert len(rules._compiled) == 512
