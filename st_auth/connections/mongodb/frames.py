"""Documents as the frame that somebody asked for: a column for each field, in the order in which fields first appear."""

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from typing import Any, Final

from st_auth.connections.frames import from_rows

__all__ = ["from_documents"]

_AS_THEY_ARE: Final = frozenset({type(None), bool, int, float, str, Decimal})
_NESTED: Final = (dict, list)


def from_documents(documents: Sequence[Mapping[str, Any]], as_: str) -> Any:
    """Return documents as `pandas`, `polars` or `arrow`; a field that a document lacks is null.

    ObjectId and UUID become text, Decimal128 a Decimal, dates are aware and in UTC, bytes stay bytes, and what only MongoDB knows (a
    regular expression, a timestamp of its log, a key that sorts last) is text too. Nested documents and lists stay dicts and lists in
    pandas; in Arrow and polars they are structs and lists where all of a column fit into one type, and else JSON.
    """
    columns = list(dict.fromkeys(name for document in documents for name in document))
    rows = [[_plain(document.get(name)) for name in columns] for document in documents]
    return from_rows(columns, rows if as_ == "pandas" else _fitting(rows), as_)


def _plain(value: Any) -> Any:
    """A value of BSON as one of a plain type, and what is in it too."""
    if type(value) in _AS_THEY_ARE:
        return value
    if isinstance(value, datetime):
        return value.astimezone(UTC)
    if isinstance(value, Mapping):
        return {name: _plain(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_plain(one) for one in value]
    return _odd(value)


def _odd(value: Any) -> Any:
    """What is of a type that only MongoDB has, as the nearest one of Python's; as text where there is none."""
    if isinstance(value, bytes):  # Binary, whatever its subtype
        return bytes(value)
    return _nearest().get(type(value), str)(value)


@cache
def _nearest() -> Mapping[type, Callable[[Any], Any]]:
    from bson import DatetimeMS, DBRef, Decimal128, Int64, Regex, Timestamp

    return {
        Int64: int,
        Decimal128: Decimal128.to_decimal,
        DatetimeMS: lambda value: str(int(value)),  # a date that Python's calendar does not reach: milliseconds since 1970
        DBRef: lambda value: _plain(value.as_doc()),
        Regex: lambda value: f"/{value.pattern}/",
        Timestamp: lambda value: f"{value.time}:{value.inc}",
    }


def _fitting(rows: Sequence[list[Any]]) -> Sequence[list[Any]]:
    """Rows of which each column has one type in Arrow: nested values that have not are written as JSON, others are from_rows' business."""
    import pyarrow as pa

    for place in range(len(rows[0]) if rows else 0):
        column = [row[place] for row in rows]
        if any(isinstance(value, _NESTED) for value in column) and not _fits(pa, column):
            for row, value in zip(rows, column, strict=True):
                row[place] = None if value is None else value if isinstance(value, str) else json.dumps(value, default=_json)
    return rows


def _fits(pa: Any, column: list[Any]) -> bool:
    """Whether Arrow has one type for them, and one that polars knows too: no struct without a field, no dictionary by chance."""
    if _has_empty(column):
        return False
    try:
        pa.array(column)
    except (pa.ArrowException, OverflowError, TypeError, ValueError):
        return False
    return True


def _has_empty(value: Any) -> bool:
    if isinstance(value, dict):
        return not value or any(_has_empty(one) for one in value.values())
    return isinstance(value, list) and any(_has_empty(one) for one in value)


def _json(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.hex()
    return value.isoformat() if isinstance(value, datetime) else str(value)
