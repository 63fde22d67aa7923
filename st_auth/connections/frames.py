"""Rows as the frame that somebody asked for. pandas, polars and pyarrow are imported when they are used."""

from collections.abc import Sequence
from typing import Any

__all__ = ["from_arrow", "from_rows"]


def from_arrow(table: Any, as_: str) -> Any:
    """Return an Arrow table as `arrow`, `polars` or `pandas`."""
    if as_ == "arrow":
        return table
    if as_ == "polars":
        import polars as pl

        return pl.from_arrow(table)
    return table.to_pandas()


def from_rows(columns: Sequence[str], rows: Sequence[Sequence[Any]], as_: str) -> Any:
    """Return rows as a driver of PEP 249 gives them as a frame, its column types found from the values.

    Whole numbers stay whole where some are missing; what Arrow has no type for becomes text there and in polars.
    """
    if as_ == "pandas":
        import pandas as pd

        frame = pd.DataFrame.from_records([tuple(row) for row in rows], columns=list(columns))
        for place, dtype in enumerate(frame.dtypes):
            if dtype.kind in "fO" and (whole := _whole_with_gaps([row[place] for row in rows])):
                frame.isetitem(place, pd.array(whole, dtype="Int64"))
        return frame
    import pyarrow as pa

    values = [list(column) for column in zip(*rows, strict=True)] or [[] for _ in columns]
    return from_arrow(pa.table([_arrow(pa, column) for column in values], names=list(columns)), as_)


def _whole_with_gaps(values: list[Any]) -> list[int | None] | None:
    """The values if they are whole numbers of 64 bits with gaps, which pandas on its own would make rounded floats of."""
    given = [value for value in values if value is not None]
    is_whole = len(given) < len(values) and {*map(type, given)} == {int} and max(map(abs, given)) < 2**63
    return values if is_whole else None


def _arrow(pa: Any, values: list[Any]) -> Any:
    try:
        return pa.array(values)
    except (pa.ArrowException, OverflowError, TypeError):  # a TypeError for Decimal("Infinity")
        return pa.array([None if value is None else str(value) for value in values])
