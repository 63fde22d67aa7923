"""What may stand in a statement: each node by itself, as a parser may give it."""

from typing import Any

import pytest
import sqlglot
from sqlglot import exp

from st_auth.access.sql_grammar import require_readable
from st_auth.access.sql_known import BY_CLASS, BY_NAME, NODES, TABLES_BY_CLASS, TABLES_BY_NAME
from st_auth.access.sql_params import marker, ours
from st_auth.errors import PermissionDenied

MODIFIERS = ("into", "locks", "settings", "format", "options", "for_", "hint", "prewhere", "match")
TABLE = ("hints", "system_time", "version", "format", "pattern", "when", "only", "partition", "changes", "rows_from", "indexed")
WITHOUT = {
    "CTE": ("scalar",),
    "Except": MODIFIERS,
    "Intersect": MODIFIERS,
    "Join": ("hint", "global_", "directed"),
    "Select": MODIFIERS,
    "Subquery": MODIFIERS,
    "Table": TABLE,
    "Union": MODIFIERS,
    "With": ("udfs", "search"),
}
TIME = "time travel"
PARTS = {"hint": "a hint to the optimizer", "into": "SELECT … INTO", "locks": "FOR UPDATE or another lock", "only": "ONLY"}
PARTS |= {"partition": "a partition", "system_time": TIME, "version": TIME, "when": TIME, "changes": TIME, "udfs": "a function of its own"}
NODES_SAID = {
    "Hint": "a hint to the optimizer",
    "HistoricalData": TIME,
    "Parameter": "a session variable or a column by its number",
    "Placeholder": "a parameter that is not given",
    "SessionParameter": "a session variable",
    "ListStage": "a stage",
    "DynamicIdentifier": "a name that is put together at run time",
    "ReadCSV": "a file",
    "ReadParquet": "a file",
    "Command": "a statement that does not read",
    "Refresh": "what the parser calls Refresh",
    "NextValueFor": "the function NEXT_VALUE_FOR",
}


def select(*nodes: Any) -> exp.Select:
    return exp.Select(expressions=list(nodes))


def judge(tree: Any, dialect: str = "duckdb", functions: tuple[str, ...] = ()) -> str:
    """What a statement holds that nobody may, or an empty text."""
    parsed = sqlglot.parse_one(tree, dialect=dialect) if isinstance(tree, str) else tree
    try:
        require_readable(parsed, dialect, frozenset(functions))
    except PermissionDenied as refused:
        assert refused.code == "statement_refused"
        assert refused.hint
        return str(refused).removeprefix("This statement holds ").removesuffix(", so nobody can say that it obeys the rules.")
    return ""


@pytest.mark.parametrize(("kind", "part"), [(kind, part) for kind, parts in WITHOUT.items() for part in parts])
def test_a_part_of_a_node_that_may_read_more_is_refused(kind: str, part: str) -> None:
    said = judge(select(getattr(exp, kind)(**{part: exp.true()})))

    assert said == PARTS.get(part, f"what the parser calls {part}")


@pytest.mark.parametrize(("kind", "said"), NODES_SAID.items())
def test_a_node_that_nobody_knows_is_refused_by_what_it_is(kind: str, said: str) -> None:
    assert judge(select(getattr(exp, kind)())) == said


@pytest.mark.parametrize("statement", [exp.Command(this="x"), exp.Delete(), exp.Column(this=exp.to_identifier("a"))])
def test_what_does_not_read_is_no_statement_of_these(statement: exp.Expr) -> None:
    assert judge(statement) == "a statement that does not read"


@pytest.mark.parametrize(
    "sql",
    [
        "with a as (select 1 as n) select * from a",
        "select 1 except select 2",
        "select 1 intersect select 2",
        "select 1 union all select 2",
        "select * from (select 1) x left join y on x.a = y.a",
        "select a in (1, 2) from x",
        "select * from x, lateral (select 1) y",
        "select * from x, lateral unnest(x.a) y",
        "pivot x on a in (1) using sum(b)",
        "select * from x pivot (sum(a) for b in (1))",
        "select 1, 1.5, .5, 1e10, 2.e-3, 'text', 'it''s \\ here' from x",
        'select a, "a b", a1$ from x',
        "select extract(month from a), date_trunc('month', a) from x",
        "select a::geometry, a::decimal(10, 2) from x",
        "select a.b.c from x",
        "select lower(a) from x",
        "select * from unnest([1, 2])",
        "select * from range(3)",
        "select histogram(a) from x",
        "select * from db.s.x",
        "select row_number() over (partition by a order by b rows between unbounded preceding and current row) from x",
    ],
)
def test_what_reads_nothing_but_its_tables_is_taken(sql: str) -> None:
    assert judge(sql) == ""


@pytest.mark.parametrize(
    ("dialect", "sql"),
    [
        ("postgres", "select * from jsonb_each(a)"),
        ("sqlite", "select * from json_each('[]')"),
        ("snowflake", "select * from table(flatten(input => a))"),
        ("snowflake", 'select a:b.c, a:"x y" from t'),
        ("mysql", "select x'AF09', b'01' from t"),
        ("bigquery", "select r'a-b', b'ab' from t"),
    ],
)
def test_what_another_dialect_has_is_taken_there(dialect: str, sql: str) -> None:
    assert judge(sql, dialect) == ""


def literal(text: str, *, is_string: bool) -> exp.Literal:
    return exp.Literal(this=text, is_string=is_string)


def name(text: Any, *, quoted: bool = False) -> exp.Identifier:
    return exp.Identifier(this=text, quoted=quoted)


def table(**parts: Any) -> exp.Select:
    return exp.Select(expressions=[exp.Star()], from_=exp.From(this=exp.Table(**parts)))


@pytest.mark.parametrize(
    ("node", "said"),
    [
        (literal("1x", is_string=False), "a number that is none"),
        (literal("", is_string=False), "a number that is none"),
        (literal("a\\", is_string=True), "a text with a backslash before its end or before a quote"),
        (literal("a\\'b", is_string=True), "a text with a backslash before its end or before a quote"),
        (literal("a\0b", is_string=True), "a text with a backslash before its end or before a quote"),
        *[(name(f"a{sign}b", quoted=True), "a name with a quote or a sign") for sign in '"`\\\0'],
        *[(name(text), "a name with a quote or a sign") for text in ("", "a b", "1a", None, 7)],
        (name("", quoted=True), "a name with a quote or a sign"),
        (name("st_auth_t"), "a name that begins with st_auth_"),
        (name("ST_AUTH_t", quoted=True), "a name that begins with st_auth_"),
        *[(exp.Var(this=text), "a word that is none") for text in ("a b", "1a", "", None, 7)],
        (exp.DataType(this="USERDEFINED", kind="a-b"), "a type whose name has a sign in it"),
        (exp.DataType(this="USERDEFINED", kind="a..b"), "a type whose name has a sign in it"),
        (exp.column("nextval", table="s"), "a sequence"),
        (exp.column("CURRVAL", table="s"), "a sequence"),
        (exp.HexString(this="AG"), "a literal of bytes with a sign in it"),
        (exp.BitString(this="0'1"), "a literal of bytes with a sign in it"),
        *[(exp.RawString(this=text), "a raw text with a quote in it") for text in ("a'b", 'a"b', "a\nb", "a\0b", "a\\")],
        (exp.ByteString(this="a'b"), "a raw text with a quote in it"),
        *[(exp.JSONPathKey(this=f"a{sign}b"), "a path into JSON with a quote in it") for sign in "'\"`\\\0"],
        (exp.JSONPathKey(this=exp.JSONPathWildcard()), "a path into JSON with a quote in it"),
        (exp.Dot(this=name("main"), expression=exp.Lower(this=exp.column("a"))), "the function main.LOWER(a)"),
        (exp.In(this=exp.column("a"), field=exp.column("t")), "IN without parentheses"),
        (exp.TableFromRows(this=exp.column("a")), "a table that is put together at run time"),
        (exp.Lateral(this=exp.to_identifier("a")), "LATERAL before something else than a query"),
        (exp.Extract(this=literal("a b", is_string=True), expression=exp.column("c")), "a part of a date that is none"),
        (exp.Extract(this=name("a b", quoted=True), expression=exp.column("c")), "a part of a date that is none"),
        (exp.DateTrunc(this=exp.column("c"), unit=literal("a'b", is_string=True)), "a part of a date that is none"),
        (exp.DateTrunc(this=exp.column("c"), unit=exp.column("a b", quoted=True)), "a part of a date that is none"),
        (exp.Join(this=exp.Table(this=name("t")), side="LEFT; x"), "a word that is none in Join"),
        (exp.Window(this=exp.RowNumber(), over="a'b"), "a word that is none in Window"),
        (exp.Order(expressions=["a;b"]), "a word that is none in Order"),
        (exp.Literal(this="1", is_string=False, x="a;b"), "a word that is none in Literal"),
        (exp.DataType(this="a;b", kind="geometry"), "a word that is none in DataType"),
        (exp.Null(this="a;b"), "a word that is none in Null"),
        (exp.Null(x="a;b"), "a word that is none in Null"),
        (exp.Anonymous(this="stats", expressions=[]), "the function stats"),
        (exp.Anonymous(this="lower x", expressions=[]), "the function lower x"),
        (exp.Anonymous(this=exp.to_identifier("stats"), expressions=[]), "the function stats"),
        (literal(f"a{marker(0)}", is_string=True), "a parameter inside quotes"),
        (exp.Anonymous(this=f"x{marker(0)}"), f"the function x{marker(0)}"),
        (table(this=exp.Lower(this=exp.column("a"))), "the function LOWER in the place of a table"),
        (table(this=exp.Anonymous(this="histogram")), "the function histogram in the place of a table"),
        (table(this=exp.Anonymous(this="range"), db=name("main")), "the function RANGE()"),
        (table(this=exp.Unnest(), db=name("main")), "the function UNNEST()"),
        (table(this=exp.column("a")), "a table without a name"),
        (table(this=name("t"), db=exp.column("a")), "a table without a name"),
        (table(this=name("t"), catalog=name("c")), "two dots in a row"),
    ],
    ids=lambda value: value if isinstance(value, str) and "stauth" not in value else type(value).__name__,  # some hold a secret
)
def test_a_node_that_could_be_written_as_something_else_is_refused(node: Any, said: str) -> None:
    assert judge(node if isinstance(node, exp.Select) else select(node)) == said


@pytest.mark.parametrize(
    "node",
    [
        name("a$1"),
        name("x-y z", quoted=True),
        name(ours("st_auth_t")),
        exp.column("nextval"),
        exp.column("nextvalue", table="s"),
        exp.HexString(this=""),
        exp.BitString(this=101),
        exp.RawString(this="a\\b"),
        exp.JSONPathKey(this="a-b c"),
        exp.Dot(this=name("a"), expression=name("b")),
        exp.In(this=exp.column("a"), field=exp.column(marker(0))),
        exp.In(this=exp.column("a"), expressions=[literal("1", is_string=False)]),
        exp.TableFromRows(this=exp.Unnest()),
        exp.Lateral(this=exp.Subquery(this=select(exp.Star()))),
        exp.Lateral(this=exp.Unnest()),
        exp.Extract(this=exp.Var(this="month"), expression=exp.column("c")),
        exp.DateTrunc(this=exp.column("c"), unit=literal("month", is_string=True)),
        exp.DateTrunc(this=exp.column("c"), unit=exp.Lower(this=literal("a b", is_string=True))),
        exp.Join(this=exp.Table(this=name("t")), side="LEFT OUTER"),
        exp.DataType(this="USERDEFINED", kind="public.geo$"),
        exp.DataType(this="USERDEFINED", kind=exp.to_identifier("a-b", quoted=True)),
        exp.Anonymous(this="Histogram", expressions=[]),
        exp.Anonymous(this="HALF", expressions=[]),
        exp.Order(expressions=["a b", exp.column("a")]),
        table(this=name("t"), db=name("s"), catalog=name("c")),
        table(this=exp.Anonymous(this="RANGE")),
        table(this=exp.Anonymous(this="half")),
        table(this=exp.Unnest()),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_node_that_says_what_it_says_is_taken(node: Any) -> None:
    assert judge(node if isinstance(node, exp.Select) else select(node), functions=("half",)) == ""


def test_a_function_that_nobody_knows_can_be_called_harmless() -> None:
    with pytest.raises(PermissionDenied) as refused:
        require_readable(select(exp.Anonymous(this="HALF")), "duckdb", frozenset())

    assert 'write functions = ["half"] in [access] of rules.toml' in refused.value.hint


@pytest.mark.parametrize("dialect", ["snowflake", "postgres", "duckdb", "sqlite", "databricks", "trino", "bigquery", "mysql"])
def test_a_function_of_no_list_is_known_in_no_dialect(dialect: str) -> None:
    assert judge(select(exp.Anonymous(this="x")), dialect) == "the function x"
    assert judge(table(this=exp.Anonymous(this="json_treex")), dialect) != ""
    assert judge(select(exp.Lower(this=exp.column("a"))), dialect) == ""


def test_what_is_known_by_a_class_is_a_class_and_what_is_a_table_is_a_function_first() -> None:
    assert all(isinstance(getattr(exp, known, None), type) for known in NODES | BY_CLASS)
    assert TABLES_BY_CLASS <= BY_CLASS
    assert all(TABLES_BY_NAME[dialect] <= BY_NAME[dialect] for dialect in TABLES_BY_NAME)
