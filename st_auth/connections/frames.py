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
    """Return rows as a driver of PEP 249 gives them as a frame, its column types found from the values."""
    if as_ == "pandas":
        import pandas as pd

        return pd.DataFrame.from_records([tuple(row) for row in rows], columns=list(columns))
    if as_ == "polars":
        import polars as pl

        return pl.DataFrame([list(row) for row in rows], schema=list(columns), orient="row", infer_schema_length=None)
    import pyarrow as pa

    values = [list(column) for column in zip(*rows, strict=True)] or [[] for _ in columns]
    return pa.table([pa.array(column) for column in values], names=list(columns))
