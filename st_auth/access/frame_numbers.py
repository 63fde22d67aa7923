"""Arithmetic on columns, where a number that is too large is no number: an engine for frames would wrap it round and go on.

A calculation that SQL stops with an error gives null here, and `fault` is told where; a row whose condition needs it is not shown.
"""

import operator
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final, Literal

import narwhals as nw

from st_auth.access.frame_values import MOST, NULL, WORDS, Const, Operand, Side, Unfit, Value, as_float

__all__ = ["Fault", "absolute", "calculated", "divided", "nothing_where", "remainder", "rounded", "turned"]

Fault = Callable[[Side], None]
Operation = Literal["+", "-", "*"]

_OPERATIONS: Final[dict[Operation, Callable[[Any, Any], Any]]] = {"+": operator.add, "-": operator.sub, "*": operator.mul}
_SAFE: Final = 9.2e18  # below 2**63 by more than a float's error


def calculated(sign: Operation, left: Operand, right: Operand, fault: Fault) -> Operand:
    """Return the sum, difference or product."""
    if "null" in (left.kind, right.kind):
        return NULL
    operate = _OPERATIONS[sign]
    _require_numbers(left, right)
    if isinstance(left, Const) and isinstance(right, Const):
        if "float" in (left.kind, right.kind):
            return Const("float", operate(float(left.value), float(right.value)))
        value = operate(left.value, right.value)
        return Const("int" if isinstance(value, int) else "decimal", value)
    if "float" in (left.kind, right.kind):
        return _float(operate(_floats(left), _floats(right)))
    if left.kind != "int" or right.kind != "int":
        raise Unfit("calculates with decimal numbers; write cast(… as double) around the column")
    one, other = _whole(left), _whole(right)
    most = _most(left) * _most(right) if sign == "*" else _most(left) + _most(right)
    if most <= MOST:
        return Value("int", operate(one, other), nw.Int64, most)
    fits = operate(_floats(left), _floats(right)).abs() < _SAFE
    return nothing_where(~fits, Value("int", operate(one, other), nw.Int64), fault)


def divided(left: Operand, right: Operand, fault: Fault, *, whole: bool, stops: bool) -> Operand:
    """Return the quotient: a whole one where `whole` says that the dialect has it so, of whole numbers.

    By 0 it is a fault where the dialect `stops` there, else what floating point has: infinite, or no number.
    """
    if "null" in (left.kind, right.kind):
        return NULL
    _require_numbers(left, right)
    if isinstance(left, Const) and isinstance(right, Const):
        raise Unfit("divides two values that are known; write the result")
    if whole and left.kind == right.kind == "int":
        one, other, bad = _sizes(left, right)
        negative = (_whole(left) < 0) != (_whole(right) < 0)
        return nothing_where(bad, _signed(one // other, negative, MOST), fault)
    quotient = _float(_floats(left) / _floats(right))
    return nothing_where(_floats(right) == 0, quotient, fault) if stops else quotient


def remainder(left: Operand, right: Operand, fault: Fault) -> Operand:
    """Return what is left of whole numbers, with the sign of the first."""
    if "null" in (left.kind, right.kind):
        return NULL
    if left.kind != "int" or right.kind != "int" or (isinstance(left, Const) and isinstance(right, Const)):
        raise Unfit("asks for the remainder of something else than a column of whole numbers")
    one, other, bad = _sizes(left, right)
    return nothing_where(bad, _signed(one % other, _whole(left) < 0, _most(right)), fault)


def _sizes(left: Operand, right: Operand) -> tuple[nw.Expr, nw.Expr, nw.Expr]:
    """Both without their signs, as engines differ about those, and where there is no answer, which they are kept from."""
    one, other = _whole(left), _whole(right)
    bad = ((other == 0) | (one == -(2**63)) | (other == -(2**63))).fill_null(value=False)
    return nw.when(~bad).then(one).abs(), nw.when(~bad).then(other).abs(), bad


def _signed(size: nw.Expr, negative: Any, most: int) -> Value:
    return Value("int", nw.when(negative).then(-size).otherwise(size), nw.Int64, most)


def nothing_where(bad: nw.Expr, value: Value, fault: Fault) -> Value:
    """The value, and nothing where it cannot be had."""
    fault(bad)
    return replace(value, expr=nw.when(~bad).then(value.expr))


def turned(value: Operand, fault: Fault) -> Operand:
    """Unary minus."""
    if isinstance(value, Const) and value.kind in ("int", "float", "decimal"):
        return Const(value.kind, -value.value)
    if isinstance(value, Value) and value.kind == "float":
        return replace(value, expr=-value.expr)
    return calculated("-", Const("int", 0), value, fault)


def absolute(value: Operand, fault: Fault) -> Operand:
    """ABS."""
    if value.kind == "null":
        return NULL
    _require_numbers(value)
    if isinstance(value, Const):
        return Const(value.kind, abs(value.value))
    if value.kind == "decimal":
        raise Unfit("calculates with decimal numbers; write cast(… as double) around the column")
    if value.kind == "float":
        return Value("float", value.expr.abs(), nw.Float64, single=value.single)
    whole = Value("int", _whole(value), nw.Int64, value.most)
    safe = nothing_where(whole.expr == -(2**63), whole, fault) if value.most > MOST else whole
    return Value("int", safe.expr.abs(), nw.Int64, value.most)


def rounded(value: Operand, digits: int) -> Operand:
    """ROUND: halves go away from zero."""
    if value.kind in ("null", "int"):
        return value
    if isinstance(value, Const) or value.kind != "float" or value.single:
        raise Unfit("rounds something else than a column of whole numbers or of double precision; write cast(… as double) around it")
    scaled = value.expr * nw.lit(float(10**digits), dtype=nw.Float64) if digits else value.expr
    size = scaled.abs()
    down = size.floor()
    up = nw.when(size - down >= 0.5).then(down + 1.0).otherwise(down)
    signed = nw.when(scaled < 0).then(-up).otherwise(up)
    result = signed / nw.lit(float(10**digits), dtype=nw.Float64) if digits else signed
    return _float(nw.when(size < float("inf")).then(result).otherwise(value.expr))


def _float(expr: nw.Expr) -> Value:
    return Value("float", expr, nw.Float64)


def _require_numbers(*values: Operand) -> None:
    for value in values:
        if value.kind not in ("int", "float", "decimal"):
            raise value.unfit("int") if isinstance(value, Const) else Unfit(f"calculates with {WORDS[value.kind]}")
        if isinstance(value, Value) and value.single and len(values) > 1:
            raise Unfit("calculates with REAL; write cast(… as double) around the column")


def _most(value: Operand) -> int:
    return abs(value.value) if isinstance(value, Const) else value.most


def _whole(value: Operand) -> nw.Expr:
    if isinstance(value, Const):
        if abs(value.value) > MOST:
            raise Unfit("calculates with a whole number of more than 64 bits")
        return nw.lit(value.value, dtype=nw.Int64)
    return value.expr if value.dtype == nw.Int64 else value.expr.cast(nw.Int64)


def _floats(value: Operand) -> nw.Expr:
    return nw.lit(float(value.value), dtype=nw.Float64) if isinstance(value, Const) else as_float(value)
