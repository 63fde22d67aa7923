"""A frame under the rule file: what its columns are afterwards, and what polars, pandas, pyarrow and DuckDB have of their own."""

from typing import Any

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from st_auth.access.frames import visible
from tests.access.test_frame_corners import EDGES
from tests.access.test_frames import database, frame_of, reader, refusal, rows_of, rule

__all__ = ["database"]


@pytest.mark.parametrize("kind", ["polars", "pyarrow"])
def test_what_takes_a_columns_place_has_the_type_that_it_says(kind: str) -> None:
    asked = rule(
        wide="wide + 1",
        f="case when n = 0 then 1 else 2.5e0 end",
        s="cast(x as text)",
        b="case when n = 0 then true end",
        x="case when 1 = 0 then 5 end",
        money="abs(abs(abs(f)))",
        zms="zns",
        g="cast(cast(ms as date) as text)",
        ms="zus",
        n="case when n < 2 then wide end",
    )

    seen = visible(frame_of(kind, None, EDGES), asked, reader(), "duckdb")
    types = {field.name: field.type for field in (seen if kind == "pyarrow" else seen.to_arrow()).schema}
    assert types["wide"] == types["n"] == pa.int64()
    assert types["f"] == types["money"] == pa.float64()
    assert types["b"] == pa.bool_()
    assert {str(types[name]) for name in ("s", "x", "g")} <= {"string", "large_string"}
    assert str(types["zms"]).startswith("timestamp[ns, tz=") and types["ms"] in (pa.timestamp("us", "UTC"), pa.timestamp("us"))


def test_polars_writes_small_what_a_database_writes_small() -> None:
    frame = pl.DataFrame({"n": [0, 1, 2, 3], "s": ["\u0130", "A\u03a3", "b", None]})

    assert rows_of("lower(s) = 'i'", frame) == [0]
    assert rows_of("lower(s) = 'a\u03c3'", frame) == [1]
    assert rows_of("upper(s) is null", frame) == [3]


def test_a_column_of_a_type_without_a_name_here_is_no_null(database: Any) -> None:
    frame = database.sql("select 0 as n, uuid() as x, null as y")

    assert "cannot read" in refusal(frame, rule("x = 'a'"))
    assert rows_of("y is null", frame) == [0]
    things = pl.DataFrame({"n": [0], "x": pl.Series([object()], dtype=pl.Object), "y": pl.Series([None], dtype=pl.Null)})
    assert "cannot read" in refusal(things, rule("x = 'a'"))
    assert rows_of("y is null", things) == [0]
    assert rows_of("y = 1 or y like 'x'", things) == rows_of("y = 1", frame) == []


def test_dictionaries_categories_and_nulls_of_pandas_keep_what_they_are() -> None:
    sizes = pd.CategoricalDtype(["s", "m", "l"], ordered=True)
    frame = pd.DataFrame({"n": [0, 1, 2], "size": pd.Series(["s", "l", "s"], dtype=sizes), "same": pd.Series(["s", "m", "s"], dtype=sizes)})

    seen = visible(frame, rule(same="null"), reader())
    assert seen["same"].cat.ordered and list(seen["same"].cat.categories) == []
    assert list(seen["size"].cat.categories) == ["s", "m", "l"]
    assert list(visible(frame, rule("n <> 1"), reader())["size"].cat.categories) == ["s"]

    kinds = pa.array(["p", "q", "p"]).dictionary_encode()
    ordered = pa.DictionaryArray.from_arrays(kinds.indices, kinds.dictionary, ordered=True)
    table = pa.table({"n": [0, 1, 2], "kind": ordered, "same": ordered})
    table = table.replace_schema_metadata({"of": "table"})
    seen = visible(table, rule("n <> 1", same="null", n="n + 1"), reader(), "duckdb")
    assert seen.schema.field("kind").type.ordered and seen.schema.field("same").type.ordered
    assert seen["kind"].combine_chunks().dictionary.to_pylist() == ["p"]
    assert visible(table, rule(), reader())["kind"].chunk(0).dictionary.to_pylist() == ["p", "q"]
    assert seen.schema.metadata == {b"of": b"table"} and seen["n"].to_pylist() == [1, 3]


def test_fields_of_a_table_keep_what_is_written_beside_them() -> None:
    table = pa.table({"n": [0]}, schema=pa.schema([pa.field("n", pa.int64(), metadata={"of": "field"})]))

    assert visible(table, rule(n="n + 1"), reader(), "duckdb").schema.field("n").metadata == {b"of": b"field"}


def test_categories_of_polars_are_texts() -> None:
    for dtype in (pl.Categorical(), pl.Enum(["q", "p"])):
        frame = pl.DataFrame({"n": [0, 1, 2], "kind": pl.Series(["p", "q", None], dtype=dtype)})
        assert rows_of("kind < 'pa'", frame) == [0]
        assert rows_of("kind > 'pa'", frame) == [1]
        assert rows_of("kind || 'x' = 'px'", frame) == [0]


def test_a_database_in_another_zone_compares_moments_by_itself(database: Any) -> None:
    database.execute("set timezone = 'Europe/Berlin'")
    frame = database.sql("select * from (values (0, timestamptz '2026-03-28 12:00:00+00'), (1, null)) as t (n, seen)")

    assert rows_of("seen > '2026-03-28 11:59:59Z'", frame) == [0]
    assert rows_of("seen > '2026-03-28T12:00:01Z'", frame) == []


def test_the_size_of_a_real_is_a_real() -> None:
    table = pa.table({"n": [0], "real": pa.array([-0.5], pa.float32())})

    seen = visible(table, rule(real="abs(real)"), reader(), "duckdb")

    assert seen.schema.field("real").type == pa.float32() and seen["real"].to_pylist() == [0.5]
