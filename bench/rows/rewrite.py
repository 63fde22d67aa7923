"""`rewrite_cold`, `rewrite_warm`: the rules put into a statement, against sqlglot's own reading and writing of it, and once more."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median

from bench.ground import Ground, in_fresh_process
from bench.result import Note, Row, absolute, against_peer

_BATCHES = 30
_SQL = """
select c.name, c.region, year(o.ordered_on) as year, sum(i.quantity * i.price) as revenue, count(distinct o.id) as orders
from customers c
join orders o on o.customer_id = c.id
left join items i on i.order_id = o.id and i.kind = 'goods'
where o.ordered_on >= '2026-01-01' and c.segment in ('retail', 'online') and (i.discount is null or i.discount < 0.5)
group by 1, 2, 3
having sum(i.quantity * i.price) > 1000
order by revenue desc
limit 50
"""
_TABLES = {
    "CUSTOMERS": ("ID", "NAME", "REGION", "SEGMENT", "EMAIL", "PHONE"),
    "ORDERS": ("ID", "CUSTOMER_ID", "ORDERED_ON", "STATUS", "MARGIN"),
    "ITEMS": ("ID", "ORDER_ID", "KIND", "QUANTITY", "PRICE", "DISCOUNT"),
}


@dataclass
class _Reader:
    """A person whose values the rules ask for."""

    granted: object

    def value(self, name: str) -> tuple[str, ...]:
        return ("eu", "us") if name == "regions" else ("ana@acme.com",)


def rewrite_cold(_: Ground) -> list[Row | Note]:
    """Both in one process of their own: three tables in Snowflake's dialect, with rows and columns in the rules of two of them."""
    cold, peer, _warm = in_fresh_process("bench.rows.rewrite")
    return [against_peer("rewrite_cold", cold, peer, "µs", "≤ 1.5")]


def rewrite_warm(_: Ground) -> list[Row | Note]:
    """The same statement, which is kept as it was compiled."""
    return [absolute("rewrite_warm", in_fresh_process("bench.rows.rewrite")[2], "µs", "≤ 10 µs")]


def _rules():
    from st_auth.access.permissions import Granted
    from st_auth.access.rules import ColumnRule, Rules, TableRule
    from st_auth.access.sql import SQLRules

    columns = {"email": ColumnRule("mask(email)"), "phone": ColumnRule("null", "people:read")}
    tables = {
        "customers": TableRule("customers", "sales:read", "region in (:regions)", columns),
        "orders": TableRule("orders", "sales:read", "status <> 'draft'", {"margin": ColumnRule("hide", "margins:read")}),
        "items": TableRule("items"),
    }
    return SQLRules(Rules(tables=tables), "snowflake", "pyformat"), _Reader(Granted(("analyst",), frozenset({"sales:read"})))


def _columns(table: str) -> tuple[str, ...]:
    return _TABLES[table.upper()]


def _peer() -> Callable[[], str]:
    import sqlglot
    from sqlglot.optimizer.qualify import qualify

    schema = {table: dict.fromkeys(columns, "VARCHAR") for table, columns in _TABLES.items()}

    def parsed_and_written() -> str:
        return qualify(sqlglot.parse_one(_SQL, dialect="snowflake"), dialect="snowflake", schema=schema).sql(dialect="snowflake")

    return parsed_and_written


def _measure() -> list[float]:
    """Microseconds of CPU, medians of batches by turns: the rules for the first time, sqlglot alone, the rules again."""
    rules, reader = _rules()

    def cold() -> str:
        rules.forget()
        return warm()

    def warm() -> str:
        return rules.filtered(_SQL, None, reader, _columns).sql

    if warm().count("st_auth_t") < 10 or "%(p" not in warm():
        raise AssertionError("the rules are not in the statement")
    calls = ((cold, 5), (_peer(), 5), (warm, 500))
    figures: list[list[float]] = [[], [], []]
    for _ in range(_BATCHES):
        for (call, times), kept in zip(calls, figures, strict=True):
            began = time.process_time_ns()
            for _ in range(times):
                call()
            kept.append((time.process_time_ns() - began) / 1000 / times)
    return [median(kept) for kept in figures]


ROWS = {"rewrite_cold": rewrite_cold, "rewrite_warm": rewrite_warm}

if __name__ == "__main__":
    import json

    print(json.dumps(_measure()))
