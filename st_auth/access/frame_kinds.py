"""The kinds of frames: what engine works on one, and how its rows and columns are taken. narwhals speaks to all of them."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Protocol

import narwhals as nw

from st_auth.access.frame_values import NULL, Const, Engine, Operand, Side, Unfit, Value, column

__all__ = ["Frame", "opened"]


class Frame(Protocol):
    """A frame under a rule. `beside` are the names that stand outside of its columns."""

    engine: Engine
    names: tuple[str, ...]
    beside: tuple[str, ...]

    def column(self, name: str) -> Operand:
        """Return a column as rules see it."""
        ...

    def bind(self, value: Value) -> Value:
        """Return the same values as a column of their own, so that what is built upon them does not work them out again."""
        ...

    def keep(self, rows: Side) -> None:
        """Have these rows alone from now on."""
        ...

    def shown(self, instead: Mapping[str, Operand], nulls: frozenset[str], out: frozenset[str]) -> Any:
        """Return the frame with other values, nulls or nothing at all in the place of columns."""
        ...


def opened(frame: Any) -> Frame:
    """Return a frame of a known kind. Raises TypeError for another."""
    native: Any = frame
    if nw.dependencies.is_pandas_dataframe(native):
        from st_auth.access.frame_arrow import PandasFrame

        return PandasFrame(native)
    if nw.dependencies.is_pyarrow_table(native):
        from st_auth.access.frame_arrow import ArrowFrame

        return ArrowFrame(native)
    if nw.dependencies.is_polars_dataframe(native) or nw.dependencies.is_polars_lazyframe(native):
        return QueryFrame(native, "polars")
    if nw.dependencies.is_duckdb_relation(native):
        return QueryFrame(native, "duckdb")
    raise TypeError("a frame is a DataFrame of pandas or polars, a LazyFrame, a table of pyarrow or a relation of DuckDB")


class QueryFrame:
    """What takes its rows and columns by a query of its own: polars at once or lazily, DuckDB lazily."""

    def __init__(self, native: Any, engine: Engine) -> None:
        self.engine: Engine = engine
        self.beside: tuple[str, ...] = ()
        self._frame: Any = nw.from_native(native)
        self._native = native
        self._bound = 0
        self._schema = self._frame.collect_schema()
        self.names = tuple(self._schema.names())

    def column(self, name: str) -> Operand:
        """Return a column as rules see it; one that has no type is nothing but nulls."""
        if self._schema[name] == nw.Unknown and self._is_null(name):
            return NULL
        return column(name, self._schema[name], self.engine)

    def _is_null(self, name: str) -> bool:
        if self.engine == "duckdb":
            return str(self._native.types[self.names.index(name)]) == '"NULL"'
        return str(self._native.collect_schema()[name]) == "Null"

    def bind(self, value: Value) -> Value:
        """A column beside the others, which does not stay."""
        self._bound += 1
        name = _free(f"st_auth_{self._bound}", self.names)
        self._frame = self._frame.with_columns(value.expr.alias(name))
        return replace(value, expr=nw.col(name))

    def keep(self, rows: Side) -> None:
        """By a query that the engine runs now or later."""
        if rows is not True:
            frame = self._frame.head(0) if rows is False else self._frame.filter(rows)
            self._frame = frame.select(*self.names)

    def shown(self, instead: Mapping[str, Operand], nulls: frozenset[str], out: frozenset[str]) -> Any:
        """Return the query's frame, collected if the one that went in was."""
        never = nw.lit(value=False)
        seen: list[nw.Expr] = [nw.when(never).then(nw.col(name)).alias(name) for name in nulls]
        seen += [self._written(name, value).alias(name) for name, value in instead.items()]
        frame = self._frame.with_columns(*seen) if seen else self._frame
        return frame.select(*(name for name in self.names if name not in out)).to_native()

    def _written(self, name: str, value: Operand) -> nw.Expr:
        expr = literal(value)
        own = self._schema[name]
        if isinstance(value, Value) and value.kind == "instant" and self.engine == "polars" and own == nw.Datetime and own.time_zone:
            return expr.dt.convert_time_zone(own.time_zone)
        return expr.cast(nw.Float32) if isinstance(value, Value) and value.single else expr


def literal(value: Operand) -> nw.Expr:
    """A value as an expression."""
    if isinstance(value, Const):
        return nw.lit(None, dtype=nw.String) if value.kind == "null" else nw.lit(value.value)
    if value.kind == "other":
        raise Unfit("shows a column of a type that rules cannot read")
    return value.expr


def _free(name: str, taken: tuple[str, ...]) -> str:
    return name if name not in taken else _free(f"{name}_", taken)
