"""What of a rule has an equivalent in frames, and what has none, dialect by dialect."""

import pyarrow as pa
import pytest

from st_auth.access.frames import frame_fault
from tests.access.test_frames import DATA, reader, rows_of, rule

ESCAPING = (
    "bigquery",
    "clickhouse",
    "databricks",
    "doris",
    "hive",
    "mysql",
    "postgres",
    "redshift",
    "singlestore",
    "spark",
    "spark2",
    "starrocks",
)


@pytest.mark.parametrize(("dialect", "seen"), [*((one, 0) for one in ESCAPING), *((one, 1) for one in ("", "duckdb", "sqlite", "oracle"))])
def test_a_backslash_in_a_pattern_escapes_where_the_dialect_says_so(dialect: str, seen: int) -> None:
    data = pa.table({"n": [0, 1], "s": ["a%", "a\\b"]})

    assert rows_of("s like :it", data, reader(it=("a\\%",)), dialect) == [seen]


@pytest.mark.parametrize("dialect", ["", "duckdb", "postgres", "mysql", "snowflake", "bigquery", "sqlite", "tsql", "oracle", "databricks"])
@pytest.mark.parametrize(
    "rows",
    [
        "left(region, 1) = 'e' or right(region, 0) = 'u' or left(region, 1000000) = 'x'",
        "substring(region, 1) = 'e' or substring(region, 1, 0) = 'eu' or substring(region, 1000000, 1000000) = 'x'",
        "round(rate, 0) = 1 or round(rate, 15) = 1 or round(rate) = 2",
        "coalesce(rate, amount, 1) = 1",
        "concat(region, 'x', email) = 'x' or region || 'x' = 'x'",
        "amount / 2 = 1 and amount % 2 = 1 and abs(amount) * 2 - 1 + 1 > 1",
        "region is not null and not region like 'x' and region not like 'y' escape '!'",
        "region in ('x') or region not in ('x', 'y')",
        "case when amount = 1 then 'a' else 'b' end = 'a' and case amount when 1 then 2 end <> 2",
        "nullif(amount, 1) between 1 and 5 and amount <= 5 and amount >= 4 and amount < 9",
        "lower(trim(upper(region))) = replace(region, 'a', 'b') and sales.amount = -amount and \"region\" = :it",
        "cast(amount as smallint) = 1 or cast(amount as bigint) = 2 or cast(amount as int) = 3",
    ],
)
def test_plain_sql_has_an_equivalent_whatever_the_dialect(rows: str, dialect: str) -> None:
    assert frame_fault(rule(rows), dialect) is None


@pytest.mark.parametrize(
    ("rows", "dialect", "said"),
    [
        ("left(region, 1000001) = 'x'", "duckdb", "LEFT or RIGHT with something else than a plain number"),
        ("left(region, '1') = 'x'", "duckdb", "LEFT or RIGHT with something else than a plain number"),
        ("left(region, 1.5) = 'x'", "duckdb", "LEFT or RIGHT with something else than a plain number"),
        ("right(region, n) = 'x'", "duckdb", "LEFT or RIGHT with something else than a plain number"),
        ("substring(region, 0) = 'x'", "duckdb", "SUBSTRING with something else than plain numbers"),
        ("substring(region, 1, n) = 'x'", "duckdb", "SUBSTRING with something else than plain numbers"),
        ("substring(region, n, 1) = 'x'", "duckdb", "SUBSTRING with something else than plain numbers"),
        ("round(rate, n) = 1", "duckdb", "ROUND to something else than a plain number of digits"),
        ("replace(region, 'a', n) = 'x'", "duckdb", "REPLACE with something else than two texts in quotes"),
        ("replace(region, n, 'a') = 'x'", "duckdb", "REPLACE with something else than two texts in quotes"),
        ("replace(region, 'a') = 'x'", "duckdb", "REPLACE with something else than two texts in quotes"),
        ("region like 'a' escape ''", "duckdb", "ESCAPE with something else than one sign"),
        ("region like 'a' escape 'ab'", "duckdb", "ESCAPE with something else than one sign"),
        ("region like 5 + 1", "duckdb", "LIKE with a pattern that a column gives"),
        ("n is 5", "duckdb", "IS with something else than NULL, TRUE or FALSE"),
        ("length(region) = 1", "postgres", None),
        ("length(region) = 1", "bigquery", None),
        ("length(region) = 1", "snowflake", None),
        ("length(region) = 1", "mysql", "LENGTH, which counts bytes there"),
        ("region = 'x' or half(n) = 1", "duckdb", "the function half()"),
        ("SQRT(n) = 1", "duckdb", "the function sqrt()"),
        ("trim(leading from region) = 'x'", "duckdb", "the function trim() with position"),
        ("trim(both 'x' from region) = 'x'", "duckdb", "the function trim() with expression"),
        ("ilike_ = 1 or (:it like 'a' || :it)", "duckdb", None),
        ("region like ('a' || 'b')", "duckdb", None),
        ("extract(hour from moment) = 1 or extract(Minute from moment) = 2 or extract(day from moment) = 3", "duckdb", None),
        ("extract(year from moment) = 1 or extract(month from moment) = 2", "postgres", None),
        ("extract(second from moment) = 1", "duckdb", "EXTRACT of that part"),
        ("cast(n as smallint) = cast(n as bigint) or cast(n as integer) = cast(n as double)", "duckdb", None),
        ("cast(n as text) = cast(n as varchar) or cast(n as boolean)", "duckdb", None),
        ("cast(n as date) < cast(n as timestamp) or cast(n as timestamptz) is null", "duckdb", None),
        ("cast(n as varchar) = 'x'", "postgres", None),
        ("cast(n as timestamp_ntz) is null", "snowflake", None),
        ("cast(n as timestamp) is null", "databricks", None),
        ("cast(n as time) is null", "duckdb", "CAST to a type of that kind"),
        ("ifnull(n, 1) = nvl(n, 2)", "oracle", None),
        ("n = 'x' and if(n = 1, 2, 3) = 2 and mod(n, 2) = 1", "mysql", None),
        ("region ilike 'x' and region not ilike 'y'", "snowflake", None),
        ("substr(region, 1, 2) = 'x' and left(region, 2) = right(region, 2)", "snowflake", None),
        ("round(n, 2) = 1 and length(region) = 2", "bigquery", None),
        ("n in (select 1)", "duckdb", "“n IN (SELECT 1)” with query"),
        ("n = any(array[1])", "duckdb", "“ANY(ARRAY(1))”"),
        ("a.b.n = 1", "duckdb", "“a.b.n” with db"),
        ("cast(n as varchar(5)) = 'x'", "duckdb", None),
    ],
)
def test_what_has_no_equivalent_is_said_in_these_words(rows: str, dialect: str, said: str | None) -> None:
    assert frame_fault(rule(rows), dialect) == said


def test_a_type_has_one_meaning_under_the_names_that_dialects_give_it() -> None:
    for dialect in ("duckdb", "postgres", "snowflake", "databricks"):
        assert rows_of("cast(n as varchar) = '1'", DATA, dialect=dialect) == [1]
        assert rows_of("cast(n as smallint) = 1", DATA, dialect=dialect) == [1]
    for dialect in ("duckdb", "postgres"):
        assert rows_of("cast(day as timestamp) < moment", DATA, dialect=dialect) == [0, 1, 4]
