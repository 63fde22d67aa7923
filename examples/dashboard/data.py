"""The sample database, and which of its rows a person sees."""

import math
import random
from collections.abc import Iterable
from functools import cache
from typing import Any

import duckdb
import pandas as pd

import st_auth

REGIONS = {"am": "Americas", "ap": "Asia Pacific", "eu": "Europe"}
SIZES = {"Americas": 1.25, "Asia Pacific": 0.8, "Europe": 1.0}
PRODUCTS = {"Bicycles": 820, "E-bikes": 2350, "Helmets": 75, "Repairs": 140}
MONTHS = 12


def regions_of(user: st_auth.User) -> list[str]:
    """Name the regions that a person may see: all for admins, their own for analysts, none for anybody else."""
    if "admins" in user.groups:
        return sorted(REGIONS.values())
    if "analysts" in user.groups and (region := str(user.claims.get("region"))) in REGIONS:
        return [REGIONS[region]]
    return []


def orders_for(user: st_auth.User) -> pd.DataFrame:
    """Return this person's rows. The regions are bound to the statement, never written into it; no region, no row."""
    rows = (
        _database()
        .cursor()
        .execute(
            """
        select month, region, product, orders, orders * price as revenue
        from sales join products using (product)
        where list_contains($regions, region)
        order by month desc, region, product
        """,
            {"regions": regions_of(user)},
        )
    )
    return rows.df()


def monthly(orders: pd.DataFrame) -> Iterable[Any]:
    """Sum up rows that a person may see: one record a month, oldest first."""
    months = orders.groupby("month", as_index=False)[["orders", "revenue"]].sum()
    return months.assign(per_order=months.revenue / months.orders).itertuples()


@cache
def _database() -> duckdb.DuckDBPyConnection:
    """Build the database once, with the same numbers each time. Each query takes a cursor of its own: the app has many threads."""
    chance = random.Random(2026)  # noqa: S311 (sample numbers, not secrets)
    sales = [
        (f"2026-{month:02}-01", region, product, round(size * _season(month, product) * chance.uniform(0.85, 1.15) * 9000 / price**0.6))
        for month in range(1, MONTHS + 1)
        for region, size in SIZES.items()
        for product, price in PRODUCTS.items()
    ]
    database = duckdb.connect(":memory:")
    database.execute("create table products (product text primary key, price integer)")
    database.executemany("insert into products values (?, ?)", list(PRODUCTS.items()))
    database.execute("create table sales (month date, region text, product text, orders integer)")
    database.executemany("insert into sales values (?, ?, ?, ?)", sales)
    return database


def _season(month: int, product: str) -> float:
    """People buy bicycles in spring and have them mended in autumn."""
    best = 10 if product == "Repairs" else 5
    return (1 + 0.45 * math.cos((month - best) * math.tau / 12)) * (1 + 0.015 * month)
