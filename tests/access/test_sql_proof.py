"""What is written in the end is read once more, and that alone counts."""

import pytest
from sqlglot.errors import SqlglotError

from st_auth.access.sql_params import ours
from st_auth.access.sql_proof import require_proven
from st_auth.errors import PermissionDenied

OURS = ours("st_auth_table_0_")


def prove(text: str) -> None:
    require_proven(text, "duckdb", frozenset({"half"}), lambda table: table.name == "regions")


@pytest.mark.parametrize(
    "text",
    [
        f"SELECT * FROM {OURS} AS sales, regions",
        "SELECT HALF(1)",
        "SELECT * FROM RANGE(3)",
        "SELECT * FROM regions PIVOT(SUM(a) FOR b IN ('say \"x\"'))",
    ],
    ids=range(4),  # the texts hold a secret of each process
)
def test_a_text_of_tables_that_only_we_can_name_is_proven(text: str) -> None:
    prove(text)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("SELECT * FROM sales", "reads in another way"),
        (f"SELECT * FROM lake.{OURS}", "reads in another way"),
        (f"SELECT * FROM sales AS {OURS}", "reads in another way"),
        ("SELECT 1 /* x */", "reads in another way"),
        ("SELECT 1 -- x", "reads in another way"),
        ("SELECT 1; SELECT 2", "reads in another way"),
        ("", "reads in another way"),
        (";", "reads in another way"),
        ("SELECT STATS(1)", "the function stats"),
        ("DELETE FROM regions", "a statement that does not read"),
    ],
    ids=range(10),
)
def test_any_other_text_is_refused(text: str, said: str) -> None:
    with pytest.raises(PermissionDenied, match=f"(?i){said}") as refused:
        prove(text)
    assert refused.value.code == "statement_refused"


def test_a_text_that_cannot_be_read_is_the_parsers_to_refuse() -> None:
    with pytest.raises(SqlglotError):
        prove("SELECT 1 +")
