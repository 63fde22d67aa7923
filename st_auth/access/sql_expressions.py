"""What the rule file says in SQL: parsed once, with the names of the person's values apart."""

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

__all__ = ["BadRule", "expression", "placed"]

_VALUE: Final = re.compile(r"(?<![:\w\\]):([A-Za-z_]\w*)")
_STAND_IN: Final = "stauthvalue_"
_HIDDEN_TEXT: Final = "***"


class BadRule(ValueError):
    """An expression of the rule file that is none; its text says why."""


@lru_cache(1024)
def expression(text: str, dialect: str) -> exp.Expr:
    """Parse a condition or an expression; `:name` becomes a Placeholder, `mask(x)` what it stands for. Do not change what is returned.

    Raises BadRule.
    """
    try:
        tree = sqlglot.parse_one(_VALUE.sub(lambda found: f" {_STAND_IN}{found[1]} ", text), dialect=dialect)
    except SqlglotError as error:
        raise BadRule(f"is no expression in the SQL of {dialect} ({str(error).splitlines()[0]})") from None
    if not isinstance(tree, exp.Condition) or isinstance(tree, exp.Query):
        raise BadRule("is no expression; write one as it would stand in a WHERE or a SELECT")
    tree = tree.transform(_read)
    for node in tree.walk():
        if any(isinstance(value, str) and _STAND_IN in value for value in node.args.values()):
            raise BadRule("has a :name inside quotes; values are bound, so they need none")
    return tree


def _read(node: exp.Expr) -> exp.Expr:
    if isinstance(node, exp.Column) and node.name.startswith(_STAND_IN) and not node.table:
        return exp.Placeholder(this=node.name.removeprefix(_STAND_IN))
    if isinstance(node, exp.Anonymous) and str(node.this).lower() == "mask":
        if len(node.expressions) != 1:
            raise BadRule("gives mask() something else than one column")
        return masked(node.expressions[0].transform(_read))
    return node


def masked(column: exp.Expr) -> exp.Expr:
    """`***` where there is a value."""
    return exp.case().when(exp.Is(this=column.copy(), expression=exp.null()), exp.null()).else_(exp.Literal.string(_HIDDEN_TEXT))


def is_list(node: exp.Expr) -> bool:
    """Whether a value stands alone in the parentheses of an IN, where all of them may."""
    return isinstance(node.parent, exp.In) and node.arg_key == "expressions" and len(node.parent.expressions) == 1


def placed(tree: exp.Expr, source: str, name: str, bind: Callable[[str, bool], str]) -> exp.Expr:
    """Return an expression of a rule for one statement: its columns are of `source`, where the table is read, its values markers.

    `name` is the table's own, by which the rule may call it. In a SELECT of the rule's own, columns without a table stay as they are.
    """
    tree = tree.copy()
    if isinstance(tree, exp.Placeholder):
        return exp.column(bind(tree.name, False))
    for node in list(tree.find_all(exp.Placeholder, exp.Column)):
        if isinstance(node, exp.Placeholder):
            node.replace(exp.column(bind(node.name, is_list(node))))
        elif _is_of_table(node, name):
            node.set("table", exp.to_identifier(source))
    return tree


def _is_of_table(column: exp.Expr, name: str) -> bool:
    query: Any = column.find_ancestor(exp.Query)
    if not column.args.get("table"):
        return query is None
    if column.args.get("db") or column.text("table").lower() != name.lower():
        return False
    return not any(source.alias_or_name.lower() == name.lower() for source in (query.find_all(exp.Table) if query else ()))
