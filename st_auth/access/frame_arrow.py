"""Frames in memory, pandas' and pyarrow's: the columns that a rule names are worked on as Arrow's, and the frame is cut by what comes out.

So pandas' own ways with nulls (NaN, None, NaT, NA; comparisons that are false instead of null) do not come into a rule: all are nulls.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final

import narwhals as nw
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc  # type: ignore[import-untyped]  # has no types of its own

from st_auth.access.frame_kinds import literal
from st_auth.access.frame_values import NULL, Engine, Operand, Side, Value, column

__all__ = ["ArrowFrame", "PandasFrame"]

_ROWS: Final = "rows"


class _Columns:
    """The columns that a rule has named so far as plain Arrow arrays, `count` rows of them, and what was worked out from them."""

    def __init__(self, given: Callable[[str], Any], count: int) -> None:
        self._given = given
        self._known: dict[str, Operand] = {}
        self._frame: Any = nw.from_native(pa.table({_ROWS: pa.nulls(count)}))  # so that there are rows where no column is named
        self.types: dict[str, Any] = {}

    def column(self, name: str) -> Operand:
        """Return a column as rules see it."""
        if name not in self._known:
            array = _plain(self._given(name))
            self.types[name] = array.type
            self._frame = nw.from_native(self._frame.to_native().append_column(f"own {name}", array))
            own = self._frame.schema[f"own {name}"]
            self._known[name] = NULL if pa.types.is_null(array.type) else column(f"own {name}", own, "arrow")
        return self._known[name]

    def bind(self, value: Value) -> Value:
        """A column beside the others."""
        name = f"bound {len(self._frame.columns)}"
        self._frame = self._frame.with_columns(value.expr.alias(name))
        return replace(value, expr=nw.col(name))

    def rows(self, side: nw.Expr) -> Any:
        """Return where a condition is true."""
        return self._frame.select(side.alias(_ROWS)).to_native()[_ROWS].fill_null(fill_value=False)

    def values(self, instead: Mapping[str, Operand]) -> dict[str, Any]:
        """Return what expressions give."""
        found = self._frame.with_columns(*(_single(value).alias(f"out {name}") for name, value in instead.items())).to_native()
        return {name: found[f"out {name}"] for name in instead}


def _single(value: Operand) -> nw.Expr:
    return literal(value).cast(nw.Float32) if isinstance(value, Value) and value.single else literal(value)


def _plain(array: Any) -> Any:
    """Without a dictionary, and moments in UTC."""
    if pa.types.is_dictionary(array.type):
        array = pc.cast(array, array.type.value_type)
    if pa.types.is_timestamp(array.type) and array.type.tz not in (None, "UTC"):
        array = array.cast(pa.timestamp(array.type.unit, "UTC"))
    return array


class _InColumns:
    """What is read column by column."""

    _columns: _Columns

    def column(self, name: str) -> Operand:
        """Return a column as rules see it."""
        return self._columns.column(name)

    def bind(self, value: Value) -> Value:
        """Work a value out now."""
        return self._columns.bind(value)


class ArrowFrame(_InColumns):
    """A table of pyarrow."""

    def __init__(self, table: Any) -> None:
        self.engine: Engine = "arrow"
        self.names = tuple(table.column_names)
        self.beside: tuple[str, ...] = ()
        self._table = table
        self._fewer = False
        self._columns = _Columns(table.column, table.num_rows)

    def keep(self, rows: Side) -> None:
        """Cut the table."""
        if rows is not True:
            self._table = self._table.slice(length=0) if rows is False else self._table.filter(self._columns.rows(rows))
            self._columns = _Columns(self._table.column, self._table.num_rows)
            self._fewer = True

    def shown(self, instead: Mapping[str, Operand], nulls: frozenset[str], out: frozenset[str]) -> Any:
        """Return a table, without the entries of dictionaries that no row has."""
        table = self._table
        values = self._columns.values(instead)
        for place, name in enumerate(table.column_names):
            field, array = table.schema.field(place), table.column(place)
            if name in values:
                array = _as(values[name], field.type)
            elif name in nulls:
                array = _nothing(field.type, table.num_rows)
            elif self._fewer and pa.types.is_dictionary(field.type):
                array = _without_unused(array)
            else:
                continue
            table = table.set_column(place, pa.field(name, array.type, metadata=field.metadata), array)
        return table.drop_columns(sorted(out)) if out else table


def _as(array: Any, own: Any) -> Any:
    """What an expression gives, in the column's own type where that is another form of the same."""
    same = _is_text(array.type) and _is_text(own)
    moments = pa.types.is_timestamp(array.type) and pa.types.is_timestamp(own) and (array.type.tz is None) == (own.tz is None)
    return array.cast(pa.timestamp(array.type.unit, own.tz)) if moments else array.cast(own) if same else array


def _is_text(arrow: Any) -> bool:
    return bool(pa.types.is_string(arrow) or pa.types.is_large_string(arrow))


def _nothing(own: Any, count: int) -> Any:
    if pa.types.is_dictionary(own):
        indices = pa.nulls(count, own.index_type)
        return pa.DictionaryArray.from_arrays(indices, pa.array([], own.value_type), ordered=own.ordered)
    return pa.nulls(count, own)


def _without_unused(array: Any) -> Any:
    """A dictionary tells of values that are in hidden rows alone."""
    own = array.type
    chunk = array.unify_dictionaries().combine_chunks()
    used = pc.drop_null(pc.unique(chunk.indices)).sort()
    indices = pc.index_in(chunk.indices, value_set=used).cast(own.index_type)
    return pa.DictionaryArray.from_arrays(indices, chunk.dictionary.take(used), ordered=own.ordered)


class PandasFrame(_InColumns):
    """A DataFrame of pandas."""

    def __init__(self, frame: Any) -> None:
        self.engine: Engine = "arrow"
        self.names = tuple(name for name in frame.columns if isinstance(name, str))
        self.beside: tuple[str, ...] = tuple(name for name in frame.index.names if isinstance(name, str))
        self._frame = frame.copy(deep=False)
        self._fewer = False
        self._columns = self._read()

    def _read(self) -> _Columns:
        return _Columns(lambda name: _array(self._frame[name]), len(self._frame))

    def keep(self, rows: Side) -> None:
        """Cut the frame; its index is cut with it."""
        if rows is not True:
            self._frame = self._frame.iloc[:0].copy() if rows is False else self._frame.loc[self._columns.rows(rows).to_numpy()]
            self._columns = self._read()
            self._fewer = True

    def shown(self, instead: Mapping[str, Operand], nulls: frozenset[str], out: frozenset[str]) -> Any:
        """Return a frame with the index of its rows, without categories and levels that no row has."""
        frame = self._frame
        values = self._columns.values(instead)
        for place, name in enumerate(frame.columns):
            series = frame.iloc[:, place]
            if name in values:
                frame.isetitem(place, _series(values[name], self._columns.types.get(name), series))
            elif name in nulls:
                frame.isetitem(place, _null_series(series))
            elif self._fewer and series.dtype == "category":
                frame.isetitem(place, series.cat.remove_unused_categories())
        if self._fewer:
            frame.index = _index(frame.index)
        return frame.iloc[:, [place for place, name in enumerate(frame.columns) if name not in out]] if out else frame


def _array(series: Any) -> Any:
    """A column as Arrow's; of one that has no type that Arrow knows, only where there is something."""
    try:
        array = pa.chunked_array([pa.array(series)])
    except (pa.ArrowException, TypeError, ValueError, OverflowError):
        return pa.chunked_array([pa.array([b""] * len(series), mask=series.isna().to_numpy())])
    if pa.types.is_floating(array.type):
        array = pc.if_else(pc.is_nan(array), pa.scalar(None, array.type), array)
    return array


def _series(array: Any, given: Any, own: Any) -> Any:
    """What an expression gives, in the column's own type where that can hold it."""
    import pandas as pd

    if isinstance(own.dtype, pd.ArrowDtype):
        return pd.Series(pd.arrays.ArrowExtensionArray(array), index=own.index)
    series = array.to_pandas(types_mapper=_can_be_null if array.null_count else None)
    series.index = own.index
    alike = given is not None and (given == array.type or (_is_text(given) and _is_text(array.type)))
    keeps = alike and own.dtype != "category" and not (array.null_count and own.dtype.kind in "iub")
    return series.astype(own.dtype) if keeps else series


def _can_be_null(arrow: Any) -> Any:
    import pandas as pd

    known = {pa.int64(): pd.Int64Dtype(), pa.int32(): pd.Int32Dtype(), pa.bool_(): pd.BooleanDtype()}
    return known.get(arrow)


def _null_series(series: Any) -> Any:
    """Nulls of the column's own type; where that has none, as with numpy's whole numbers, of the type of its name that has."""
    import pandas as pd

    dtype = series.dtype
    if dtype == "category":
        dtype = pd.CategoricalDtype([], ordered=dtype.ordered)
    elif isinstance(dtype, np.dtype) and dtype.kind in "iub":
        dtype = pd.Series(dtype=dtype).convert_dtypes().dtype
    empty = series.iloc[:0].reset_index(drop=True).astype(dtype).reindex(range(len(series)))
    empty.index = series.index
    return empty


def _index(index: Any) -> Any:
    import pandas as pd

    if isinstance(index, pd.MultiIndex):
        return index.remove_unused_levels()
    return index.remove_unused_categories() if isinstance(index, pd.CategoricalIndex) else index
