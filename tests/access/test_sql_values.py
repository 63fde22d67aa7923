"""No value of a claim or of a parameter is ever a part of the statement's text: only how many there are."""

from collections.abc import Sequence
from typing import Any, Final

import pytest
from hypothesis import given, settings, strategies as st

from st_auth.access.rules import Scalar
from tests.access.sql_ground import STYLES, filtered

DIALECTS: Final = ("snowflake", "postgres", "duckdb", "sqlite", "databricks", "trino", "bigquery", "mysql")
HOSTILE: Final = ["'", '"', "`", "\\", "\0", "\n", "--", "/*", "*/", "$$", ":p0", "%(p0)s", "$p0", "?", "') or 1=1 --", "\\'", "\u202e"]
TEXTS: Final = st.one_of(st.text(), st.lists(st.sampled_from(HOSTILE)).map("".join))
SCALARS: Final = st.one_of(TEXTS, st.integers(), st.floats(), st.booleans())
PARAMETER: Final = {"named": ":x", "pyformat": "%(x)s", "dollar": "$x"}


@pytest.mark.parametrize("dialect", DIALECTS)
@settings(max_examples=40)
@given(regions=st.lists(SCALARS, min_size=1, max_size=5), email=SCALARS)
def test_what_a_claim_holds_never_changes_the_text(dialect: str, regions: Sequence[Scalar], email: Scalar) -> None:
    sql = "select * from sales, orders"
    claims = {"regions": regions, "email": [email]}

    asked = filtered(dialect, sql, None, claims)

    assert asked.sql == filtered(dialect, sql, None, {"regions": ["r"] * len(regions), "email": ["e"]}).sql
    assert asked.params is not None
    bound = list(asked.params.values())
    assert [str(value) for value in bound] == [str(value) for value in _as_bound(dialect, [*regions, email])]
    assert all(asked.sql.count(_written(dialect, name)) == 1 for name in asked.params)


@pytest.mark.parametrize("dialect", DIALECTS)
@settings(max_examples=40)
@given(value=st.one_of(SCALARS, st.none(), st.binary(), st.dates(), st.lists(TEXTS)))
def test_what_a_parameter_holds_never_changes_the_text(dialect: str, value: Any) -> None:
    style = STYLES.get(dialect, "named")
    sql = f"select * from regions where region = {PARAMETER[style]}"

    asked = filtered(dialect, sql, {"x": value})

    assert asked.sql == filtered(dialect, sql, {"x": "r"}).sql
    assert asked.params is not None
    assert next(iter(asked.params.values())) is value


@pytest.mark.parametrize("dialect", DIALECTS)
def test_only_how_many_values_there_are_changes_the_text(dialect: str) -> None:
    one, two = (filtered(dialect, "select * from sales", None, {"regions": ["a", "b"][:count]}) for count in (1, 2))

    assert one.sql != two.sql
    assert (len(one.params or {}), len(two.params or {})) == (1, 2)


@given(value=st.one_of(st.integers(), st.booleans(), st.floats(allow_nan=False)))
def test_mysql_gets_texts_as_a_number_zero_equals_most_texts_there(value: Scalar) -> None:
    asked = filtered("mysql", "select * from orders", None, {"email": [value]})

    assert asked.params is not None
    assert all(isinstance(given, str) for given in asked.params.values())


def _as_bound(dialect: str, values: Sequence[Scalar]) -> list[Any]:
    if dialect != "mysql":
        return list(values)
    return [int(value) if isinstance(value, bool) else value for value in values]


def _written(dialect: str, name: str) -> str:
    return PARAMETER[STYLES.get(dialect, "named")].replace("x", name)
