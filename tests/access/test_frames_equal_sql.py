"""One rule file, two ways: what a rule leaves of a frame is what it leaves of the same rows in DuckDB, row by row and value by value.

`FRAME_CASES` says how many rules are tried, each on seven frames of two people.
"""

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings, strategies as st

from st_auth.access.frames import frame_fault, visible
from st_auth.access.permissions import Granted
from st_auth.access.rules import ColumnRule, Rules, Scalar, TableRule
from st_auth.access.sql import SQLRules

CASES = int(os.environ.get("FRAME_CASES", "25"))
SCHEMA = pa.schema(
    [
        ("s", pa.string()),
        ("t", pa.string()),
        ("i", pa.int64()),
        ("j", pa.int64()),
        ("k", pa.int8()),
        ("f", pa.float64()),
        ("g", pa.float64()),
        ("d", pa.decimal128(10, 2)),
        ("b", pa.bool_()),
        ("day", pa.date32()),
        ("moment", pa.timestamp("us")),
        ("z", pa.timestamp("us", "Europe/Berlin")),
    ]
)
SIGNS = "aAb%_é\u00df\u03a3\u0130\U0001f600\\ \n'"
NUMBERS = st.integers(-4, 9) | st.sampled_from([10**12, -(10**12)])
FLOATS = st.sampled_from([0.0, -0.0, 0.1, 0.5, 1.5, 2.5, -2.5, 3.0, 1e300, math.inf, -math.inf, math.nan])
TEXTS = st.text(SIGNS, max_size=3)
MOMENTS = st.integers(0, 5).map(lambda hours: datetime.fromisoformat("2026-03-28 22:00") + timedelta(hours=hours * 7))
DAYS = st.integers(0, 4).map(lambda days: date(2026, 3, 27) + timedelta(days=days))
VALUES = {
    "s": TEXTS,
    "t": TEXTS,
    "i": NUMBERS,
    "j": NUMBERS,
    "k": st.integers(-128, 127),
    "f": FLOATS,
    "g": FLOATS,
    "d": st.integers(-500, 500).map(lambda cents: Decimal(cents).scaleb(-2)),
    "b": st.booleans(),
    "day": DAYS,
    "moment": MOMENTS,
    "z": MOMENTS.map(lambda at: at.replace(tzinfo=UTC)),
}
ROWS = st.lists(st.fixed_dictionaries({name: st.none() | values for name, values in VALUES.items()}), min_size=2, max_size=8)


@dataclass
class Person:
    """Somebody with the permission to see `j` or without it."""

    granted: Granted
    values: dict[str, Sequence[Scalar]]

    def value(self, name: str) -> Sequence[Scalar]:
        return self.values[name]


def persons(*permissions: str) -> st.SearchStrategy[Person]:
    values = {
        "name": TEXTS.map(lambda text: (text,)),
        "names": st.lists(TEXTS, min_size=1, max_size=3).map(tuple),
        "level": st.integers(-3, 5).map(lambda number: (number,)),
        "levels": st.lists(st.integers(-3, 5), min_size=1, max_size=3).map(tuple),
        "rate": st.sampled_from([0.5, 2.0, -2.5]).map(lambda number: (number,)),
        "boss": st.booleans().map(lambda yes: (yes,)),
    }
    return st.builds(Person, st.just(Granted((), frozenset(permissions))), st.fixed_dictionaries(values))


def quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def sql(form: str, *parts: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.tuples(*parts).map(lambda given: form.format(*given))


def texts(depth: int) -> st.SearchStrategy[str]:
    plain = st.sampled_from(["s", "t", ":name"]) | TEXTS.map(quoted)
    if not depth:
        return plain
    inner = texts(depth - 1)
    count = st.integers(0, 3).map(str)
    forms = [
        *(sql(form, inner) for form in ("lower({})", "trim({})", "replace({}, 'a', 'x_')", "mask({})", "({})")),
        sql("{} || {}", inner, inner),
        sql("concat({}, 'é', {})", inner, inner),
        sql("substring({}, {}, {})", inner, st.integers(1, 3).map(str), count),
        sql("left({}, {})", inner, count),
        sql("right({}, {})", inner, count),
        sql("coalesce({}, {})", inner, inner),
        sql("nullif({}, {})", inner, inner),
        sql("cast({} as varchar)", st.sampled_from(["i", "k", "day", "b"])),
        sql("case when {} then {} else {} end", conditions(depth - 1), inner, inner),
    ]
    return plain | st.one_of(forms)


def wholes(depth: int) -> st.SearchStrategy[str]:
    plain = st.sampled_from(["i", "j", "k", ":level"]) | st.integers(0, 5).map(str)
    if not depth:
        return plain
    inner = wholes(depth - 1)
    forms = [
        *(sql(form, inner, inner) for form in ("i + {}", "({} - j)", "i * {}", "coalesce(i, {})", "nullif({}, {})")),
        sql("(i % {})", st.sampled_from(["2", "3", "-3"])),
        sql("-({})", inner),
        sql("abs({})", inner),
        sql("length({})", st.sampled_from(["s", "t", "s || t"])),
        sql("{}({})", st.sampled_from(["year", "month", "day"]), st.sampled_from(["day", "moment"])),
        sql("extract(hour from moment)"),
        sql("cast({} as bigint)", st.sampled_from(["b", "k", "case when abs(g) < 1000 then g end"])),
        sql("case i when {} then {} else {} end", inner, inner, inner),
    ]
    return plain | st.one_of(forms)


def floats(depth: int) -> st.SearchStrategy[str]:
    plain = st.sampled_from(["f", "g", ":rate", "1.5e0", "2.5e0"])
    if not depth:
        return plain
    inner, whole = floats(depth - 1), wholes(depth - 1)
    forms = [
        *(sql(form, inner) for form in ("f + {}", "g * {}", "(f - {})", "f / {}", "abs({})", "-({})", "coalesce({}, g)")),
        sql("i / {}", whole),
        sql("round(f)"),
        sql("round(g, 1)"),
        sql("cast({} as double)", st.sampled_from(["d", "i", "k", "1.25"])),
    ]
    return plain | st.one_of(forms)


def compared(depth: int) -> st.SearchStrategy[str]:
    sign = st.sampled_from(["=", "<>", "<", "<=", ">", ">="])
    text, whole, number = texts(depth), wholes(depth), floats(depth)
    pattern = st.text("aA%_é!", max_size=4)
    moment = st.sampled_from(["day", "moment", "date '2026-03-28'", "timestamp '2026-03-29 05:00:00'"])
    instant = st.just("timestamptz '2026-03-29 05:00:00+02'")
    return st.one_of(
        sql("{} {} {}", text, sign, text),
        sql("{} {} {}", whole, sign, whole),
        sql("{} {} {}", number, sign, number),
        sql("{} {} {}", whole, sign, number),
        sql("d {} {}", sign, st.sampled_from(["1.5", "1.555", "2", "d", "f", ":rate", "-3", "99999999999"])),
        sql("i {} {}", sign, st.sampled_from(["1.5", "-2.5", "99999999999999999999", "2e0"])),
        sql("f {} {}", sign, st.sampled_from(["0.1", "1.5", "3"])),
        sql("{} {} {}", moment, sign, moment),
        sql("day {} '2026-03-28'", sign),
        sql("moment {} '2026-03-28 22:00'", sign),
        sql("z {} {}", sign, st.sampled_from(["z"]) | instant),
        sql("b {} {}", st.sampled_from(["=", "<>"]), st.sampled_from(["true", "false", "b", ":boss", "(i > 2)"])),
        sql("{} {} (:names)", text, st.sampled_from(["in", "not in"])),
        sql("{} {} (:levels)", whole, st.sampled_from(["in", "not in"])),
        sql("{} {} ({}, {})", text, st.sampled_from(["in", "not in"]), text, st.just("null") | text),
        sql("{} {} ({}, {})", whole, st.sampled_from(["in", "not in"]), whole, st.just("null") | whole),
        sql("f not in ({}, {})", number, number),
        sql("{} {} {} and {}", whole, st.sampled_from(["between", "not between"]), whole, whole),
        sql("f between {} and {}", number, number),
        sql("{} {} {} escape '!'", text, st.sampled_from(["like", "not like", "ilike"]), pattern.filter(_is_pattern).map(quoted)),
        sql("{} like :name || '%'", text),
        sql("{} is {}", st.one_of(text, whole, number, moment), st.sampled_from(["null", "not null"])),
        st.sampled_from(["b", "not b", "b is true", "b is not true", "b is false", ":boss", "null", "(b is null) is true"]),
    )


def _is_pattern(pattern: str) -> bool:
    return pattern.replace("!!", "").count("!") == 0 or not pattern.replace("!!", "").endswith("!")


def conditions(depth: int) -> st.SearchStrategy[str]:
    if not depth:
        return compared(0)
    inner = conditions(depth - 1)
    forms = [
        sql("({}) and ({})", inner, inner),
        sql("({}) or ({})", inner, inner),
        sql("not ({})", inner),
        sql("({}) is null", inner),
        sql("coalesce({}, b)", inner),
        sql("case when {} then {} else {} end", inner, inner, inner),
    ]
    return compared(depth) | st.one_of(forms)


RULES = st.builds(
    lambda rows, s, f, i, dropped: TableRule(
        "data", rows=rows, columns={"s": s, "f": f, "i": i, **dropped, "j": ColumnRule("null", "j:read"), "z": ColumnRule("null")}
    ),
    conditions(2),
    st.builds(ColumnRule, texts(2)),
    st.builds(ColumnRule, floats(2)),
    st.builds(ColumnRule, wholes(2)),
    st.sampled_from([{}, {"day": ColumnRule("hide")}]),
)


@pytest.fixture(scope="module")
def database() -> Any:
    with duckdb.connect() as connection:
        connection.execute("set timezone = 'UTC'")
        yield connection


def by_sql(database: Any, table: pa.Table, rule: TableRule, person: Person) -> list[tuple[Any, ...]] | None:
    """The rows that the rule leaves in DuckDB; None where it stops with an error of its own."""
    database.register("data", table)
    rules = SQLRules(Rules(tables={"data": rule}), "duckdb", "dollar")
    asked = rules.filtered("select * from data", None, person, lambda _: tuple(table.column_names))
    try:
        found = database.execute(asked.sql, asked.params)
        return [tuple(_plain(value) for value in row) for row in found.fetchall()]
    except duckdb.Error:
        return None


def by_frame(frame: Any, rule: TableRule, person: Person) -> list[tuple[Any, ...]]:
    seen = visible(frame, rule, person, "duckdb")
    assert type(seen) is type(frame)
    if isinstance(seen, pd.DataFrame):
        return [tuple(None if pd.isna(value) else _plain(value) for value in row) for row in seen.astype(object).itertuples(index=False)]
    if isinstance(seen, duckdb.DuckDBPyRelation):
        return [tuple(_plain(value) for value in row) for row in seen.fetchall()]
    table = seen.collect() if isinstance(seen, pl.LazyFrame) else seen
    rows = table.rows() if isinstance(table, pl.DataFrame) else [tuple(row.values()) for row in table.to_pylist()]
    return [tuple(_plain(value) for value in row) for row in rows]


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return "NaN" if math.isnan(value) else value
    return value.astimezone(UTC) if isinstance(value, datetime) and value.tzinfo else value


def without_nan(table: pa.Table) -> pa.Table:
    for name in ("f", "g"):
        column = table[name]
        place = table.schema.get_field_index(name)
        table = table.set_column(place, name, pc.if_else(pc.is_nan(column), pa.scalar(None, pa.float64()), column))
    return table


def pandas_of(table: pa.Table) -> list[pd.DataFrame]:
    """In Arrow's types, and in pandas' own: there a null among numpy's whole numbers would make them something else."""
    own = {pa.int64(): pd.Int64Dtype(), pa.int8(): pd.Int8Dtype(), pa.bool_(): pd.BooleanDtype()}
    return [table.to_pandas(types_mapper=pd.ArrowDtype), table.to_pandas(types_mapper=own.get)]


@settings(max_examples=CASES)
@given(ROWS, RULES, persons(), persons("j:read"))
def test_a_rule_leaves_of_a_frame_what_it_leaves_in_the_database(
    database: Any, rows: list[dict[str, Any]], rule: TableRule, one: Person, other: Person
) -> None:
    """Where the database stops, as at a number too large, there is nothing to compare."""
    table = pa.Table.from_pylist(rows, SCHEMA)
    polars: Any = pl.from_arrow(table)
    in_arrow, in_own = pandas_of(table)
    assert frame_fault(rule, "duckdb") is None
    for person, frames, pandas in ((one, [table, polars, database.from_arrow(table)], in_arrow), (other, [table, polars.lazy()], in_own)):
        wanted, of_pandas = (by_sql(database, data, rule, person) for data in (table, without_nan(table)))
        for frame in frames:
            assert wanted in (None, by_frame(frame, rule, person)), type(frame)
        assert of_pandas in (None, by_frame(pandas, rule, person))
