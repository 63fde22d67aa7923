"""Where a comparison is true, as DuckDB has it: NaN equals NaN and is greater than every number, texts go by code point.

A value that is known is brought into the column's own type, exactly or not at all: nothing is rounded so that it fits.
"""

import math
import operator
import re
import struct
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal, localcontext
from fractions import Fraction
from typing import Any, Final, Literal

import narwhals as nw

from st_auth.access.frame_values import Const, Engine, Operand, Side, Truth, Unfit, Value, as_float, both, denied, either, truth_of

__all__ = ["compared", "equal", "is_in", "moment"]

Sign = Literal["=", "<>", "<", "<=", ">", ">="]

_TURNED: Final[dict[Sign, Sign]] = {"=": "=", "<>": "<>", "<": ">", "<=": ">=", ">": "<", ">=": "<="}
_OPPOSITE: Final[dict[Sign, Sign]] = {"=": "<>", "<>": "=", "<": ">=", "<=": ">", ">": "<=", ">=": "<"}
_SIGNS: Final[dict[Sign, Callable[[Any, Any], Any]]] = {
    "=": operator.eq,
    "<>": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_NUMBERS: Final = frozenset({"int", "float", "decimal"})
WHOLE: Final = re.compile(r"[+-]?[0-9]+")
_NUMBER: Final = re.compile(r"[+-]?[0-9]+(?:\.[0-9]+)?")
_MOMENT: Final = re.compile(r"(\d{4}-\d\d-\d\d)(?:[ T](\d\d:\d\d(?::\d\d(?:\.\d{1,6})?)?)(Z|[+-]\d\d(?::?\d\d)?)?)?")


def compared(sign: Sign, left: Operand, right: Operand, engine: Engine) -> Truth:
    """Return where `left sign right` is true, and where it is false."""
    if left.kind == "bool" or right.kind == "bool":
        return _booleans(sign, left, right)
    return Truth(_where(sign, left, right, engine), _where(_OPPOSITE[sign], left, right, engine))


def equal(left: Operand, right: Operand, engine: Engine) -> Truth:
    """Where two values are equal."""
    return compared("=", left, right, engine)


def is_in(left: Operand, items: Sequence[Operand], engine: Engine) -> Truth:
    """IN, at once where all the items are known."""
    if isinstance(left, Value) and len(items) > 1:
        points = [_point(left, item) for item in items if isinstance(item, Const)]
        if len(points) == len(items) and all(point is not None for point in points):
            found = left.expr.is_in([point for point in points if point is not None])
            return Truth(found, ~found)
    truth = Truth(yes=False, no=True)
    for item in items:
        one = equal(left, item, engine)
        truth = Truth(either(truth.yes, one.yes), both(truth.no, one.no))
    return truth


def _point(left: Value, item: Const) -> Any:
    """A value as the column itself has it; None where that is not possible, or a list of them would be read otherwise."""
    if left.kind == "text" and item.kind == "text":
        return item.value
    if left.kind == "int" and item.kind == "int" and abs(item.value) < left.most:
        return item.value
    return None


def _booleans(sign: Sign, left: Operand, right: Operand) -> Truth:
    if "null" in (left.kind, right.kind):
        return Truth(yes=False, no=False)
    for value, beside in ((left, right), (right, left)):
        if isinstance(value, Const) and value.kind != beside.kind:
            raise value.unfit(beside.kind)
    one, other = truth_of(left), truth_of(right)
    if sign not in ("=", "<>"):
        raise Unfit(f"compares true and false by {sign}")
    same = either(both(one.yes, other.yes), both(one.no, other.no))
    differ = either(both(one.yes, other.no), both(one.no, other.yes))
    return Truth(same, differ) if sign == "=" else Truth(differ, same)


def _where(sign: Sign, left: Operand, right: Operand, engine: Engine) -> Side:
    if "null" in (left.kind, right.kind):
        return False
    if isinstance(left, Const):
        if isinstance(right, Const):
            return _known(sign, left, right)
        return _where(_TURNED[sign], right, left, engine)
    if isinstance(right, Const):
        return _with_known(sign, left, right, engine)
    return _columns(sign, left, right, engine)


def _known(sign: Sign, left: Const, right: Const) -> bool:
    kinds = {left.kind, right.kind}
    if kinds <= _NUMBERS:
        one, other = (float(left.value), float(right.value)) if "float" in kinds else (left.value, right.value)
    elif kinds == {"date", "stamp"}:
        one, other = moment(left, "stamp"), moment(right, "stamp")
    elif len(kinds) == 1:
        one, other = left.value, right.value
    else:
        raise (right if right.claim else left).unfit(left.kind if right.claim else right.kind)
    return bool(_SIGNS[sign](one, other))


def _with_known(sign: Sign, left: Value, right: Const, engine: Engine) -> Side:
    if left.kind in _NUMBERS:
        return _with_number(sign, left, _number(left, right), engine)
    if left.kind == "text":
        if right.kind != "text":
            raise right.unfit("text")
        return _bool(_SIGNS[sign](left.expr, nw.lit(right.value)))
    if left.kind == "other":
        raise Unfit("compares a column of a type that rules cannot read")
    known = moment(right, left.kind)
    if left.kind == "date" and isinstance(known, datetime):
        left = Value("stamp", left.expr.cast(nw.Datetime("us")), nw.Datetime("us"))
    return _bool(_SIGNS[sign](*_moments(left, known)))


def _bool(side: Any) -> nw.Expr:
    found: nw.Expr = side
    return found


def _moments(left: Value, known: date) -> tuple[nw.Expr, nw.Expr]:
    """Both in a unit that loses nothing of either."""
    if left.kind == "date":
        return left.expr, nw.lit(known)
    zone, unit = left.dtype.time_zone, left.dtype.time_unit
    if unit in ("s", "ms"):
        return left.expr.cast(nw.Datetime("us", zone)), nw.lit(known)
    return left.expr, nw.lit(known, dtype=nw.Datetime("ns", zone)) if unit == "ns" else nw.lit(known)


def moment(const: Const, kind: str) -> date:
    """A value as a date or a timestamp: a date stays one beside a timestamp's column too, where it is its first moment.

    Raises PermissionDenied or Unfit.
    """
    value = const.value
    if const.kind == "text" and (found := _MOMENT.fullmatch(value)):
        value = _parsed(value, has_time=bool(found[2])) if kind != "date" or not found[2] else None
    if kind == "instant":
        if isinstance(value, datetime) and value.tzinfo is not None:
            return value.astimezone(UTC)
    elif isinstance(value, date) and getattr(value, "tzinfo", None) is None:
        if kind == "date" or isinstance(value, datetime):
            return value
        return datetime(value.year, value.month, value.day)  # noqa: DTZ001 - a timestamp without a zone is what the column has
    raise const.unfit("instant" if kind == "instant" else "stamp" if kind == "stamp" else "date")


def _parsed(text: str, *, has_time: bool) -> date | None:
    try:
        return datetime.fromisoformat(text) if has_time else date.fromisoformat(text)
    except ValueError:
        return None


def _number(left: Value, right: Const) -> Decimal | float:
    value: Any = right.value
    if right.kind in _NUMBERS:
        number: Decimal | float = value
        return number
    if right.kind == "text" and (WHOLE if left.kind == "int" else _NUMBER).fullmatch(value):
        return int(value) if left.kind == "int" else float(value) if left.kind == "float" else _exact(left, Decimal(value), right)
    raise right.unfit(left.kind)


def _exact(left: Value, value: Decimal, const: Const) -> Decimal:
    if (Fraction(value) * 10**left.dtype.scale).denominator != 1:
        raise const.unfit(left.kind)
    return value


def _with_number(sign: Sign, left: Value, number: Decimal | float, engine: Engine) -> Side:
    if left.kind == "float" or isinstance(number, float):
        expr = as_float(left)
        side: nw.Expr = _SIGNS[sign](expr, nw.lit(_double(number, single=left.single and not isinstance(number, float)), dtype=nw.Float64))
        return side | expr.is_nan() if engine == "arrow" and sign in (">", ">=") else side
    scale = left.dtype.scale if left.kind == "decimal" else 0
    scaled = Fraction(number) * 10**scale
    low, high = (-(10**left.dtype.precision) + 1, 10**left.dtype.precision - 1) if left.kind == "decimal" else (-(2**63), 2**63 - 1)
    bound = math.floor(scaled) if sign in (">", "<=") else math.ceil(scaled)
    if scaled.denominator != 1 and sign in ("=", "<>"):
        return sign == "<>" and denied(left.null())
    if not low <= bound <= high:
        return (sign == "<>" or (sign in ("<", "<=")) == (bound > high)) and sign != "=" and denied(left.null())
    return _bool(_SIGNS[sign](left.expr, nw.lit(_scaled(bound, scale) if left.kind == "decimal" else bound)))


def _scaled(bound: int, scale: int) -> Decimal:
    with localcontext(prec=76):
        return Decimal(bound).scaleb(-scale)


def _double(number: Decimal | float, *, single: bool) -> float:
    try:
        value = float(number)
        return struct.unpack("f", struct.pack("f", value))[0] if single else value
    except OverflowError:
        return math.inf if number > 0 else -math.inf


def _columns(sign: Sign, left: Value, right: Value, engine: Engine) -> Side:
    kinds = {left.kind, right.kind}
    if kinds <= _NUMBERS and "float" in kinds:
        return _floats(sign, *_same_precision(left, right), engine)
    if kinds == {"date", "stamp"}:
        left, right = (_first_moment(one) if one.kind == "date" else one for one in (left, right))
    elif len(kinds) > 1 or kinds == {"other"}:
        raise Unfit(f"compares columns of the kinds {', '.join(sorted(kinds))}; write cast(…) around one")
    if left.kind in ("stamp", "instant") and left.dtype.time_unit != right.dtype.time_unit:
        if "ns" in (left.dtype.time_unit, right.dtype.time_unit):
            raise Unfit("compares timestamps in nanoseconds with others; write cast(… as date) around both")
        left, right = (replace(one, expr=one.expr.cast(nw.Datetime("us", one.dtype.time_zone))) for one in (left, right))
    return _bool(_SIGNS[sign](left.expr, right.expr))


def _first_moment(value: Value) -> Value:
    return Value("stamp", value.expr.cast(nw.Datetime("us")), nw.Datetime("us"))


def _same_precision(left: Value, right: Value) -> tuple[nw.Expr, nw.Expr]:
    """Beside REAL a database brings whole numbers to single precision too."""
    single = (left.single or right.single) and all(one.single or one.kind != "float" for one in (left, right))
    one, other = (as_float(value) for value in (left, right))
    return (one.cast(nw.Float32).cast(nw.Float64), other.cast(nw.Float32).cast(nw.Float64)) if single else (one, other)


def _floats(sign: Sign, one: nw.Expr, other: nw.Expr, engine: Engine) -> Side:
    plain = _bool(_SIGNS[sign](one, other))
    if engine != "arrow":
        return plain
    nan, its = one.is_nan(), other.is_nan()
    there = ~one.is_null() & ~other.is_null()
    with_nan = {"=": nan & its, "<": its & ~nan, "<=": its, ">": nan & ~its, ">=": nan}
    return plain & ~(nan & its) if sign == "<>" else there & (plain | with_nan[sign])
