"""The sample database. It knows nothing of people: who sees which of its rows stands in .streamlit/rules.toml."""

import math
import random
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd

FILE = Path(__file__).parent / ".streamlit" / "st_auth" / "sales.duckdb"  # `path` of [connections.sales]
REGIONS = {"am": "Americas", "ap": "Asia Pacific", "eu": "Europe"}
SIZES = {"am": 1.25, "ap": 0.8, "eu": 1.0}
PRODUCTS = {"Bicycles": 820, "E-bikes": 2350, "Helmets": 75, "Repairs": 140}
NAMES = ["Alpine", "Aster", "Birch", "Cedar", "Comet", "Delta", "Ember", "Falcon", "Garnet", "Harbor", "Iris", "Jasper", "Kestrel"]
MONTHS = 12
MONTHLY = """
select month, regions.name as region, product, orders, orders * price as revenue
from sales join products using (product) join regions on regions.code = sales.region
order by month desc, region, product
"""


def monthly(orders: pd.DataFrame) -> Iterable[Any]:
    """Sum up rows that a person may see: one record a month, oldest first."""
    months = orders.groupby("month", as_index=False)[["orders", "revenue"]].sum()
    return months.assign(per_order=months.revenue / months.orders).itertuples()


def build() -> None:
    """Write the file where it is not there, with the same numbers each time; whoever comes while that goes on finds it whole or not."""
    if FILE.exists():
        return
    FILE.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=FILE.parent) as folder:
        new = Path(folder) / FILE.name
        with duckdb.connect(str(new)) as database:
            _fill(database)
        new.replace(FILE)


def _fill(database: duckdb.DuckDBPyConnection) -> None:
    chance = random.Random(2026)  # noqa: S311 (sample numbers, not secrets)
    sales = [
        (f"2026-{month:02}-01", region, product, round(size * _season(month, product) * chance.uniform(0.85, 1.15) * 9000 / price**0.6))
        for month in range(1, MONTHS + 1)
        for region, size in SIZES.items()
        for product, price in PRODUCTS.items()
    ]
    customers = [
        (f"{name} {kind}", region, f"orders@{name}-{kind}.example".lower(), revenue := chance.randrange(4_000, 90_000), revenue // 7)
        for name in NAMES
        for region, kind in zip(REGIONS, ("Bikes", "Rentals", "Works"), strict=True)
    ]
    database.execute("create table regions (code text, name text)")
    database.executemany("insert into regions values (?, ?)", list(REGIONS.items()))
    database.execute("create table products (product text primary key, price integer)")
    database.executemany("insert into products values (?, ?)", list(PRODUCTS.items()))
    database.execute("create table sales (month date, region text, product text, orders integer)")
    database.executemany("insert into sales values (?, ?, ?, ?)", sales)
    database.execute("create table customers (customer text, region text, email text, revenue integer, margin integer)")
    database.executemany("insert into customers values (?, ?, ?, ?, ?)", customers)


def _season(month: int, product: str) -> float:
    """People buy bicycles in spring and have them mended in autumn."""
    best = 10 if product == "Repairs" else 5
    return (1 + 0.45 * math.cos((month - best) * math.tau / 12)) * (1 + 0.015 * month)
