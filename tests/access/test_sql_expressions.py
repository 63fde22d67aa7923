"""An expression of the rule file: what it is, which of its columns are the table's, and what of it is bound."""

import pytest
from sqlglot import exp

from st_auth.access.sql_expressions import BadRule, expression, placed


def written(text: str, dialect: str = "duckdb", name: str = "t") -> tuple[str, list[tuple[str, bool]]]:
    """The expression in a statement, and what was bound."""
    bound: list[tuple[str, bool]] = []

    def bind(value: str, is_list: bool) -> str:
        bound.append((value, is_list))
        return f"b{len(bound) - 1}"

    return placed(expression(text, dialect), "s", name, bind).sql(dialect=dialect), bound


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a = 1", "s.a = 1"),
        ("t.a = 1 and T.b = 2", "s.a = 1 AND s.b = 2"),
        ("other.a = t.a", "other.a = s.a"),
        ("db.t.a = 1", "db.t.a = 1"),
        ("a in (select x from u)", "s.a IN (SELECT x FROM u)"),
        ("exists (select 1 from u where u.a = t.a)", "EXISTS(SELECT 1 FROM u WHERE u.a = s.a)"),
        ("exists (select 1 from u where db.t.a = u.a)", "EXISTS(SELECT 1 FROM u WHERE db.t.a = u.a)"),
        ("exists (select 1 from T where t.a = 1)", "EXISTS(SELECT 1 FROM T WHERE t.a = 1)"),
        ("exists (select 1 from u t where t.a = 1)", "EXISTS(SELECT 1 FROM u AS t WHERE t.a = 1)"),
        ("mask(a)", "CASE WHEN s.a IS NULL THEN NULL ELSE '***' END"),
    ],
)
def test_a_column_is_of_the_table_where_the_rule_means_the_table(text: str, expected: str) -> None:
    assert written(text) == (expected, [])


@pytest.mark.parametrize(
    ("text", "expected", "bound"),
    [
        (":email", "b0", [("email", False)]),
        ("a = :max", "s.a = b0", [("max", False)]),
        ("a in (:regions)", "s.a IN (b0)", [("regions", True)]),
        ("a in (:x, :y)", "s.a IN (b0, b1)", [("x", False), ("y", False)]),
        ("(:x) = a", "(b0) = s.a", [("x", False)]),
        ("mask(mask(coalesce(a, :x)))", None, [("x", False)]),
        ("a::text = :x", "CAST(s.a AS TEXT) = b0", [("x", False)]),
    ],
)
def test_a_value_of_the_persons_is_bound_and_a_list_where_it_stands_alone_in_an_in(text: str, expected: str | None, bound: object) -> None:
    sql, got = written(text)

    assert got == bound
    assert expected is None or sql == expected


def test_an_expression_is_read_in_the_dialect() -> None:
    assert written("`a` = 1", "mysql")[0] == "s.`a` = 1"
    with pytest.raises(BadRule, match="is no expression in the SQL of duckdb"):
        expression("`a` =", "duckdb")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("select 1", "is no expression; write one"),
        ("select 1 union select 2", "is no expression; write one"),
        ("drop table t", "is no expression; write one"),
        ("a = ':email'", "inside quotes"),
        ("mask(a, b)", "something else than one column"),
        ("mask()", "something else than one column"),
        ("a in (", "is no expression in the SQL"),
    ],
)
def test_what_is_no_expression_says_why(text: str, said: str) -> None:
    with pytest.raises(BadRule, match=said):
        expression(text, "duckdb")


def test_what_was_parsed_stays_as_it_is_when_it_is_placed() -> None:
    tree = expression("a = :x and t.b = 1", "duckdb")
    before = tree.sql()

    written("a = :x and t.b = 1")

    assert tree is expression("a = :x and t.b = 1", "duckdb")
    assert tree.sql() == before
    assert [node.name for node in tree.find_all(exp.Placeholder)] == ["x"]
