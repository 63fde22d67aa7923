"""A frame under the rule file, in the corners: at bounds, at nulls, at signs that mean something, and what is said of what does not fit."""

import math
from decimal import Decimal

import pandas as pd
import pyarrow as pa
import pytest

from st_auth.access.frame_arrow import ArrowFrame
from st_auth.access.frame_reading import Reading
from st_auth.access.frame_values import Value
from st_auth.access.frames import visible
from st_auth.access.rules import Scalar, TableRule
from st_auth.access.sql_expressions import expression
from st_auth.errors import PermissionDenied
from tests.access.test_frames import DATA, column_of, frame_of, reader, refusal, rows_of, rule

EDGES = pa.table(
    {
        "n": [0, 1, 2, 3],
        "x": pa.array([-(2**63), 2**63 - 1, 5, None], pa.int64()),
        "wide": pa.array([2**31 - 1, -(2**31), 7, None], pa.int32()),
        "f": [0.0, 3.5, float("nan"), None],
        "g": [float("nan"), 1.5, float("nan"), 2.0],
        "s": ["tax", "a\nb", "5x", None],
        "big": [1e308, -(2.0**62), 4.5, None],
        "ms": pa.array([0, 1000, 2000, None], pa.timestamp("ms")),
        "zms": pa.array([0, 1000, 2000, None], pa.timestamp("ms", "UTC")),
        "zus": pa.array([0, 1000000, 2000001, None], pa.timestamp("us", "UTC")),
        "ns": pa.array([0, 1, 2, None], pa.timestamp("ns")),
        "zns": pa.array([0, 1, 2, None], pa.timestamp("ns", "Europe/Berlin")),
        "money": pa.array([Decimal("-99.9"), Decimal("99.9"), Decimal("0.5"), None], pa.decimal128(3, 1)),
        "b": [True, False, True, None],
        "digits": ["1.5", "123456789012345678", "x", None],
        "cash": pa.array([None] * 4, pa.decimal128(6, 2)),
    }
)


@pytest.mark.parametrize("kind", ["pyarrow", "polars"])
@pytest.mark.parametrize(
    ("rows", "seen"),
    [
        ("trim(s) = 'tax'", [0]),
        ("replace(s, '', 'x') = 'tax' or replace(s, '.', '') = ''", [0]),
        ("s like 'a_b'", [1]),
        ("s like '_x'", [2]),
        ("s like 't%x'", [0]),
        ("s like '%x%'", [0, 2]),
        ("s like '%.%' or s like 'ax%' or s like '%ta' or s like 'a' or s like ''", []),
        ("s like '%'", [0, 1, 2]),
        ("s = null or s <> null or not null like 'x'", []),
        ("'tax' like 't_x' and 'a' not like '_x' and 'a.' not like '..' and n = 0", [0]),
        ("'' || 'a' || 'b' = 'ab' and n = 0", [0]),
        ("upper(s) is null", [3]),
        ("x % 4 is null", [3]),
        ("wide % 4 is null", [3]),
        ("5 % x = 5", [1]),
        ("cast(f as bigint) is null", [3]),
        ("cast(f as bigint) = 4", [1]),
        ("cast(big as bigint) = 4", [2]),
        ("cast(big as bigint) < 0", []),
        ("cast(s as bigint) is null or true", [3]),
        ("cast(wide as smallint) = 7", [2]),
        ("cast(x as int) = 5", [2]),
        ("'tax' in ('x', 'tax') and 2 not in (1, 3) and n = 0", [0]),
        ("n in ('1', '2') and f not in (3.5, 7)", [2]),
        ("n in ('1', '3') and g not in (3.5e0, 7)", [1, 3]),
        ("b = null or not (b = null)", []),
        ("case when n = 0 then x + x else 1 end is null", []),
        ("1 < n", [2, 3]),
        ("0.5 + 0.5e0 = 1 and n = 0", [0]),
        ("1 <= n", [1, 2, 3]),
        ("1 > n", [0]),
        ("1 >= n", [0, 1]),
        ("ms < timestamp '1970-01-01 00:00:00.0005'", [0]),
        ("ns > timestamp '1970-01-01 00:00:00'", [1, 2]),
        ("f > '3.25' and n < 2", [1]),
        ("wide * 7999999 > 1.5e0", [0, 2]),
        ("money <> 1000 and money <> -1000 and money <= 1000 and money >= -1000", [0, 1, 2]),
        ("0.1e0 = 0.1 and n = 0", [0]),
        ("9007199254740993 = 9007199254740992", []),
        ("date '2026-01-01' < timestamp '2026-01-01 01:00:00' and n = 0", [0]),
        ("case when n < 9 then wide else wide end * 3 > 6000000000", [0]),
        ("case when n = 0 then wide when n = 1 then x else 5 end > 2147483647", [1]),
        ("cast(wide + 1 as int) > 0", [2]),
        ("cast(f as double) = 3.5 and f < cast(4 as double) and f < cast(4e0 as double) and f = cast('3.5' as double)", [1]),
        ("ms > cast(date '1970-01-01' as timestamp)", [1, 2]),
        ("cast(ms as date) = cast(timestamp '1970-01-01 13:00:00' as date) and n < 2", [0, 1]),
        ("cast(digits as double) = 1.5", [0]),
        ("cast(digits as bigint) > 123456789012345677 and cast(digits as bigint) < 123456789012345679", [1]),
        ("cast(b as int) * 9223372036854775807 > 0", [0, 2]),
        ("cast(b as int) * 9223372036854775807 = 9223372036854775807", [0, 2]),
        ("cast(b as text) = 'true'", [0, 2]),
        ("cast(b as text) is null", [3]),
        ("wide * 7999999 > 1.5", [0, 2]),
        ("wide * 7999999e0 > 1.5", [0, 2]),
        ("wide + x = 12", [2]),
        ("round(big, 1) = 1e308", [0]),
        ("1e0 / round(f) > 1e300", [0, 2]),
        ("round(f) = 4", [1]),
        ("money < 99.9 and money > -99.9", [2]),
        ("money <= 99.9 and money >= -99.9", [0, 1, 2]),
        ("money < 100 and money > -100", [0, 1, 2]),
        ("money > 99.95 or money < -99.95 or money = 0.55", []),
        ("money <> 0.55", [0, 1, 2]),
        ("money = '0.5'", [2]),
        ("x >= -9223372036854775808 and x <= 9223372036854775807", [0, 1, 2]),
        ("x > -9223372036854775809 and x < 9223372036854775808", [0, 1, 2]),
        ("x < -9223372036854775808 or x > 9223372036854775807", []),
        ("x <= 4.5 or x >= 5.5", [0, 1]),
        ("x < 5.5 and x > 4.5", [2]),
        ("f = g", [2]),
        ("f <> g", [0, 1]),
        ("f < g", [0]),
        ("f <= g", [0, 2]),
        ("f > g", [1]),
        ("f >= g", [1, 2]),
        ("not f = g", [0, 1]),
        ("f > 3", [1, 2]),
        ("f >= 4", [2]),
        ("f <= 4", [0, 1]),
        ("ms >= '1970-01-01 00:00:01'", [1, 2]),
        ("zms > '1970-01-01 00:00:01Z'", [2]),
        ("zms = zus", [0, 1]),
        ("ns < '1970-01-01 00:00:00.000001' and ns > '1969-12-31'", [0, 1, 2]),
        ("zns < '1970-01-01 01:00:00.000001+01' and zns >= '1970-01-01T00:00:00Z'", [0, 1, 2]),
        ("b in (true, false)", [0, 1, 2]),
        ("b in (false, null)", [1]),
        ("case when b then date '2026-01-01' else date '2026-01-02' end = '2026-01-01'", [0, 2]),
        ("case when b then timestamp '2026-01-01 00:00:00' else null end < '2026-01-02'", [0, 2]),
        (
            "case when b then timestamptz '2026-01-01 00:00:00Z' else timestamptz '2026-01-03 00:00:00Z' end < '2026-01-02 00:00Z'",
            [0, 2],
        ),
        ("case when b then 'x' else 'y' end = 'x'", [0, 2]),
        ("case when b then true else n = 1 end", [0, 1, 2]),
        ("case when b then 1 else 2.5e0 end = 2.5", [1, 3]),
        ("case when b then 1.5 else 2e0 end = 1.5", [0, 2]),
        ("case when b then 1 when n = 1 then 1.5 else 2e0 end = 1.5", [1]),
        ("b and 1 = 2 or 1 = 2 and b", []),
        ("b and 1 = 1 and (1 = 1 and b)", [0, 2]),
        ("(b or 1 = 2) and (1 = 2 or b)", [0, 2]),
        ("b or 1 = 1", [0, 1, 2, 3]),
        ("1 = 1 or b", [0, 1, 2, 3]),
        ("not (b and 1 = 2) and not (1 = 2 and b)", [0, 1, 2, 3]),
        ("not (b or 1 = 1) or not (1 = 1 or b)", []),
        ("not (b or 1 = 2) and not (1 = 2 or b)", [1]),
        ("coalesce(wide, x, 5) = 5", [3]),
        ("length(s) = 2 or length(s) = 3", [0, 1, 2]),
        ("length(s || 'a') * 4294967296 > 0", [0, 1, 2]),
        ("substring(s, 2) = 'ax' or substring(s, 1, 1) = '5'", [0, 2]),
        ("right(s, 1) = 'b' or left(s, 2) = 'ta'", [0, 1]),
        ("right(s, 0) = '' and s || '' || 'y' = 'taxy'", [0]),
        ("s like '%!%%' escape '!' or s like '!_ax' escape '!'", []),
        ("s like 't!ax' escape '!'", [0]),
        ("s like '%!x' escape '!'", [0, 2]),
        ("upper(s) = 'TAX' and upper('tax') = 'TAX' and length('tax') = 3", [0]),
        ("replace('tax', '', 'y') = s", [0]),
        ("upper(null) is null and length(null) is null and null || s is null and n = 0", [0]),
        ("null + n is null and null / n is null and n % null is null and abs(null) is null and n = 0", [0]),
        ("concat(null, s) = 'tax' or concat(s, null) = ''", [0, 3]),
        ("2 + 0.5 = 2.5 and 1 + 1.5e0 = 2.5 and 3 - 1 = 2 and 2 * 3 = 6 and n = 0", [0]),
        ("-(1.5) = -1.5 and -(1.5e0) < -1 and abs(-1.5) = 1.5 and abs(-2) = 2 and n = 0", [0]),
        ("-f = -3.5 or -wide = -7", [1, 2]),
        ("abs(wide) = 2147483648", [1]),
        ("abs(x) > 0", [1, 2]),
        ("wide * 4294967296 < 0", []),
        ("x * 2 = 10", [2]),
        ("x - 1 = 4", [2]),
        ("n * 4600000000000000000 = 9200000000000000000", []),
        ("n % 2 = 1", [1, 3]),
        ("f / -(0e0) < 0", [1]),
        ("cast(2 + 3 as bigint) = x and cast(3 - 1 as text) = '2'", [2]),
        ("SALES.n = 1", [1]),
        ("null", []),
        ("not null", []),
        ("b is null or null", [3]),
    ],
)
def test_a_row_at_the_edge_is_shown_where_the_condition_is_true(rows: str, seen: list[int], kind: str) -> None:
    assert rows_of(rows, frame_of(kind, None, EDGES)) == seen


def test_lists_of_whole_numbers_may_hold_more_than_the_column_can() -> None:
    types = [pa.int8(), pa.int16(), pa.int32(), pa.int64(), pa.uint8(), pa.uint16(), pa.uint32()]
    for most, arrow in zip((2**7, 2**15, 2**31, 2**63, 2**8, 2**16, 2**32), types, strict=True):
        for kind in ("pyarrow", "polars"):
            frame = frame_of(kind, None, pa.table({"n": [0, 1], "x": pa.array([1, most - 1], arrow)}))
            assert rows_of(f"x in (1, {most})", frame) == [0]
            assert rows_of(f"x in (1, {most * 3 // 2})", frame) == [0]
            assert rows_of(f"x in ({most - 1}, {-most - 1})", frame) == [1]


def test_whole_numbers_lose_nothing_on_the_way_to_double_precision() -> None:
    table = pa.table({"n": [0, 1, 2], "x": pa.array([2**53 + 1, -(2**62) - 2**9 - 1, 2**61 + 2**8 + 1], pa.int64())})

    for row, value in enumerate(table["x"].to_pylist()):
        assert rows_of(f"cast(x as double) = {float(value)!r}", table) == [row]


@pytest.mark.parametrize(
    ("to", "most"), [("smallint", 2**15 - 1), ("int", 2**31 - 1), ("bigint", 2**63 - 1)], ids=["smallint", "int", "bigint"]
)
def test_a_cast_to_whole_numbers_takes_what_fits_and_no_more(to: str, most: int) -> None:
    if to != "bigint":
        table = pa.table({"n": [0, 1, 2, 3], "x": pa.array([most, most + 1, -most - 1, -most - 2], pa.int64())})
        assert rows_of(f"cast(x as {to}) <> 0", table) == [0, 2]
    for value in (most, -most - 1, str(most), f"+{most}", f"-{most}"):
        assert rows_of(f"cast(:it as {to}) <> 0 and n = 0", DATA, reader(it=(value,))) == [0]
    for value in (most + 1, -most - 2, str(most + 1)):
        with pytest.raises(PermissionDenied, match="a whole number in"):
            visible(DATA, rule(f"cast(:it as {to}) <> 0"), reader(it=(value,)), "duckdb")


@pytest.mark.parametrize("value", ["5x", "x5", "5-", "--5", "", "\u0665", "5.0"])
def test_a_persons_text_that_is_no_whole_number_is_refused_as_theirs(value: str) -> None:
    with pytest.raises(PermissionDenied, match="a whole number in your"):
        visible(DATA, rule("amount = cast(:it as int)"), reader(it=(value,)), "duckdb")


@pytest.mark.parametrize(
    ("rows", "value", "said"),
    [
        ("s = :it", 5, "a text"),
        ("s = 'x' || :it", 5, "a text"),
        ("x = 'y' || :it", "z", "a whole number"),
        ("x = :it", "1.5", "a whole number"),
        ("f = :it", "1.", "a number"),
        ("f = cast(:it as double)", "inf", "a number"),
        ("f = cast(:it as double)", 10**400, "a number"),
        ("f = cast(:it as double)", True, "a number"),
        ("money = :it", "0.55", "a decimal number"),
        ("b = :it", "true", "true or false"),
        (":it = b", 1, "true or false"),
        ("cast(s as date) = :it", "2026-1-1", "a date"),
        ("cast(s as date) = :it", "2026-01-01 00:00", "a date"),
        ("ms = :it", "2026-01-01 00:00Z", "a timestamp"),
        ("ms = :it", 5, "a timestamp"),
        ("zms = :it", "2026-01-01 00:00", "a timestamp with a time zone"),
        ("zms = cast(:it as timestamptz)", "2026-01-01", "a timestamp with a time zone"),
        ("ms = cast(:it as timestamp)", "2026-13-01 00:00", "a timestamp"),
        ("ms = cast(:it as timestamp)", "x", "a timestamp"),
        ("upper(:it) = s", 5, "a text"),
        ("-:it = x", "y", "a whole number"),
        ("5 = :it", "y", "a whole number"),
        (":it = date '2026-01-01'", 5, "a date"),
        (":it = 1e0", "y", "a number"),
        (":it = 1.5", "y", "a decimal number"),
        ("extract(hour from :it) = 1", "x", "a date"),
    ],
)
def test_a_value_of_the_persons_that_does_not_fit_is_refused_in_these_words(rows: str, value: Scalar, said: str) -> None:
    with pytest.raises(PermissionDenied) as caught:
        visible(EDGES, rule(rows), reader(it=(value,)), "duckdb")

    assert str(caught.value) == f"A rule needs {said} in your login's “it”, which is something else."
    assert (caught.value.code, caught.value.claim) == ("claim_missing", "it")


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ("x", "has a whole number where a condition belongs"),
        ("f", "has a number where a condition belongs"),
        ("money", "has a decimal number where a condition belongs"),
        ("s", "has a text where a condition belongs"),
        ("ms", "has a timestamp where a condition belongs"),
        ("zms", "has a timestamp with a time zone where a condition belongs"),
        ("cast(ms as date)", "has a date where a condition belongs"),
        ("'a'", "compares or joins true or false with something else"),
        ("upper(b) = 'x'", "has true or false where a text belongs"),
        ("x = 'a' || 'b'", "compares or joins a whole number with something else"),
        ("case when b then s when n = 1 then x end is null", "gives now a whole number and now a text"),
        ("case when b then money else 0.5 end = 1", "chooses between a decimal number and another"),
        ("coalesce(money, cash) = 1", "chooses between a decimal number and another"),
        ("case when b then money else 1.5e0 end = 1", "gives now a decimal number and now a number"),
        ("case when b then zms else zus end is null", "timestamps of different units"),
        ("case when b then ms else ns end is null", "timestamps of different units"),
        ("ns = ms", "in nanoseconds"),
        ("zms = zns", "in nanoseconds"),
        ("zms = ms", "of the kinds instant, stamp"),
        ("s = x", "of the kinds int, text"),
        ("b < true", "compares true and false by <"),
        ("1 / 2 = x", "divides two values that are known"),
        ("1.5 % x = 0", "the remainder of something else"),
        ("x % 1.5 = 0", "the remainder of something else"),
        ("money * 2 = 0", "calculates with decimal numbers"),
        ("2 * money = 0", "calculates with decimal numbers"),
        ("abs(money) = 0", "calculates with decimal numbers"),
        ("abs(s) = 0", "calculates with a text"),
        ("s / x = 0", "calculates with a text"),
        ("abs('a') = 0", "compares or joins a whole number with something else"),
        ("round(1.5) = 2", "rounds something else"),
        ("round(s) = 2", "rounds something else"),
        ("x + 9223372036854775808 = 0", "more than 64 bits"),
        ("cast(b as date) is null", "makes a date of true or false"),
        ("cast(s as timestamp) is null", "makes a timestamp of a text"),
        ("cast(ms as timestamptz) is null", "makes a timestamp with a time zone of a timestamp"),
        ("cast(money as text) is null", "makes a text of a decimal number"),
        ("cast(money as int) is null", "makes a whole number of a decimal number"),
        ("cast(ms as double) is null", "makes a number of a timestamp"),
        ("cast(true as text) is null", "makes a text of true or false"),
        ("cast(5 as date) is null", "makes a date of a whole number"),
        ("cast(timestamptz '2026-01-01 00:00:00Z' as date) is null", "makes a date of a timestamp with a time zone"),
        ("extract(minute from cast(ms as date)) = 1", "asks for the minute of a date"),
        ("year(zms) = 1", "asks for the year of a timestamp with a time zone"),
        ("extract(hour from date '2026-01-01') = 1", "compares or joins a date with something else"),
        ("x || 'a' = 'a'", "joins a whole number to a text"),
        ("x like 'a'", "has LIKE on a whole number"),
        ("ms = 'x'", "compares or joins a timestamp with something else"),
    ],
)
def test_what_does_not_fit_the_columns_is_said_in_these_words(rows: str, said: str) -> None:
    assert said in refusal(EDGES, rule(rows))


def test_where_a_rule_is_wrong_and_how_to_mend_it_is_said() -> None:
    twice = DATA.append_column("Email", DATA["email"])

    said = refusal(DATA.select(["n", "region"]), rule("customer = 'x'"))
    assert ".streamlit/rules.toml: tables.app.sales: speaks of customer, of which the frame has none" in said
    assert "Mend: name one of: n, region" in said
    assert refusal(twice, rule(email="hide")).endswith("Mend: give its columns names that differ")
    with pytest.raises(PermissionDenied) as caught:
        visible(DATA.select(["n"]), rule(n="hide"), reader())
    assert (caught.value.code, caught.value.table) == ("permission_missing", "app.sales")


@pytest.mark.parametrize(("table", "name"), [('app."Tax"', "tax"), ('"x"', "X"), ("a.b.lux", "LUX")])
def test_a_tables_own_name_may_stand_before_its_columns(table: str, name: str) -> None:
    asked = TableRule(table, rows=f"{name}.n = 1")

    assert column_of(visible(DATA, asked, reader(), "duckdb"), "n") == [1]


@pytest.mark.parametrize(("dialect", "seen"), [("", [2, 3]), ("duckdb", [2, 3]), ("mysql", [2, 3]), ("sqlite", [2, 3]), ("postgres", [3])])
def test_a_quotient_that_the_dialect_gives_for_division_by_zero_hides_no_row(dialect: str, seen: list[int]) -> None:
    wanted = seen if dialect not in ("", "duckdb") else [3]

    assert rows_of("cast(amount as double) / small is null", DATA, dialect=dialect) == wanted
    assert rows_of("cast(amount as double) / small > 1e300", DATA, dialect=dialect) == ([2] if dialect in ("", "duckdb") else [])


class Counting(ArrowFrame):
    """A table that counts what is worked out beside its columns."""

    bound = 0

    def bind(self, value: Value) -> Value:
        self.bound += 1
        return super().bind(value)


@pytest.mark.parametrize(
    ("rows", "bound"),
    [
        ("n", 0),
        ("(n + 1)", 0),
        ("n + 1 + 1", 0),
        ("n + 1 + 1 + 1", 1),
        ("n + 1 + 1 + 1 + 1 + 1", 1),
        ("n + 1 + 1 + 1 + 1 + 1 + 1", 2),
        ("(n + 1) + (n + 1)", 1),
        ("abs(n + 1) + n", 1),
        ("n + abs(abs(n))", 1),
        ("n + abs(n)", 0),
        ("5 + 1 + 1 + 1", 0),
    ],
)
def test_a_value_of_more_than_two_steps_is_worked_out_once(rows: str, bound: int) -> None:
    frame = Counting(EDGES)

    Reading("sales", reader(), "duckdb", frame, frame.column).value(expression(rows, "duckdb"))

    assert frame.bound == bound


@pytest.mark.parametrize("rows", ["f - f > f", "f * 0e0 > 5", "f * 0e0 = f - f and f > 2"])
@pytest.mark.parametrize("kind", ["pyarrow", "pandas", "polars"])
def test_what_is_worked_out_to_nan_is_the_largest_number_in_every_engine(kind, rows):
    table = pa.table({"n": [0, 1, 2], "f": [math.inf, 1.0, None]})

    assert rows_of(rows, frame_of(kind, None, table)) == [0]


@pytest.mark.parametrize("rows", ["", "true"])
def test_a_frame_that_loses_no_row_keeps_what_it_knows_of_others(rows):
    table = pa.table({"n": [0], "d": pa.DictionaryArray.from_arrays([1], ["gone", "kept"])})
    frame = pd.DataFrame({"n": [0, 1], "d": pd.Categorical(["kept", "gone"])}, index=pd.CategoricalIndex(["a", "b"])).iloc[:1]

    shown, cut = visible(table, rule(rows), reader()), visible(frame, rule(rows), reader())

    assert shown["d"].chunk(0).dictionary.to_pylist() == ["gone", "kept"]
    assert [*cut["d"].cat.categories] == ["gone", "kept"]
    assert [*cut.index.categories] == ["a", "b"]


def test_what_stands_in_a_column_of_pandas_may_be_of_another_kind():
    frame = pd.DataFrame({"n": [10, 1], "d": pd.Categorical(["a", "b"]), "s": pd.Series(["x", "yy"], dtype="string")})

    shown = visible(frame, rule(d="d || '!'", n="cast(n as text)", s="length(s)"), reader())

    assert [[*shown[name]] for name in ("n", "d", "s")] == [["10", "1"], ["a!", "b!"], [1, 2]]


@pytest.mark.parametrize("kind", ["pyarrow", "pandas", "polars"])
def test_a_person_may_have_thousands_of_values(kind):
    viewer = reader(names=[*map(str, range(3000))], numbers=[*range(3000)])
    table = pa.table({"n": [1, 2999, 3000, None], "s": ["1", "x", "2999", None]})

    assert rows_of("n in (:numbers)", frame_of(kind, None, table), viewer) == [1, 2999]
    assert rows_of("n not in (:numbers)", frame_of(kind, None, table), viewer) == [3000]
    assert rows_of("s in (:names)", frame_of(kind, None, table), viewer) == [1, 3000]
    assert rows_of("s not in (:names)", frame_of(kind, None, table), viewer) == [2999]


def test_what_is_shown_as_a_double_is_one():
    shown = visible(EDGES, rule(n="cast(n as double)", wide="cast(wide as double)"), reader())

    assert shown.schema.field("n").type == shown.schema.field("wide").type == pa.float64()


def test_a_decimal_number_is_compared_to_its_last_digit():
    digits = "123456789012345678901234567890.12"
    table = pa.table({"n": [0, 1], "d": pa.array([Decimal(digits), Decimal(digits[:-1] + "3")], pa.decimal128(38, 2))})

    assert rows_of(f"d = {digits}", table) == [0]
    assert rows_of(f"d > {digits}", table) == [1]


@pytest.mark.parametrize("rows", ["r = i", "i = r"])
def test_a_whole_number_beside_a_real_is_one_of_single_precision(rows):
    table = pa.table({"n": [0], "r": pa.array([16777216.0], pa.float32()), "i": pa.array([16777217], pa.int32())})

    assert rows_of(rows, table) == [0]


def test_what_does_not_fit_beside_a_date_is_refused():
    table = pa.table({"n": [0], "day": pa.array([0], pa.date32()), "ns": pa.array([0], pa.timestamp("ns")), "list": [[1]]})

    assert "nanoseconds" in refusal(table, rule("day < ns"))
    assert "a date" in refusal(table, rule("day = '2026-03-28 12:00:00'"))
    assert "a column of a type that rules cannot read" in refusal(table, rule("case when n = 0 then list end = 1"))
