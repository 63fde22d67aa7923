"""Read an expression of a rule for one frame and one person: from SQL's tree to expressions of narwhals.

No value of the person's is written into a text that something evaluates: it stands in the expression as a literal.
"""

import math
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, ClassVar, Final

from sqlglot import exp

from st_auth.access.frame_casts import cast, part_of_date
from st_auth.access.frame_comparisons import Sign, compared, equal, is_in
from st_auth.access.frame_grammar import CASTS, escape_of
from st_auth.access.frame_kinds import Frame
from st_auth.access.frame_numbers import Operation, absolute, calculated, divided, remainder, rounded, turned
from st_auth.access.frame_texts import TextFunction, applied, joined, last, length, like, lower, replaced, sliced, trimmed, upper
from st_auth.access.frame_values import (
    NULL,
    Const,
    Operand,
    Side,
    Truth,
    Unfit,
    Value,
    both,
    chosen,
    denied,
    either,
    sure,
    truth_of,
    value_of,
)
from st_auth.access.rules import Scalar, Viewer, said
from st_auth.access.sql_expressions import is_list
from st_auth.errors import PermissionDenied

__all__ = ["Reading"]

_SIGNS: Final[Mapping[type[exp.Expr], Sign]] = {exp.EQ: "=", exp.NEQ: "<>", exp.LT: "<", exp.LTE: "<=", exp.GT: ">", exp.GTE: ">="}
_SUMS: Final[Mapping[type[exp.Expr], Operation]] = {exp.Add: "+", exp.Sub: "-", exp.Mul: "*"}
_TEXTS: Final[Mapping[type[exp.Expr], TextFunction]] = {exp.Lower: lower, exp.Upper: upper, exp.Trim: trimmed, exp.Length: length}
_PARTS: Final[Mapping[type[exp.Expr], str]] = {exp.Year: "year", exp.Month: "month", exp.Day: "day"}
_PLAIN: Final = (exp.Column, exp.Literal, exp.Placeholder, exp.Paren, exp.Null, exp.Boolean)
_MOST_STEPS: Final = 2
_BY_FLOATS: Final = frozenset({"", "duckdb"})  # dialects that divide by 0 as floating point does


class Reading:
    """One table's rule, for one person. `faults` are where a calculation has no answer, so that SQL would stop."""

    def __init__(self, table: str, viewer: Viewer, dialect: str, frame: Frame, column: Callable[[str], Operand]) -> None:
        self._table = table
        self._viewer = viewer
        self._dialect = dialect
        self._frame = frame
        self._engine = frame.engine
        self._column = column
        self._unbound = 0  # steps below this one that a value would repeat wherever it stands
        self.faults: list[Side] = []

    def rows(self, tree: exp.Expr) -> Side:
        """Return where a condition is true and has an answer. Raises Unfit, PermissionDenied."""
        side = self._truth(tree).yes
        for bad in self.faults:
            side = both(side, denied(bad))
        return side

    def value(self, node: exp.Expr) -> Operand:
        """Return what an expression gives. Raises Unfit, PermissionDenied."""
        before, self._unbound = self._unbound, 0
        read = self._VALUES.get(type(node))
        value = value_of(self._truth(node)) if read is None else read(self, node)
        steps = self._unbound + (not isinstance(node, _PLAIN))
        if isinstance(value, Value) and steps > _MOST_STEPS:
            value, steps = self._frame.bind(value), 0
        self._unbound = before + steps
        return value

    def _truth(self, node: exp.Expr) -> Truth:
        read = self._TRUTHS.get(type(node))
        return truth_of(self.value(node)) if read is None else read(self, node)

    def _fault(self, bad: Side) -> None:
        self.faults.append(bad)

    def _both(self, node: exp.Expr) -> Truth:
        left, right = self._truth(node.this), self._truth(node.expression)
        return Truth(both(left.yes, right.yes), either(left.no, right.no))

    def _either(self, node: exp.Expr) -> Truth:
        left, right = self._truth(node.this), self._truth(node.expression)
        return Truth(either(left.yes, right.yes), both(left.no, right.no))

    def _not(self, node: exp.Expr) -> Truth:
        return _turned(self._truth(node.this))

    def _compared(self, node: exp.Expr) -> Truth:
        return compared(_SIGNS[type(node)], self.value(node.this), self.value(node.expression), self._engine)

    def _between(self, node: exp.Expr) -> Truth:
        value = self.value(node.this)
        low = compared(">=", value, self.value(node.args["low"]), self._engine)
        high = compared("<=", value, self.value(node.args["high"]), self._engine)
        return Truth(both(low.yes, high.yes), either(low.no, high.no))

    def _in(self, node: exp.Expr) -> Truth:
        items: list[Operand] = []
        for item in node.expressions:
            items += self._all(item.name) if isinstance(item, exp.Placeholder) and is_list(item) else [self.value(item)]
        return is_in(self.value(node.this), items, self._engine)

    def _is(self, node: exp.Expr) -> Truth:
        if isinstance(node.expression, exp.Null):
            side = self.value(node.this).null()
        else:
            truth = self._truth(node.this)
            side = sure(truth.yes if node.expression.this else truth.no)
        found = Truth(side, denied(side))
        return _turned(found) if node.args.get("negate") else found

    def _like(self, node: exp.Expr) -> Truth:
        value, pattern, escape = self.value(node.this), self.value(node.expression), escape_of(node, self._dialect)
        if isinstance(node, exp.ILike):
            value, pattern = (applied(lower, operand, self._engine, self._fault) for operand in (value, pattern))
            escape = escape.lower()
        found = like(value, pattern, escape)
        return _turned(found) if node.args.get("negate") else found

    def _inner_truth(self, node: exp.Expr) -> Truth:
        return self._truth(node.this)

    def _inner(self, node: exp.Expr) -> Operand:
        return self.value(node.this)

    def _named(self, node: exp.Expr) -> Operand:
        if node.text("table") and node.text("table").lower() != self._table.lower():
            raise Unfit(f"names a column of {node.text('table')}, which is another table")
        return self._column(node.name)

    def _one(self, node: exp.Expr) -> Operand:
        return _personal(said(self._viewer, "one", node.name)[0], node.name)

    def _all(self, name: str) -> list[Operand]:
        return [_personal(value, name) for value in said(self._viewer, "all", name)[0]]

    def _sum(self, node: exp.Expr) -> Operand:
        return calculated(_SUMS[type(node)], self.value(node.this), self.value(node.expression), self._fault)

    def _divided(self, node: exp.Expr) -> Operand:
        left, right = self.value(node.this), self.value(node.expression)
        whole, safe = bool(node.args.get("typed")), bool(node.args.get("safe"))
        fault: Callable[[Side], None] = _no_fault if safe else self._fault
        return divided(left, right, fault, whole=whole, stops=safe or self._dialect not in _BY_FLOATS)

    def _remainder(self, node: exp.Expr) -> Operand:
        return remainder(self.value(node.this), self.value(node.expression), self._fault)

    def _negative(self, node: exp.Expr) -> Operand:
        return turned(self.value(node.this), self._fault)

    def _absolute(self, node: exp.Expr) -> Operand:
        return absolute(self.value(node.this), self._fault)

    def _rounded(self, node: exp.Expr) -> Operand:
        digits = node.args.get("decimals")
        return rounded(self.value(node.this), 0 if digits is None else int(digits.name))

    def _text(self, node: exp.Expr) -> Operand:
        return applied(_TEXTS[type(node)], self.value(node.this), self._engine, self._fault)

    def _part_of_text(self, node: exp.Expr) -> Operand:
        count = node.expression if isinstance(node, exp.Left | exp.Right) else node.args.get("length")
        number = None if count is None else int(count.name)
        start = int(node.args["start"].name) if isinstance(node, exp.Substring) else 1
        function = last(number or 0) if isinstance(node, exp.Right) else sliced(start, number)
        return applied(function, self.value(node.this), self._engine, self._fault)

    def _replaced(self, node: exp.Expr) -> Operand:
        function = replaced(node.expression.name, node.args["replacement"].name)
        return applied(function, self.value(node.this), self._engine, self._fault)

    def _joined(self, node: exp.Expr) -> Operand:
        parts = node.expressions if isinstance(node, exp.Concat) else [node.this, node.expression]
        return joined([self.value(part) for part in parts], skip=bool(node.args.get("coalesce")))

    def _cast(self, node: exp.Expr) -> Operand:
        return cast(self.value(node.this), CASTS[node.args["to"].this.value], self._fault)

    def _part_of_date(self, node: exp.Expr) -> Operand:
        if isinstance(node, exp.Extract):
            return part_of_date(node.name.lower(), self.value(node.expression))
        return part_of_date(_PARTS[type(node)], self.value(node.this))

    def _case(self, node: exp.Expr) -> Operand:
        """CASE, in which the faults of what is not reached do not count."""
        ifs = node.args["ifs"] if isinstance(node, exp.Case) else [node]
        subject = self.value(node.this) if isinstance(node, exp.Case) and node.this is not None else None
        branches: list[tuple[Side, Operand]] = []
        before: Side = False
        for one in ifs:
            when = self._truth(one.this) if subject is None else equal(subject, self.value(one.this), self._engine)
            here = sure(when.yes)
            branches.append((here, self._reached(one.args["true"], both(here, denied(before)))))
            before = either(before, here)
        default = node.args.get("default") or node.args.get("false")
        return chosen(branches, NULL if default is None else self._reached(default, denied(before)))

    def _reached(self, node: exp.Expr, there: Side) -> Operand:
        outside, self.faults = self.faults, []
        value = self.value(node)
        self.faults = outside + [both(bad, there) for bad in self.faults]
        return value

    def _coalesced(self, node: exp.Expr) -> Operand:
        values = [self.value(one) for one in [node.this, *node.expressions]]
        return chosen([(denied(value.null()), value) for value in values], NULL)

    def _unless_equal(self, node: exp.Expr) -> Operand:
        value = self.value(node.this)
        same = equal(value, self.value(node.expression), self._engine)
        return chosen([(sure(same.yes), NULL)], value)

    _TRUTHS: ClassVar[Mapping[type[exp.Expr], Callable[[Any, Any], Truth]]] = {
        **dict.fromkeys(_SIGNS, _compared),
        exp.And: _both,
        exp.Or: _either,
        exp.Not: _not,
        exp.Between: _between,
        exp.In: _in,
        exp.Is: _is,
        exp.Like: _like,
        exp.ILike: _like,
        exp.Escape: _inner_truth,
        exp.Paren: _inner_truth,
    }
    _VALUES: ClassVar[Mapping[type[exp.Expr], Callable[[Any, Any], Operand]]] = {
        **dict.fromkeys(_SUMS, _sum),
        **dict.fromkeys(_TEXTS, _text),
        **dict.fromkeys([*_PARTS, exp.Extract], _part_of_date),
        **dict.fromkeys([exp.Left, exp.Right, exp.Substring], _part_of_text),
        **dict.fromkeys([exp.DPipe, exp.Concat], _joined),
        **dict.fromkeys([exp.Case, exp.If], _case),
        exp.Abs: _absolute,
        exp.Boolean: lambda _, node: Const("bool", bool(node.this)),
        exp.Cast: _cast,
        exp.Coalesce: _coalesced,
        exp.Column: _named,
        exp.Div: _divided,
        exp.Literal: lambda _, node: _literal(node),
        exp.Mod: _remainder,
        exp.Neg: _negative,
        exp.Null: lambda _, __: NULL,
        exp.Nullif: _unless_equal,
        exp.Paren: _inner,
        exp.Placeholder: _one,
        exp.Replace: _replaced,
        exp.Round: _rounded,
    }


def _no_fault(_: Side) -> None:
    """The dialect gives null there itself."""


def _turned(truth: Truth) -> Truth:
    return Truth(truth.no, truth.yes)


def _literal(node: exp.Expr) -> Operand:
    text = str(node.this)
    if node.is_string:
        return Const("text", text)
    if "e" in text.lower():
        return Const("float", float(text))
    return Const("decimal", Decimal(text)) if "." in text else Const("int", int(text))


def _personal(value: Scalar, name: str) -> Const:
    if isinstance(value, bool):
        return Const("bool", value, name)
    if isinstance(value, str | int):
        return Const("text" if isinstance(value, str) else "int", value, name)
    if not math.isfinite(value):
        message = f"Your login's “{name}” is no number, and a rule asks for it."
        raise PermissionDenied(message, code="claim_missing", hint="Ask whoever looks after your company's logins.", claim=name)
    return Const("float", value, name)
