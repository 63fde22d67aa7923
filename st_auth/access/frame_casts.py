"""CAST: what changes a value's kind and has one meaning in every engine; the rest has no equivalent and says so."""

import math
from datetime import date, datetime
from typing import Final

import narwhals as nw

from st_auth.access.frame_comparisons import WHOLE, moment
from st_auth.access.frame_numbers import Fault, nothing_where
from st_auth.access.frame_values import MOST, NULL, WORDS, Const, Kind, Operand, Unfit, Value, as_float

__all__ = ["cast", "part_of_date"]

_INTEGERS: Final = {"smallint": 2**15 - 1, "int": 2**31 - 1, "bigint": MOST}
_SHAPES: Final = {
    "int": r"\A[+-]?[0-9]{1,18}\z",
    "float": r"\A[+-]?[0-9]{1,15}(?:\.[0-9]{1,15})?\z",
    "date": r"\A[0-9]{4}-[0-9]{2}-[0-9]{2}\z",
}


def cast(value: Operand, to: str, fault: Fault) -> Operand:
    """Return the value as `to`: smallint, int, bigint, float, text, bool, date, stamp or instant."""
    if value.kind == "null":
        return NULL
    if to in _INTEGERS:
        return _to_int(value, _INTEGERS[to], fault)
    if to == "float":
        return _to_float(value, fault)
    kind: Kind = to  # type: ignore[assignment]  # the grammar lets in no other
    if isinstance(value, Const):
        return _known(value, kind)
    if value.kind == kind:
        return value
    return _to_text(value) if kind == "text" else _to_date(value, kind, fault)


def _to_date(value: Value, kind: Kind, fault: Fault) -> Value:
    if (value.kind, kind) == ("date", "stamp"):
        return Value("stamp", value.expr.cast(nw.Datetime("us")), nw.Datetime("us"))
    if (value.kind, kind) == ("stamp", "date"):
        return Value("date", value.expr.dt.date(), nw.Date)
    if (value.kind, kind) == ("text", "date"):
        return _read(value, "date", fault)
    raise _cannot(value, kind)


def _cannot(value: Operand, kind: Kind) -> Unfit:
    return Unfit(f"makes {WORDS[kind]} of {WORDS[value.kind]}, which databases and frames do differently")


def _known(value: Const, kind: Kind) -> Const:
    if value.kind == kind:
        return value
    if kind == "text" and value.kind == "int":
        return Const("text", str(value.value), value.claim)
    if kind in ("date", "stamp", "instant") and value.kind in ("text", "date", "stamp"):
        found = moment(value, kind)
        return Const(
            kind, date(found.year, found.month, found.day) if kind == "date" and isinstance(found, datetime) else found, value.claim
        )
    raise value.unfit(kind) if value.kind == "text" else _cannot(value, kind)


def _to_int(value: Operand, most: int, fault: Fault) -> Operand:
    if isinstance(value, Const):
        return _known_int(value, most)
    if value.kind == "bool":
        return Value("int", value.expr.cast(nw.Int64), nw.Int64, 1)
    if value.kind == "text":
        value = _read(value, "int", fault)
    elif value.kind == "float":
        value = _nearest(value, fault)
    if value.kind != "int":
        raise _cannot(value, "int")
    if value.most <= most + 1:
        return value
    whole = Value("int", value.expr.cast(nw.Int64), nw.Int64, most)
    return nothing_where((whole.expr > most) | (whole.expr < -most - 1), whole, fault)


def _known_int(value: Const, most: int) -> Const:
    number = value.value
    if value.kind == "text" and WHOLE.fullmatch(number):
        number = int(number)
    elif value.kind != "int":
        raise value.unfit("int")
    if not -most - 1 <= number <= most:
        raise value.unfit("int")
    return Const("int", number, value.claim)


def _nearest(value: Value, fault: Fault) -> Value:
    """To the nearest whole number, halves to the even one; none for what is no number, or too large."""
    bad = (~(value.expr.abs() < float(2**62)) | value.expr.is_nan()).fill_null(value=False)
    some = nw.when(~bad).then(value.expr)
    down = some.floor()
    whole = down.cast(nw.Int64)
    rest = some - down
    up = (rest > 0.5) | ((rest == 0.5) & (whole % 2 != 0))
    return nothing_where(bad, Value("int", nw.when(up).then(whole + 1).otherwise(whole), nw.Int64), fault)


def _to_float(value: Operand, fault: Fault) -> Operand:
    if isinstance(value, Const):
        try:
            number = float(value.value) if value.kind in ("int", "float", "decimal", "text") else math.nan
        except (ValueError, OverflowError):
            number = math.nan
        if not math.isfinite(number):
            raise value.unfit("float")
        return Const("float", number, value.claim)
    if value.kind == "text":
        return _read(value, "float", fault)
    if value.kind not in ("int", "float", "decimal"):
        raise _cannot(value, "float")
    return Value("float", as_float(value), nw.Float64)


def _read(value: Value, kind: Kind, fault: Fault) -> Value:
    """A text as another kind, where it is plainly one: a database reads more, and stops at the rest."""
    plain = value.expr.str.contains(_SHAPES[kind]).fill_null(value=False)
    some = nw.when(plain).then(value.expr)
    fault(~plain & ~value.expr.is_null())
    if kind == "date":
        return Value("date", some.str.to_date("%Y-%m-%d"), nw.Date)
    dtype = nw.Int64 if kind == "int" else nw.Float64
    return Value(kind, some.cast(dtype), dtype)


def _to_text(value: Value) -> Value:
    if value.kind == "int":
        return Value("text", value.expr.cast(nw.String), nw.String)
    if value.kind == "date":
        return Value("text", value.expr.dt.to_string("%Y-%m-%d"), nw.String)
    if value.kind == "bool":
        no = nw.when(~value.expr).then(nw.lit("false"))
        return Value("text", nw.when(value.expr).then(nw.lit("true")).otherwise(no), nw.String)
    raise _cannot(value, "text")


def part_of_date(part: str, value: Operand) -> Operand:
    """YEAR, MONTH, DAY, HOUR and MINUTE; of a timestamp with a zone they depend on whose zone is meant, and have no equivalent."""
    if value.kind == "null":
        return NULL
    if value.kind not in ("date", "stamp") or (value.kind == "date" and part in ("hour", "minute")):
        raise value.unfit("date") if isinstance(value, Const) else Unfit(f"asks for the {part} of {WORDS[value.kind]}")
    if isinstance(value, Const):
        return Const("int", getattr(value.value, part))
    return Value("int", getattr(value.expr.dt, part)().cast(nw.Int64), nw.Int64, 2**20)
