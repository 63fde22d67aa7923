"""A frame under the rule file: what comes out of each kind, and what is refused."""

import sys
from collections.abc import Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from st_auth.access.frames import frame_fault, visible
from st_auth.access.permissions import Granted
from st_auth.access.rules import ColumnRule, Scalar, TableRule
from st_auth.errors import ConfigError, PermissionDenied
from tests.access.test_sql import Reader

NOON = datetime.fromisoformat("2026-03-28 12:00")
DATA = pa.table(
    {
        "n": pa.array([0, 1, 2, 3, 4], pa.int64()),
        "region": pa.array(["eu", "us", None, "de", "eu"]),
        "amount": pa.array([10, -3, 7, None, 2**62], pa.int64()),
        "small": pa.array([100, -128, 0, None, 5], pa.int8()),
        "rate": pa.array([0.5, float("nan"), None, -2.5, 1e300]),
        "real": pa.array([0.1, 2.0, None, float("inf"), -0.5], pa.float32()),
        "price": pa.array([Decimal("1.50"), Decimal("-2.25"), None, Decimal("0.00"), Decimal("9.99")], pa.decimal128(6, 2)),
        "open": pa.array([True, False, None, True, False]),
        "day": pa.array([date(2026, 3, 27), date(2026, 3, 28), None, date(2026, 3, 29), date(1, 1, 1)]),
        "moment": pa.array([NOON, NOON.replace(hour=13), None, NOON.replace(day=1), NOON.replace(year=1)], pa.timestamp("us")),
        "sec": pa.array([NOON, NOON.replace(hour=13), None, NOON.replace(day=1), NOON.replace(year=2000)], pa.timestamp("s")),
        "zoned": pa.array(
            [NOON, NOON.replace(hour=13), None, NOON.replace(day=1), NOON.replace(year=2000)], pa.timestamp("us", "Europe/Berlin")
        ),
        "email": pa.array(["Ana@acme.com", " b%_\\x ", None, "Σß", "12"]),
        "kind": pa.array(["p", "q", None, "r", "p"]).dictionary_encode(),
        "none": pa.nulls(5),
        "list": pa.array([[1], [2], None, [], [3]]),
    }
)
KINDS = ["pyarrow", "pandas", "polars", "lazy", "duckdb"]
EVERY = pytest.mark.parametrize("kind", KINDS)


@pytest.fixture(scope="module")
def database() -> Any:
    with duckdb.connect() as connection:
        connection.execute("set timezone = 'UTC'")
        yield connection


def frame_of(kind: str, database: Any, table: pa.Table = DATA) -> Any:
    if kind == "pandas":
        return table.to_pandas(types_mapper=pd.ArrowDtype)
    if kind == "duckdb":
        return database.from_arrow(table)
    polars: Any = pl.from_arrow(table)
    return {"pyarrow": table, "polars": polars, "lazy": polars.lazy()}[kind]


def column_of(frame: Any, name: str) -> list[Any]:
    if isinstance(frame, duckdb.DuckDBPyRelation):
        return [row[0] for row in frame.select(f'"{name}"').fetchall()]
    if isinstance(frame, pd.DataFrame):
        return [None if value is None or (not isinstance(value, list) and pd.isna(value)) else value for value in frame[name]]
    if isinstance(frame, pa.Table):
        return list(frame[name].to_pylist())
    return list((frame.collect() if isinstance(frame, pl.LazyFrame) else frame)[name].to_list())


def reader(*permissions: str, **values: Sequence[Scalar]) -> Reader:
    return Reader(Granted((), frozenset(permissions)), values)


def rule(rows: str = "", needs: str = "", **columns: str) -> TableRule:
    return TableRule("app.sales", needs, rows, {name: ColumnRule(otherwise) for name, otherwise in columns.items()})


def rows_of(rows: str, frame: Any, viewer: Reader | None = None, dialect: str = "duckdb") -> list[int]:
    return column_of(visible(frame, rule(rows), viewer or reader(), dialect), "n")


def refusal(frame: Any, asked: TableRule, viewer: Reader | None = None, dialect: str = "duckdb") -> str:
    with pytest.raises(ConfigError) as caught:
        visible(frame, asked, viewer or reader(), dialect)
    return str(caught.value)


@pytest.mark.parametrize("kind", ["pyarrow", "pandas", "polars", "duckdb"])
@pytest.mark.parametrize(
    ("rows", "seen"),
    [
        ("region = 'eu'", [0, 4]),
        ("region <> 'eu'", [1, 3]),
        ("not region = 'eu'", [1, 3]),
        ("'eu' < region", [1]),
        ("region in ('us', 'de')", [1, 3]),
        ("region not in ('us', 'de')", [0, 4]),
        ("region not in ('us', null)", []),
        ("region in ('us', email)", [1]),
        ("region is null or open", [0, 2, 3]),
        ("region is not null and open is not true", [1, 4]),
        ("open is false", [1, 4]),
        ("(open) is null", [2]),
        ("open = true", [0, 3]),
        ("open <> (amount > 0)", [4]),
        ("open = null", []),
        ("amount between -3 and 7", [1, 2]),
        ("amount not between -3 and 7", [0, 4]),
        ("amount > 6.5", [0, 2, 4]),
        ("amount = 6.5", []),
        ("amount <> 6.5", [0, 1, 2, 4]),
        ("amount < 99999999999999999999", [0, 1, 2, 4]),
        ("amount > 99999999999999999999", []),
        ("amount > -99999999999999999999", [0, 1, 2, 4]),
        ("amount = 99999999999999999999", []),
        ("amount <> -99999999999999999999", [0, 1, 2, 4]),
        ("amount = '7'", [2]),
        ("amount in (7, 10, 3e0)", [0, 2]),
        ("small in (100, 300)", [0]),
        ("amount < 1e1", [1, 2]),
        ("price = 1.5 or price = 9.991", [0]),
        ("price > '1.5'", [4]),
        ("price < 2e0 and price > -3", [0, 1, 3]),
        ("price < rate", [1, 4]),
        ("real = 0.1", [0]),
        ("real > 1e300", [3]),
        ("real < small", [0, 4]),
        ("real < rate", [0, 1, 4]),
        ("day = '2026-03-28'", [1]),
        ("day > date '2026-03-27'", [1, 3]),
        ("day < timestamp '2026-03-28 01:00:00'", [0, 1, 4]),
        ("moment > '2026-03-28'", [0, 1]),
        ("moment >= day", [0, 1, 4]),
        ("moment = '2026-03-28 13:00'", [1]),
        ("sec = moment", [0, 1, 3]),
        ("zoned >= timestamptz '2026-03-28 14:00:00+01'", [1]),
        ("zoned = '2026-03-28 12:00:00Z'", [0]),
        ("zoned = zoned", [0, 1, 3, 4]),
        ("none = 1 or none in ('x') or none like 'x'", []),
        ("none is null and n < 2", [0, 1]),
        ("list is not null", [0, 1, 3, 4]),
        ("email like '%@acme.com'", [0]),
        ("email like ' b%'", [1]),
        ("email like '%\\%'", [1]),
        ("email like '12'", [4]),
        ("email like '%!%!_%' escape '!'", [1]),
        ("email like 'A_a%'", [0]),
        ("email not like '%a%'", [1, 3, 4]),
        ("email ilike 'aNA@%'", [0]),
        ("lower(email) = 'σß'", [3]),
        ("upper(region) = 'EU'", [0, 4]),
        ("trim(email) like 'b%'", [1]),
        ("length(email) = 2", [3, 4]),
        ("left(email, 1) || right(email, 1) = 'Am'", [0]),
        ("right(email, 0) = '' and n < 2", [0, 1]),
        ("substring(email, 2) = '2' or substring(email, 2, 2) = 'na'", [0, 4]),
        ("replace(replace(email, 'a', 'e'), '', 'x') = 'Ane@ecme.com'", [0]),
        ("concat(region, null, 'x') = 'x'", [2]),
        ("region || null is null", [0, 1, 2, 3, 4]),
        ("amount + 1 = 11 or amount - small = 125", [0, 1]),
        ("amount * 4 is null and n < 4", [3]),
        ("amount * 4 > 0", [0, 2]),
        ("amount * null is null and n = 0", [0]),
        ("amount / 4 = 2.5", [0]),
        ("amount / small > 1e9", [2, 4]),
        ("-amount = 3", [1]),
        ("abs(small) = 128 or abs(amount) = 3", [1]),
        ("abs(rate) = 2.5", [3]),
        ("amount % 4 = -3 or amount % 4 = 2", [0, 1]),
        ("5 % small = 5", [0, 1]),
        ("small % null is null and n = 0", [0]),
        ("rate + 1 > 1e300 or rate * 2e0 = 1", [0, 1]),
        ("rate - amount > 0", [1, 4]),
        ("rate > 0", [0, 1, 4]),
        ("rate = rate", [0, 1, 3, 4]),
        ("rate <> rate", []),
        ("rate <= rate and rate >= rate", [0, 1, 3, 4]),
        ("rate < real or rate > real", [0, 1, 3, 4]),
        ("rate in (0.5, -2.5)", [0, 3]),
        ("round(rate) = 1 or round(rate) = -3", [0, 3]),
        ("round(rate, 1) = -2.5", [3]),
        ("round(amount) = 7", [2]),
        ("round(null) is null and n = 1", [1]),
        ("case when open then 'a' when region is null then 'b' end in ('a', 'b')", [0, 2, 3]),
        ("case region when 'eu' then amount else 0 end = 10", [0]),
        ("case when small <> 0 then 5 % small = 5 else true end", [0, 1, 2, 3]),
        ("case when true then open end", [0, 3]),
        ("case when false then open end", []),
        ("if(open, 1, 2) = 2", [1, 2, 4]),
        ("coalesce(open, region is null)", [0, 2, 3]),
        ("coalesce(amount, 0.5e0) = 0.5", [3]),
        ("coalesce(null, 1) = 1 and n = 0", [0]),
        ("coalesce(none, null) is null and n = 0", [0]),
        ("coalesce(price, price) = 1.5", [0]),
        ("coalesce(real, real) = 0.1", [0]),
        ("nullif(region, 'eu') is null", [0, 2, 4]),
        ("cast(amount as varchar) = '7' or cast(open as text) = 'false'", [1, 2, 4]),
        ("cast(day as varchar) = '2026-03-28'", [1]),
        ("cast(email as bigint) = 12", [4]),
        ("cast(email as double) = 12", [4]),
        ("cast(region as text) = 'us'", [1]),
        ("cast(cast(day as text) as date) = day and n < 2", [0, 1]),
        ("cast(moment as date) = day", [1]),
        ("cast(day as timestamp) < moment", [0, 1, 4]),
        ("cast(amount as int) = 7 or cast(small as int) = 5", [2]),
        ("cast(open as int) = 1", [0, 3]),
        ("cast(rate as bigint) in (0, -2)", [0, 3]),
        ("cast(price as double) = 1.5", [0]),
        ("cast(amount as double) = 7", [2]),
        ("cast(null as int) is null and n = 0", [0]),
        ("cast('7' as int) = amount or cast(7.5 as double) = amount", [2]),
        ("region = cast(12 as text) or email = cast(12 as text)", [4]),
        ("day = cast(timestamp '2026-03-28 00:00:00' as date)", [1]),
        ("year(day) = 2026 and month(moment) = 3 and day(day) = 27", [0]),
        ("extract(hour from moment) = 13 or extract(minute from moment) = 5", [1]),
        ("year(date '2026-01-01') = 2026 and year(none) is null and n = 0", [0]),
        ("1 = 1 and 'a' < 'b' and 1.5 > 1e0 and not false", [0, 1, 2, 3, 4]),
        ("1 + 1 = 2 and 2 * 1.5 = 3 and -(1e0) + 1 = 0 and abs(-1) = 1 and n = 0", [0]),
        ("lower('A') || 'b' = 'ab' and length('aß') = 2 and 'ab' like 'a%' and 'ab' not like '_' and n = 0", [0]),
        ("sec > '2026-03-28'", [0, 1]),
        ("cast('eu' as text) = region", [0, 4]),
        ("amount / null is null and abs(null) is null and lower(null) is null and n = 1", [1]),
        ("case when open then null when n > 1 then none end is null", [0, 1, 2, 3, 4]),
        (f"rate < 1{'0' * 400} and real > -1{'0' * 50}", [0, 3, 4]),
        ("date '2026-03-28' < timestamp '2026-03-28 05:00:00' and n = 0", [0]),
        ("1 = 2", []),
        ("open = (1 = 1)", [0, 3]),
        ("sales.region = 'us'", [1]),
    ],
)
def test_a_row_is_shown_where_the_condition_is_true(rows: str, seen: list[int], kind: str, database: Any) -> None:
    table = DATA
    if kind == "pandas":  # where a NaN is a null, so that it neither equals itself nor is greater than numbers
        if "rate" in rows and seen != rows_of(rows, DATA):
            pytest.fail("the table says otherwise")
        seen = rows_of(rows, DATA.set_column(4, "rate", pa.array([0.5, None, None, -2.5, 1e300])))

    assert rows_of(rows, frame_of(kind, database, table)) == seen


@EVERY
def test_columns_are_replaced_by_what_stands_for_them_and_worked_out_from_the_originals(kind: str, database: Any) -> None:
    asked = rule("email is not null", email="mask(email)", region="email", amount="null", kind="null", small="hide", real="-real")

    seen = visible(frame_of(kind, database), asked, reader(), "duckdb")

    assert column_of(seen, "email") == ["***"] * 4
    assert column_of(seen, "region") == ["Ana@acme.com", " b%_\\x ", "Σß", "12"]
    assert column_of(seen, "amount") == column_of(seen, "kind") == [None] * 4
    names = seen.collect_schema().names() if kind == "lazy" else list(seen.columns) if kind != "pyarrow" else seen.column_names
    assert names == [name for name in DATA.column_names if name != "small"]


def test_what_is_not_replaced_keeps_its_type_and_nulls_have_the_columns_own(database: Any) -> None:
    nothing = dict.fromkeys(["amount", "real", "price", "day", "zoned", "kind", "list", "email"], "null")
    for kind in KINDS:
        frame = frame_of(kind, database)
        seen = visible(frame, rule("n > 0", **nothing), reader(), "duckdb")
        if kind == "lazy":
            assert seen.collect_schema() == frame.collect_schema()
        elif kind in ("polars", "pyarrow"):
            assert seen.schema == frame.schema
        elif kind == "duckdb":
            assert seen.types == frame.types
        else:
            kept = [name for name in frame.columns if name != "kind"]
            assert list(seen.dtypes[kept]) == list(frame.dtypes[kept])


@EVERY
def test_moments_keep_their_zone(kind: str, database: Any) -> None:
    seen = visible(frame_of(kind, database), rule(zoned="case when n < 2 then zoned end", real="coalesce(real, real)"), reader(), "duckdb")

    assert column_of(seen, "zoned")[0] == NOON.replace(tzinfo=UTC)
    assert column_of(seen, "zoned")[2:] == [None] * 3
    if kind == "pyarrow":
        assert seen.schema.field("zoned").type == pa.timestamp("us", "Europe/Berlin")
        assert seen.schema.field("real").type == pa.float32()
    elif kind == "polars":
        assert seen.schema["zoned"] == pl.Datetime("us", "Europe/Berlin")


@EVERY
def test_who_has_the_permission_sees_a_column_as_it_is(kind: str, database: Any) -> None:
    asked = TableRule("sales", columns={"email": ColumnRule("mask(email)", "people:read")})

    assert column_of(visible(frame_of(kind, database), asked, reader("people:read"), "duckdb"), "email") == DATA["email"].to_pylist()


@EVERY
def test_the_persons_values_are_compared_as_what_they_are(kind: str, database: Any) -> None:
    frame = frame_of(kind, database)
    viewer = reader(regions=("us", "de"), level=(7,), levels=(10, 7), text=("10",), boss=(True,), rate=(0.5,), day=("2026-03-28",))

    assert rows_of("region in (:regions)", frame, viewer) == [1, 3]
    assert rows_of("region not in (:regions)", frame, viewer) == [0, 4]
    assert rows_of("amount = :level or amount = :text", frame, viewer) == [0, 2]
    assert rows_of("amount in (:levels)", frame, viewer) == [0, 2]
    assert rows_of("open = :boss and day < :day", frame, viewer) == [0]
    assert rows_of(":boss and rate = :rate", frame, viewer) == [0]
    assert rows_of("amount = cast(:text as int)", frame, viewer) == [0]


@EVERY
def test_a_persons_value_is_never_part_of_a_text_that_is_evaluated(kind: str, database: Any) -> None:
    for hostile in ("' or 1=1 --", '"n"', ".*", "\\", "\x00", "%", "{0}", "$1", "(?i)x|.", "a'b\\x{61}"):
        viewer = reader(it=(hostile,), them=(hostile, "x"))
        data = pa.table({"n": [0, 1], "s": [hostile, "eu"]})
        frame = frame_of(kind, database, data) if kind != "duckdb" or "\x00" not in hostile else data
        assert rows_of("s = :it", frame, viewer) == rows_of("s in (:them)", frame, viewer) == [0]
        if hostile != "%":
            assert rows_of("s || 'y_' like :it || 'y!_' escape '!'", frame, viewer) == [0]


@pytest.mark.parametrize(
    ("rows", "value", "said"),
    [
        ("region = :it", ("eu", "us"), "has several"),
        ("amount = :it", ("x",), "a whole number"),
        ("amount = :it", (True,), "a whole number"),
        ("rate > :it", (float("nan"),), "is no number"),
        ("rate > :it", ("x",), "a number"),
        ("price = :it", ("1.555",), "a decimal number"),
        ("region = :it", (5,), "a text"),
        ("region = 'x' || :it", (5,), "a text"),
        ("lower(:it) = region", (5,), "a text"),
        ("region like :it", (5,), "a text"),
        (":it like 'x'", (5,), "a text"),
        ("region like :it escape '!'", ("x!",), "a text"),
        (":it", (5,), "true or false"),
        ("day > :it", ("2026-02-30",), "a date"),
        ("moment > :it", ("noon",), "a timestamp"),
        ("zoned > :it", ("2026-02-03",), "a timestamp with a time zone"),
        ("day > :it", ("2026-02-03 10:00",), "a date"),
        ("amount + :it > 0", ("x",), "a whole number"),
        ("amount = cast(:it as int)", ("+-1",), "a whole number"),
        ("amount = cast(:it as int)", (2**40,), "a whole number"),
        ("amount = cast(:it as int)", (0.5,), "a whole number"),
        ("amount = cast(:it as double)", ("x",), "a number"),
        ("open = cast(:it as boolean)", ("x",), "true or false"),
        ("'x' = :it", (5,), "a text"),
        (":it = 'x'", (5,), "a text"),
        ("year(:it) = 5", ("x",), "a date"),
    ],
)
def test_a_value_of_the_persons_that_does_not_fit_is_refused_by_its_name(rows: str, value: tuple[Scalar, ...], said: str) -> None:
    with pytest.raises(PermissionDenied) as caught:
        visible(DATA, rule(rows), reader(it=value), "duckdb")

    assert (caught.value.code, caught.value.claim) == ("claim_missing", "it")
    assert said in str(caught.value) and "2026" not in str(caught.value)


@pytest.mark.parametrize(
    ("rows", "fault"),
    [
        ("amount > (select 1)", "(SELECT 1)"),
        ("half(amount) > 1", "the function half()"),
        ("sqrt(amount) > 1", "the function sqrt()"),
        ("regexp_matches(region, 'x')", "the function"),
        ("region in (select 'x')", "IN"),
        ("region like email", "LIKE with a pattern that a column gives"),
        ("region ilike email", "LIKE with a pattern that a column gives"),
        ("region like 'x' escape '!!'", "ESCAPE"),
        ("left(region, amount) = 'x'", "LEFT"),
        ("right(region, -1) = 'x'", "RIGHT"),
        ("substring(region, 0, 1) = 'x'", "SUBSTRING"),
        ("replace(region, email, 'x') = 'x'", "REPLACE"),
        ("round(rate, -1) = 1", "ROUND"),
        ("round(rate, 16) = 1", "ROUND"),
        ("cast(region as json) is null", "CAST"),
        ("cast(price as decimal(4, 1)) = 1", "CAST"),
        ("try_cast(region as int) = 1", "TRY_CAST"),
        ("extract(epoch from moment) = 1", "EXTRACT"),
        ("region is distinct from 'x'", "DISTINCT"),
        ("amount is 5", "IS with"),
        ("trim(leading 'x' from region) = 'x'", "trim() with"),
        ("amount > current_date", "current_date"),
        ("region = 'x' collate nocase", "collate"),
        ("open and (", "is no expression"),
        ("sum(amount) over () > 1", "“"),
    ],
)
def test_what_has_no_equivalent_is_said_at_the_start_and_refused(rows: str, fault: str) -> None:
    for asked in (rule(rows), rule(region=rows)):
        assert fault.lower() in str(frame_fault(asked, "duckdb")).lower()
        assert "has no equivalent in frames" in refusal(DATA, asked)


def test_a_rule_without_a_fault_has_none() -> None:
    assert frame_fault(rule("region = 'eu'", email="hide", amount="null", day="mask(day)"), "duckdb") is None
    assert frame_fault(rule("length(region) = 2"), "mysql") == "LENGTH, which counts bytes there"
    assert frame_fault(rule("length(region) = 2"), "snowflake") is None


@pytest.mark.parametrize(
    "rows",
    [
        "amount = 'x'",
        "amount = region",
        "amount = price",
        "list = list",
        "list = 'x'",
        "region",
        "'x'",
        "open > true",
        "price + 1 > 0",
        "abs(price) > 0",
        "amount * 1.5 > 0",
        "region + 1 > 0",
        "'x' + 1 > 0",
        "real * 2 > 0",
        "1 / 2 > 0",
        "rate % 2 = 0",
        "5 % 2 = 1",
        "round(price) = 1",
        "round(real) = 1",
        "lower(amount) = 'x'",
        "amount || 'x' = 'x'",
        "amount like 'x'",
        "5 like 'x'",
        "region like 'x!' escape '!'",
        "case when open then 'x' else 5 end = 'x'",
        "case when open then price else 1.5 end = 1",
        "case when open then real else 1.5 end = 1",
        "case when open then list end is null",
        "case when open then moment else sec end is null",
        "cast(rate as text) = '1'",
        "cast(moment as text) = '1'",
        "cast(day as int) = 1",
        "cast(open as double) = 1",
        "cast(amount as date) = day",
        "cast(5 as boolean)",
        "cast(1.5 as text) = 'x'",
        "cast('nan' as double) = rate",
        "cast(true as double) = rate",
        "year(zoned) = 2026",
        "hour(day) = 1 or extract(hour from day) = 1",
        "zoned > moment",
        "zoned > timestamp '2026-01-01 00:00:00'",
        "day > 'yesterday'",
        "region = 5",
        "1 = 'x'",
        "other.region = 'x'",
        "nobody = 'x'",
        "amount > 5 and customer = 'x'",
        "amount = 99999999999999999999 + small",
    ],
)
@pytest.mark.parametrize("kind", ["pyarrow", "duckdb"])
def test_what_does_not_fit_the_columns_is_refused_without_a_word_of_their_values(rows: str, kind: str, database: Any) -> None:
    assert "acme" not in refusal(frame_of(kind, database), rule(rows))


def test_a_list_of_a_column_that_rules_cannot_read_is_not_shown_by_an_expression() -> None:
    assert "cannot read" in refusal(DATA, rule(region="list"))
    assert "cannot read" in refusal(pl.from_arrow(DATA), rule(region="list"))
    assert column_of(visible(DATA, rule(list="hide"), reader()), "n") == [0, 1, 2, 3, 4]


@EVERY
def test_a_column_that_the_rule_speaks_of_must_be_there_once(kind: str, database: Any) -> None:
    frame = frame_of(kind, database)

    assert "has none" in refusal(frame, rule("customer = 'x'"))
    assert "has none" in refusal(frame, rule(customer="hide"))
    assert "has none" in refusal(frame, TableRule("t", columns={"customer": ColumnRule("hide", "x")}), reader("x"))
    assert rows_of("REGION = 'us'", frame) == [1]
    if kind != "duckdb":  # which has no two such columns
        twice = frame_of(kind, database, DATA.append_column("Email", DATA["email"]))
        assert "has several" in refusal(twice, rule(email="hide"))
        assert rows_of("region = 'us'", twice) == [1]


@EVERY
def test_reading_needs_the_tables_permission_and_a_column_that_is_left(kind: str, database: Any) -> None:
    frame = frame_of(kind, database, DATA.select(["region"]))
    for asked in (rule(needs="sales:read"), rule(region="hide")):
        with pytest.raises(PermissionDenied) as caught:
            visible(frame, asked, reader())
        assert caught.value.code == "permission_missing"


def test_what_is_no_frame_is_refused() -> None:
    with pytest.raises(TypeError, match="a frame is"):
        visible([1, 2], rule(), reader())


@EVERY
def test_a_frame_may_be_empty_or_have_a_constant_for_a_column(kind: str, database: Any) -> None:
    for table in (DATA, DATA.slice(0, 0)):
        seen = visible(frame_of(kind, database, table), rule(region="'x'", amount="case when 1 = 0 then 5 end"), reader(), "duckdb")
        assert column_of(seen, "region") == ["x"] * table.num_rows
        assert column_of(seen, "amount") == [None] * table.num_rows
        assert rows_of("1 = 0", frame_of(kind, database, table)) == []


def test_a_lazy_frame_stays_lazy() -> None:
    def read(_: Any) -> Any:
        raise AssertionError("the frame was read")

    lazy = pl.from_arrow(DATA).lazy().map_batches(read, schema=pl.from_arrow(DATA).schema)  # type: ignore[union-attr]  # a table gives a frame

    assert isinstance(visible(lazy, rule("region = 'eu'", email="mask(email)"), reader(), "duckdb"), pl.LazyFrame)


def test_a_column_of_the_name_that_we_would_take_stays() -> None:
    frame = pl.from_arrow(DATA.append_column("st_auth_1", DATA["n"]))

    seen = visible(frame, rule(amount="case when abs(round(rate)) > 1 then abs(small + 1) end"), reader(), "duckdb")

    assert column_of(seen, "st_auth_1") == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(
    ("dialect", "seen"), [("duckdb", [0, 1, 2, 4]), ("postgres", [0, 1, 4]), ("mysql", [0, 1, 4]), ("snowflake", [0, 1, 4])]
)
def test_division_by_zero_is_what_the_dialect_says(dialect: str, seen: list[int]) -> None:
    assert rows_of("cast(amount as double) / small > 0", DATA, dialect=dialect) == seen


def test_whole_numbers_divide_as_the_dialect_has_it() -> None:
    assert rows_of("amount / 4 = 2", DATA, dialect="postgres") == [0]
    assert rows_of("amount / 2 = -1", DATA, dialect="postgres") == [1]
    assert rows_of("amount / 4 = 2", DATA, dialect="duckdb") == []
    assert rows_of("amount / small is null", DATA, dialect="postgres") == [3]
    assert rows_of("amount / small is null", DATA, dialect="sqlite") == [2, 3]


def test_a_backslash_escapes_where_the_dialect_has_it_so() -> None:
    data = pa.table({"n": [0, 1], "s": ["a%", "a\\b"]})

    assert rows_of("s like 'a\\%'", data, dialect="postgres") == [0]
    assert rows_of("s like 'a\\%'", data, dialect="duckdb") == [1]
    assert rows_of("s is not null", data, dialect="postgres") == [0, 1]


@pytest.mark.parametrize("kind", ["pyarrow", "polars", "lazy", "duckdb"])
def test_a_number_that_is_too_large_hides_the_row_whatever_is_said_of_it(kind: str, database: Any) -> None:
    data = pa.table({"n": [0, 1], "x": pa.array([2**62, 1], pa.int64()), "y": pa.array([-(2**63), 4], pa.int64())})
    frame = frame_of(kind, database, data)

    for rows in (
        "x * 4 > 0 or n = 0",
        "coalesce(x * 4, 0) = 0 or true",
        "not (x * 4 > 5)",
        "abs(y) > 0",
        "-y < 0",
        "y % -1 = 0",
        "cast(x as int) > 0",
    ):
        assert rows_of(rows, frame) == [1], rows
    assert rows_of("case when n = 1 then x * 4 else 0 end >= 0", frame) == [0, 1]


@pytest.mark.parametrize("kind", ["polars", "lazy"])
def test_polars_shows_no_row_whose_capitals_it_writes_otherwise(kind: str, database: Any) -> None:
    frame = frame_of(kind, database, pa.table({"n": [0, 1, 2], "s": ["\u00df", "\u00e9", "\u0391\u03a3"]}))

    assert rows_of("upper(s) <> 'x'", frame) == [1, 2]
    assert rows_of("lower(s) in ('\u03b1\u03c2', '\u03b1\u03c3')", frame) == [2]
    assert rows_of("lower(s) = '\u03b1\u03c3'", frame) == [2]


def test_pandas_keeps_its_index_and_its_own_frame() -> None:
    frame = pd.DataFrame({"region": ["eu", "us", "eu"], "x": [1, 2, 3]}, index=["a", "b", "c"])

    seen = visible(frame, rule("region = 'eu'", x="null"), reader())

    assert list(seen.index) == ["a", "c"]
    assert list(frame["x"]) == [1, 2, 3] and len(frame) == 3
    all_of_it = visible(frame, rule(), reader())
    all_of_it["x"] = 0
    assert list(frame["x"]) == [1, 2, 3]


def test_what_pandas_keeps_beside_its_rows_does_not_tell_of_hidden_ones() -> None:
    customers = pd.Categorical(["ana", "bob", "ana"])
    frame = pd.DataFrame(
        {"region": ["eu", "us", "eu"], "customer": customers, "same": customers}, index=pd.CategoricalIndex(["x", "y", "x"])
    )

    seen = visible(frame, rule("region = 'eu'", same="null"), reader())

    assert list(seen["customer"].cat.categories) == ["ana"]
    assert list(seen["same"].cat.categories) == []
    assert list(seen.index.categories) == ["x"]
    levels = visible(
        frame.set_index(pd.MultiIndex.from_tuples([("a", 1), ("b", 2), ("a", 3)])), rule("region = 'eu'"), reader()
    ).index.levels
    assert [list(level) for level in levels] == [["a"], [1, 3]]


def test_a_table_of_pyarrow_keeps_no_entry_of_a_dictionary_that_no_row_has() -> None:
    kinds = pa.chunked_array([pa.array(["p", "q", None]).dictionary_encode(), pa.array(["r"]).dictionary_encode()])
    table = pa.table({"n": [0, 1, 2, 3], "kind": kinds, "same": kinds})

    seen = visible(table, rule("n = 0 or n > 1", same="null"), reader())

    assert seen["kind"].to_pylist() == ["p", None, "r"]
    assert seen["kind"].combine_chunks().dictionary.to_pylist() == ["p", "r"]
    assert seen["same"].chunk(0).dictionary.to_pylist() == []
    assert visible(table, rule("1 = 0"), reader())["kind"].combine_chunks().dictionary.to_pylist() == []


def test_an_index_of_the_name_of_a_column_that_the_rule_speaks_of_is_refused() -> None:
    frame = pd.DataFrame({"Email": ["a"], "x": [1]}).set_index("Email", drop=False)

    assert "index" in refusal(frame, rule(email="hide"))
    assert "index" in refusal(frame.drop(columns="Email"), rule("email = 'a'"))


def test_columns_of_pandas_of_any_type_are_read_or_refused() -> None:
    frame = pd.DataFrame(
        {
            "n": [0, 1, 2],
            "text": np.array(["a", None, "b"], dtype=object),
            "money": np.array([Decimal("1.5"), None, Decimal(2)], dtype=object),
            "day": np.array([date(2026, 1, 1), None, date(2026, 1, 2)], dtype=object),
            "mixed": np.array([1, "x", None], dtype=object),
            "nothing": np.array([None, None, None], dtype=object),
            "number": pd.Categorical([1, 2, None]),
            "missing": [1.5, np.nan, 2.5],
            "arrow": pd.Series(pd.arrays.ArrowExtensionArray(pa.array([1.0, float("nan"), None]))),
            "Int": pd.array([1, None, 3], dtype="Int64"),
            "moment": pd.to_datetime(["2026-01-01", None, "2026-01-02"]).as_unit("ns"),
            3: [1, 2, 3],
        }
    )

    assert rows_of("text < 'b' or text is null", frame) == [0, 1]
    assert rows_of("money = 1.5", frame) == [0]
    assert rows_of("day > '2026-01-01'", frame) == [2]
    assert rows_of("mixed is null", frame) == [2]
    assert "cannot read" in refusal(frame, rule("mixed = 'x'"))
    assert rows_of("nothing is null and number = 2", frame) == [1]
    assert rows_of("missing <> 1.5 or arrow is null", frame) == [1, 2]
    assert rows_of("Int <> 1", frame) == [2]
    assert rows_of("moment > '2026-01-01'", frame) == [2]
    assert "nanoseconds" in refusal(frame.assign(us=frame["moment"].dt.as_unit("us")), rule("moment = us"))
    assert rows_of("text = 'a'", frame.iloc[:0]) == []


def test_columns_of_pandas_keep_their_type_where_it_can_hold_what_is_left() -> None:
    frame = pd.DataFrame(
        {
            "i": [1, 2],
            "j": [1, 2],
            "flag": [True, False],
            "u": np.array([1, 2], dtype="uint8"),
            "text": pd.array(["a", "b"], dtype="string"),
            "c": pd.Categorical(["x", "y"]),
            "f": [0.5, 1.5],
            "moment": pd.to_datetime(["2026-01-01", "2026-01-02"]).tz_localize("Europe/Berlin"),
            "gap": pd.period_range("2026-01", periods=2, freq="M"),
            "yes": [True, False],
        }
    )
    instead = {"i": "i + 1", "j": "case when i = 1 then j end", "flag": "null", "u": "null", "text": "mask(text)", "c": "c", "gap": "null"}

    seen = visible(frame, rule(f="null", moment="case when i = 1 then moment end", yes="nullif(yes, false)", **instead), reader(), "duckdb")

    types = {
        "i": "int64",
        "j": "Int64",
        "flag": "boolean",
        "u": "UInt8",
        "text": "string",
        "f": "float64",
        "gap": "period[M]",
        "yes": "boolean",
    }
    assert {name: str(seen[name].dtype) for name in types} == types
    assert seen["moment"].dtype == frame["moment"].dtype
    assert list(seen["i"]) == [2, 3] and list(seen["c"]) == ["x", "y"]
    assert all(seen[name].isna().all() for name in ("flag", "u", "f", "gap"))


def test_texts_of_pyarrow_keep_their_form() -> None:
    table = pa.table({"large": pa.array(["a", "b"], pa.large_string()), "n": [0, 1]})

    seen = visible(table, rule("large = 'a' and large in ('a', 'b')", large="mask(large)"), reader())

    assert seen.schema == table.schema and seen.num_rows == 1


def test_what_an_engine_says_of_values_goes_no_further() -> None:
    table = pa.table({"view": pa.array(["ana@acme.com"], pa.string_view()), "n": [0]})

    said = refusal(table, rule("n = 0"))

    assert "cannot be worked out on this frame (ArrowNotImplementedError)" in said


def test_a_column_without_a_type_is_nothing_but_nulls(database: Any) -> None:
    frame = database.sql("select 0 as n, null as x")

    assert rows_of("x is null", frame) == [0]
    assert rows_of("x = 1", frame) == []


def test_narwhals_is_loaded_when_the_first_frame_comes(tmp_path: Any) -> None:
    import subprocess

    code = (
        "import sys, st_auth.access.frames as f; from st_auth.access.rules import TableRule; f.frame_fault(TableRule('x', rows='a = 1')); "
    )
    code += "raise SystemExit('narwhals' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=False).returncode == 0
