"""A small schema with nulls, duplicates and names of many letters, the rules for it, and what they leave of it, written by hand."""

import random
from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

from st_auth.access.rules import ColumnRule, Rules, TableRule
from tests.oracle.people import Reader

NUMBER, TEXT, DAY = "number", "text", "day"
REGIONS = ("eu", "us", "apac", "südost")
KINDS = ("a", "b", "c: d", "ü")
COLUMNS: Mapping[str, Mapping[str, str]] = {
    "people": {"id": NUMBER, "name": TEXT, "region": TEXT, "note": TEXT, "born": DAY, "boss": NUMBER, "pay": NUMBER},
    "sales": {"id": NUMBER, "person_id": NUMBER, "region": TEXT, "kind": TEXT, "qty": NUMBER, "amount": NUMBER, "day": DAY},
    "items": {"kind": TEXT, "label": TEXT, "price": NUMBER, '"Größe"': NUMBER, "made": DAY},
    "regions": {"region": TEXT, "title": TEXT, "target": NUMBER},
    "lake.events": {"id": NUMBER, "person_id": NUMBER, "region": TEXT, "kind": TEXT, "score": NUMBER, "day": DAY},
}
_TYPES = {"born": "date", "day": "date", "made": "date", "pay": "decimal(10, 2)", "amount": "decimal(10, 2)", "price": "decimal(8, 2)"}
_SIZES = {"people": 18, "sales": 30, "items": 9, "regions": 5, "lake.events": 26}


def set_up(home: str, person: str | None) -> list[str]:
    """The statements that make the tables: all rows in the schema `whole`, and what somebody may see of them under their own names."""
    made = ["create schema whole", "create schema lake"]
    rows = random.Random(20261122)
    for table, size in _SIZES.items():
        name = f"whole.{table.rpartition('.')[2]}"
        columns = ", ".join(f"{column} {_type(column, kind)}" for column, kind in COLUMNS[table].items())
        made.append(f"create table {name} ({columns})")
        values = ", ".join(f"({', '.join(_value(rows, table, column, row) for column in COLUMNS[table])})" for row in range(size))
        made.append(f"insert into {name} values {values}")
    copies = _COPIES[person] if person else {table: f"select * from whole.{table.rpartition('.')[2]}" for table in COLUMNS}
    return made + [f"create table {table if '.' in table else f'{home}.{table}'} as {copies[table]}" for table in COLUMNS]


def _type(column: str, kind: str) -> str:
    return _TYPES.get(column) or ("double precision" if column == '"Größe"' else "integer" if kind == NUMBER else "varchar")


def _value(rows: random.Random, table: str, column: str, row: int) -> str:
    """A value of a column, now and then none; `id` repeats itself from time to time."""
    if table == "regions":
        regions = (*REGIONS, "null")
        return {"region": _quoted(regions[row]), "title": _quoted(f"Région {regions[row]}"), "target": str(10 * row)}[column]
    if column == "id":
        return str(row + 1 if table == "people" or rows.random() < 0.85 else row)
    if column == "boss":
        return "null" if row < 3 else str(rows.randint(1, row))
    if rows.random() < 0.1:
        return "null"
    return _quoted(_filled(rows, column))


def _filled(rows: random.Random, column: str) -> Any:
    if column in ("region", "kind"):
        return rows.choice(REGIONS if column == "region" else KINDS)
    if _TYPES.get(column) == "date":
        return date(2026, 1, 1) + timedelta(days=rows.randint(0, 100))
    if column in ("name", "label", "note"):
        return rows.choice(("Ana", "Bo", "Zoë", "李雷", "O''Neil", "ana", "ÄÖÜ"))
    if column in _TYPES or column == '"Größe"':
        return rows.randint(2, 200) / 2
    return rows.randint(0, 99) if column == "score" else rows.randint(1, 9)


def _quoted(value: Any) -> str:
    return str(value) if isinstance(value, int | float) or value == "null" else f"'{value}'"


RULES = {
    "people": TableRule(
        "people",
        "people:read",
        "region in (:regions) or people.boss is null",
        {"name": ColumnRule("mask(name)", "names:read"), "note": ColumnRule("hide", "notes:read"), "pay": ColumnRule("null", "pay:read")},
    ),
    "sales": TableRule(
        "sales",
        rows="qty < :most and (sales.region in (:regions) or sales.region is null)",
        columns={"amount": ColumnRule("round(amount, 0) + coalesce(qty, 0)", "pay:read")},
    ),
    "items": TableRule("items", columns={"label": ColumnRule("mask(label)"), "Größe": ColumnRule("null", "sizes:read")}),
    "regions": TableRule("regions"),
    "lake.events": TableRule(
        "lake.events",
        rows="exists (select 1 from people where people.id = events.person_id and people.region in (:regions)) or score > :score",
        columns={"kind": ColumnRule("case when score > 50 then 'high' else kind end", "kinds:read")},
    ),
}
ANA = Reader("ana", frozenset({"people:read", "pay:read"}), {"regions": ("eu", "us"), "most": (8,), "score": (60,)})
BOB = Reader(
    "bob",
    frozenset({"people:*", "names:read", "notes:read", "sizes:read", "kinds:read"}),
    {"regions": ("apac", "südost"), "most": (6,), "score": (40,)},
)
PEOPLE = (ANA, BOB)

_COPIES = {
    "ana": {
        "people": """select id, case when name is not null then '***' end as name, region, born, boss, pay
            from whole.people where region = 'eu' or region = 'us' or boss is null""",
        "sales": "select * from whole.sales where qty < 8 and (region = 'eu' or region = 'us' or region is null)",
        "items": """select kind, case when label is not null then '***' end as label, price, cast(null as double precision) as "Größe", made
            from whole.items""",
        "regions": "select * from whole.regions",
        "lake.events": """select id, person_id, region, case when score > 50 then 'high' else kind end as kind, score, day
            from whole.events where person_id in (select id from whole.people where region in ('eu', 'us')) or score > 60""",
    },
    "bob": {
        "people": """select id, name, region, note, born, boss, cast(null as decimal(10, 2)) as pay
            from whole.people where region = 'apac' or region = 'südost' or boss is null""",
        "sales": """select id, person_id, region, kind, qty, round(amount, 0) + coalesce(qty, 0) as amount, day
            from whole.sales where qty < 6 and (region = 'apac' or region = 'südost' or region is null)""",
        "items": "select kind, case when label is not null then '***' end as label, price, \"Größe\", made from whole.items",
        "regions": "select * from whole.regions",
        "lake.events": """select * from whole.events
            where person_id in (select id from whole.people where region in ('apac', 'südost')) or score > 40""",
    },
}


def rules(home: str) -> Rules:
    """The rules, where `home` is the schema whose name may be left out."""
    return Rules(tables=RULES, schema=home)
