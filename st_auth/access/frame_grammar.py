"""Judge an expression of the rule file: has all of it an equivalent in frames? A list of what has one; what is not in it has none."""

from collections.abc import Callable, Mapping
from typing import Final

from sqlglot import exp

__all__ = ["CASTS", "escape_of", "fault"]

_TWO: Final = frozenset({"this", "expression"})
PARTS: Final[Mapping[type[exp.Expr], frozenset[str]]] = {
    exp.Abs: frozenset({"this"}),
    exp.Add: _TWO,
    exp.And: _TWO,
    exp.Between: frozenset({"this", "low", "high"}),
    exp.Boolean: frozenset({"this"}),
    exp.Case: frozenset({"this", "ifs", "default"}),
    exp.Cast: frozenset({"this", "to"}),
    exp.Coalesce: frozenset({"this", "expressions", "is_nvl"}),
    exp.Column: frozenset({"this", "table"}),
    exp.Concat: frozenset({"expressions", "safe", "coalesce"}),
    exp.DPipe: _TWO | {"safe"},
    exp.DataType: frozenset({"this"}),
    exp.Day: frozenset({"this"}),
    exp.Div: _TWO | {"typed", "safe"},
    exp.EQ: _TWO,
    exp.Escape: _TWO,
    exp.Extract: _TWO,
    exp.GT: _TWO,
    exp.GTE: _TWO,
    exp.ILike: _TWO | {"negate"},
    exp.Identifier: frozenset({"this", "quoted"}),
    exp.If: frozenset({"this", "true", "false"}),
    exp.In: frozenset({"this", "expressions"}),
    exp.Is: _TWO | {"negate"},
    exp.LT: _TWO,
    exp.LTE: _TWO,
    exp.Left: _TWO | {"negative_length_returns_empty"},
    exp.Length: frozenset({"this", "binary"}),
    exp.Like: _TWO | {"negate"},
    exp.Literal: frozenset({"this", "is_string"}),
    exp.Lower: frozenset({"this"}),
    exp.Mod: _TWO,
    exp.Month: frozenset({"this"}),
    exp.Mul: _TWO,
    exp.NEQ: _TWO,
    exp.Neg: frozenset({"this"}),
    exp.Not: frozenset({"this"}),
    exp.Null: frozenset(),
    exp.Nullif: _TWO,
    exp.Or: _TWO,
    exp.Paren: frozenset({"this"}),
    exp.Placeholder: frozenset({"this"}),
    exp.Replace: frozenset({"this", "expression", "replacement"}),
    exp.Right: _TWO | {"negative_length_returns_empty"},
    exp.Round: frozenset({"this", "decimals", "casts_non_integer_decimals"}),
    exp.Sub: _TWO,
    exp.Substring: frozenset({"this", "start", "length", "zero_start"}),
    exp.Trim: frozenset({"this"}),
    exp.Upper: frozenset({"this"}),
    exp.Var: frozenset({"this"}),
    exp.Year: frozenset({"this"}),
}
CASTS: Final[Mapping[str, str]] = {
    "SMALLINT": "smallint",
    "INT": "int",
    "BIGINT": "bigint",
    "DOUBLE": "float",
    "TEXT": "text",
    "VARCHAR": "text",
    "BOOLEAN": "bool",
    "DATE": "date",
    "TIMESTAMP": "stamp",
    "TIMESTAMPNTZ": "stamp",
    "TIMESTAMPTZ": "instant",
}
_DATE_PARTS: Final = frozenset({"YEAR", "MONTH", "DAY", "HOUR", "MINUTE"})
_KNOWN: Final = (exp.Literal, exp.Placeholder, exp.DPipe, exp.Paren)  # what a pattern is made of
_ESCAPING: Final = frozenset(  # dialects in which a pattern's backslash escapes without being told to
    {
        "bigquery",
        "clickhouse",
        "databricks",
        "doris",
        "hive",
        "mysql",
        "postgres",
        "redshift",
        "singlestore",
        "spark",
        "spark2",
        "starrocks",
    }
)
_LENGTH_IN_SIGNS: Final = frozenset({"snowflake", "bigquery"})
_LARGEST: Final = 1_000_000
_DIGITS: Final = 15


def fault(tree: exp.Expr, dialect: str) -> str | None:
    """Say what in an expression has no equivalent in frames; None if all has."""
    for node in tree.walk():
        if type(node) not in PARTS:
            return _named(node)
        parts = {key for key, value in node.args.items() if value not in (None, [], False)}
        if unknown := parts - PARTS[type(node)]:
            return f"{_named(node)} with {min(unknown)}"
        fits, what = _CHECKS.get(type(node), _ALWAYS)
        if not fits(node, dialect):
            return what
    return None


def _named(node: exp.Expr) -> str:
    if isinstance(node, exp.Func):
        name = node.name if isinstance(node, exp.Anonymous) else node.sql_name()
        return f"the function {name.lower()}()"
    return f"“{node.sql()}”"


def _is_known(node: exp.Expr) -> bool:
    return all(isinstance(part, _KNOWN) for part in node.walk())


def _is_text(node: exp.Expr | None) -> bool:
    return isinstance(node, exp.Literal) and bool(node.is_string)


def _is_count(node: exp.Expr | None, least: int, *, missing: bool = False, most: int = _LARGEST) -> bool:
    if node is None:
        return missing
    return isinstance(node, exp.Literal) and node.is_int and not node.is_string and least <= int(node.name) <= most


def _is_escape(node: exp.Expr) -> bool:
    return isinstance(node.this, exp.Like | exp.ILike) and _is_text(node.expression) and len(node.expression.name) == 1


def escape_of(node: exp.Expr, dialect: str) -> str:
    """The sign after which a pattern's next one is itself; empty if there is none."""
    if isinstance(node.parent, exp.Escape):
        return str(node.parent.expression.name)
    return "\\" if dialect in _ESCAPING else ""


_Check = tuple[Callable[[exp.Expr, str], bool], str]
_ALWAYS: Final[_Check] = (lambda _, __: True, "")
_LIKE: Final[_Check] = (lambda node, _: _is_known(node.expression), "LIKE with a pattern that a column gives")
_END: Final[_Check] = (lambda node, _: _is_count(node.expression, 0), "LEFT or RIGHT with something else than a plain number")
_CHECKS: Final[Mapping[type[exp.Expr], _Check]] = {
    exp.Like: _LIKE,
    exp.ILike: _LIKE,
    exp.Escape: (lambda node, _: _is_escape(node), "ESCAPE with something else than one sign"),
    exp.Left: _END,
    exp.Right: _END,
    exp.Substring: (
        lambda node, _: _is_count(node.args.get("start"), 1) and _is_count(node.args.get("length"), 0, missing=True),
        "SUBSTRING with something else than plain numbers",
    ),
    exp.Round: (
        lambda node, _: _is_count(node.args.get("decimals"), 0, missing=True, most=_DIGITS),
        "ROUND to something else than a plain number of digits",
    ),
    exp.Replace: (
        lambda node, _: _is_text(node.expression) and _is_text(node.args.get("replacement")),
        "REPLACE with something else than two texts in quotes",
    ),
    exp.Cast: (lambda node, _: node.args["to"].this.value in CASTS, "CAST to a type of that kind"),
    exp.Extract: (lambda node, _: node.name.upper() in _DATE_PARTS, "EXTRACT of that part"),
    exp.Length: (lambda node, dialect: not node.args.get("binary") or dialect in _LENGTH_IN_SIGNS, "LENGTH, which counts bytes there"),
    exp.In: (lambda node, _: bool(node.expressions), "IN without a list"),
    exp.Is: (lambda node, _: isinstance(node.expression, exp.Null | exp.Boolean), "IS with something else than NULL, TRUE or FALSE"),
}
