"""What the parts of a rule are when it is read for a frame: a column's values, a value that is known now, or a condition.

SQL's third truth value lives in `Truth`: where a condition is true, and where it is false; elsewhere it is null. A row's place in either
may be null where it should be false, as it comes to the same: NOT swaps the two, and nothing is turned round.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import narwhals as nw

from st_auth.errors import PermissionDenied

__all__ = ["Const", "Engine", "Kind", "Side", "Truth", "Unfit", "Value"]

Engine = Literal["arrow", "polars", "duckdb"]
Kind = Literal["text", "int", "float", "decimal", "bool", "date", "stamp", "instant", "null", "other"]
Side = nw.Expr | bool

MOST: Final = 2**63 - 1
_EXACT: Final = 2**53
_PART: Final = 2**20
WORDS: Final[dict[str, str]] = {
    "text": "a text",
    "int": "a whole number",
    "float": "a number",
    "decimal": "a decimal number",
    "bool": "true or false",
    "date": "a date",
    "stamp": "a timestamp",
    "instant": "a timestamp with a time zone",
    "other": "a column of a type that rules cannot read",
}
_INTEGERS: Final = {nw.Int8: 2**7, nw.Int16: 2**15, nw.Int32: 2**31, nw.Int64: 2**63, nw.UInt8: 2**8, nw.UInt16: 2**16, nw.UInt32: 2**32}


class Unfit(ValueError):
    """What a rule asks for, and these columns cannot give; its text says why."""


@dataclass(frozen=True, slots=True)
class Value:
    """Values row by row. `most` bounds whole numbers, without their sign; `single` are numbers of single precision (REAL)."""

    kind: Kind
    expr: nw.Expr
    dtype: Any
    most: int = MOST + 1
    single: bool = False

    def null(self) -> Side:
        """Where there is none."""
        return self.expr.is_null()


@dataclass(frozen=True, slots=True)
class Const:
    """One value for all rows; `claim` says that it is the person's own."""

    kind: Kind
    value: Any
    claim: str = ""

    def null(self) -> Side:
        """Whether there is none."""
        return self.value is None

    def unfit(self, wanted: Kind) -> Exception:
        """Return what is raised where another kind of value is needed; it does not show the value."""
        if self.claim:
            message = f"A rule needs {WORDS[wanted]} in your login's “{self.claim}”, which is something else."
            return PermissionDenied(message, code="claim_missing", hint="Ask whoever looks after your company's logins.", claim=self.claim)
        return Unfit(f"compares or joins {WORDS[wanted]} with something else")


Operand = Value | Const
NULL: Final = Const("null", None)


@dataclass(frozen=True, slots=True)
class Truth:
    """Where a condition is true, and where it is false."""

    yes: Side
    no: Side


def both(left: Side, right: Side) -> Side:
    """AND."""
    if isinstance(left, bool):
        return right if left else False
    if isinstance(right, bool):
        return left if right else False
    return left & right


def either(left: Side, right: Side) -> Side:
    """OR."""
    if isinstance(left, bool):
        return True if left else right
    if isinstance(right, bool):
        return True if right else left
    return left | right


def sure(side: Side) -> Side:
    """The same, without nulls."""
    return side if isinstance(side, bool) else side.fill_null(value=False)


def denied(side: Side) -> Side:
    """Everywhere else."""
    side = sure(side)
    return not side if isinstance(side, bool) else ~side


def column(name: str, dtype: Any, engine: Engine) -> Operand:
    """Return a column of the frame as rules see it."""
    expr = nw.col(name)
    if dtype in (nw.String, nw.Categorical, nw.Enum):
        return Value("text", expr if dtype == nw.String else expr.cast(nw.String), nw.String)
    for integer, most in _INTEGERS.items():
        if dtype == integer:
            return Value("int", expr, dtype, most)
    if dtype == nw.Datetime:
        return _moment(expr, dtype, engine)
    if dtype == nw.Float32:
        return Value("float", expr.cast(nw.Float64), nw.Float64, single=True)
    kinds: dict[Any, Kind] = {nw.Float64: "float", nw.Decimal: "decimal", nw.Boolean: "bool", nw.Date: "date"}
    found: Kind = next((kind for known, kind in kinds.items() if dtype == known), "other")
    return Value(found, expr, dtype)


def _moment(expr: nw.Expr, dtype: Any, engine: Engine) -> Value:
    """Moments are compared in UTC; a database does so by itself."""
    if dtype.time_zone is None:
        return Value("stamp", expr, dtype)
    if engine == "polars" and dtype.time_zone != "UTC":
        return Value("instant", expr.dt.convert_time_zone("UTC"), nw.Datetime(dtype.time_unit, "UTC"))
    return Value("instant", expr, dtype)


def truth_of(value: Operand) -> Truth:
    """A column or a value as a condition."""
    if isinstance(value, Const):
        if value.kind not in ("bool", "null"):
            raise value.unfit("bool")
        return Truth(value.value is True, value.value is False)
    if value.kind != "bool":
        raise Unfit(f"has {WORDS[value.kind]} where a condition belongs")
    return Truth(value.expr, ~value.expr)


def value_of(truth: Truth) -> Operand:
    """A condition as true, false or null."""
    return chosen([(truth.yes, Const("bool", True)), (truth.no, Const("bool", False))], NULL)


def chosen(branches: Sequence[tuple[Side, Operand]], default: Operand) -> Operand:
    """CASE: the first branch whose condition is true."""
    live: list[tuple[nw.Expr, Operand]] = []
    for side, value in branches:
        if side is True:
            default = value
            break
        if not isinstance(side, bool):
            live.append((side, value))
    if not live:
        return default
    values = [value for _, value in live] + [default]
    if all(value.kind == "null" for value in values):
        return NULL
    build, like = _common(values)
    result = build(default)
    for side, value in reversed(live):
        result = nw.when(side).then(build(value)).otherwise(result)
    return Value(like.kind, result, like.dtype, like.most, like.single)


def _common(values: Sequence[Operand]) -> tuple[Callable[[Operand], nw.Expr], Value]:
    """How to write values that stand in each other's place, and what they are then."""
    there = [value for value in values if value.kind != "null"]
    kinds = {value.kind for value in there}
    numbers: set[Kind] = {"int", "float", "decimal"}
    columns = [value for value in values if isinstance(value, Value)]
    singles = {value.single for value in columns}
    if "float" in kinds and kinds <= numbers and not any(value.kind == "decimal" for value in columns):
        if True in singles and (False in singles or len(columns) < len(there)):
            raise Unfit("mixes REAL with other numbers; write cast(… as double) around it")
        return _as_float, Value("float", nw.lit(None), nw.Float64, single=True in singles)
    if len(kinds) > 1:
        raise Unfit(f"gives now {WORDS[min(kinds)]} and now {WORDS[max(kinds)]}; write cast(…) around one")
    kind = kinds.pop()
    dtypes = {value.dtype for value in columns}
    if kind == "other" or (kind == "decimal" and (len(columns) < len(there) or len(dtypes) > 1)):
        raise Unfit(
            f"chooses between {WORDS[kind]} and another; write cast(… as double) around it" if kind == "decimal" else f"has {WORDS[kind]}"
        )
    if kind == "int":
        most = max(abs(value.value) if isinstance(value, Const) else value.most for value in values if value.kind == "int")
        return _writer(nw.Int64), Value("int", nw.lit(None), nw.Int64, most)
    if kind in ("stamp", "instant") and len(dtypes) > 1:
        raise Unfit("chooses between timestamps of different units")
    own: dict[str, Any] = {
        "text": nw.String,
        "bool": nw.Boolean,
        "date": nw.Date,
        "stamp": nw.Datetime("us"),
        "instant": nw.Datetime("us", "UTC"),
    }
    dtype = dtypes.pop() if dtypes else own.get(kind)
    return _writer(dtype), Value(kind, nw.lit(None), dtype)


def _writer(dtype: Any) -> Callable[[Operand], nw.Expr]:
    """Engines bring whole numbers of several widths into one type themselves."""

    def written(value: Operand) -> nw.Expr:
        return nw.lit(value.value, dtype=dtype) if isinstance(value, Const) else value.expr

    return written


def _as_float(value: Operand) -> nw.Expr:
    if isinstance(value, Const):
        return nw.lit(None if value.value is None else float(value.value), dtype=nw.Float64)
    return as_float(value)


def as_float(value: Value) -> nw.Expr:
    """A column of numbers in double precision. Arrow refuses whole numbers that lose something: their two parts do not."""
    if value.kind == "int" and value.most > _EXACT:
        high = value.expr // _PART
        low = value.expr - high * _PART
        return high.cast(nw.Float64) * float(_PART) + low.cast(nw.Float64)
    return value.expr if value.kind == "float" else value.expr.cast(nw.Float64)
