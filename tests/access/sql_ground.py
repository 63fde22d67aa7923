"""Where attempts to read around the rules are made: a few tables with canaries in what is hidden, in three databases that run here."""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final, Protocol

import duckdb
import sqlalchemy
import sqlglot
from sqlglot import exp

from st_auth.access.permissions import Granted
from st_auth.access.rules import ColumnRule, Rules, Scalar, TableRule
from st_auth.access.sql import Filtered, SQLRules
from st_auth.access.sql_params import Style

CANARY: Final = re.compile(r"CANARY|99[0-9]{5}")
STYLES: Final[Mapping[str, Style]] = {"duckdb": "dollar", "snowflake": "pyformat"}
RULES: Final = Rules(
    tables={
        "sales": TableRule(
            "sales",
            rows="region in (:regions)",
            columns={"email": ColumnRule("mask(email)"), "margin": ColumnRule("null"), "secret": ColumnRule("hide")},
        ),
        "orders": TableRule("orders", rows="exists (select 1 from access where access.region = orders.region and access.person = :email)"),
        "regions": TableRule("regions"),
        "wages": TableRule("wages", needs="people:read"),
        "lake.*": TableRule("lake.*"),
        "lake.salt": TableRule("lake.salt", rows="region in (:regions)"),
        "lake.bank": TableRule("lake.bank", needs="people:read"),
    }
)
SCHEMA: Final = """
create table sales (region text, amount int, email text, margin int, secret text);
insert into sales values ('eu', 1, 'CANARY-mail-1', 9900001, 'CANARY-secret-1'), ('eu', 2, 'CANARY-mail-2', 9900002, 'CANARY-secret-2'),
  ('apac', 9900003, 'CANARY-mail-3', 9900004, 'CANARY-secret-3');
create table orders (region text, item text);
insert into orders values ('eu', 'apple'), ('apac', 'CANARY-item');
create table access (region text, person text);
insert into access values ('eu', 'ana@acme.com'), ('apac', 'CANARY-person');
create table regions (region text);
insert into regions values ('eu'), ('apac');
create table wages (region text, name text, pay int);
insert into wages values ('eu', 'CANARY-name', 9900005);
create table lake.plain (a int);
insert into lake.plain values (1);
create table lake.salt (region text, note text);
insert into lake.salt values ('eu', 'sodium'), ('apac', 'CANARY-note');
"""
_OPEN: Final = re.compile(r"regions|access|lake\.(?!(?:salt|bank)$).*")  # as the rules above have them; `access` is read by a rule alone
_COLUMNS: Final = {"sales": ("region", "amount", "email", "margin", "secret")}
_BOUND: Final = {
    "pyformat": re.compile(r"%(%)|%\(p\d+(?:_\d+)?\)s"),
    "named": re.compile(r"\\(:)|:p\d+(?:_\d+)?\b"),
    "dollar": re.compile(r"()\$p\d+(?:_\d+)?\b"),
}


@dataclass
class Reader:
    """Somebody who may see the rows of one region; a test may say otherwise."""

    values: dict[str, Sequence[Scalar]] = field(default_factory=dict)
    granted: Granted = field(default_factory=lambda: Granted(("analyst",), frozenset({"sales:read"})))

    def value(self, name: str) -> Sequence[Scalar]:
        return {"regions": ("eu",), "email": ("ana@acme.com",), **self.values}[name]


class Database(Protocol):
    """One that runs what has come out."""

    def run(self, asked: Filtered) -> list[list[Any]]: ...


def filtered(dialect: str, sql: str, params: Any = None, claims: Mapping[str, Any] | None = None) -> Filtered:
    """The statement as it would be run."""
    rules = SQLRules(RULES, dialect, STYLES.get(dialect, "named"))
    return rules.filtered(sql, params, Reader(dict(claims or {})), lambda table: _COLUMNS[table.lower().strip('"`')])


class DuckDB:
    """DuckDB in this process."""

    def __init__(self) -> None:
        self._connection = duckdb.connect()
        self._connection.execute(f"create schema lake; {SCHEMA}")

    def run(self, asked: Filtered) -> list[list[Any]]:
        cursor = self._connection.execute(asked.sql, asked.params)
        return [[_plain(value) for value in row] for row in cursor.fetchall()]

    def close(self) -> None:
        self._connection.close()


class Alchemy:
    """A database of SQLAlchemy's, asked as the SQL connection asks."""

    def __init__(self, url: str, *first: str) -> None:
        self._engine = sqlalchemy.create_engine(url, poolclass=sqlalchemy.StaticPool)
        with self._engine.begin() as connection:
            for statement in [*first, *SCHEMA.split(";\n")]:
                if statement.strip():
                    connection.exec_driver_sql(statement)

    def run(self, asked: Filtered) -> list[list[Any]]:
        with self._engine.connect() as connection:
            return [[_plain(value) for value in row] for row in connection.execute(sqlalchemy.text(asked.sql), asked.params or {})]

    def close(self) -> None:
        self._engine.dispose()


@contextmanager
def database(dialect: str, postgres_url: str = "") -> Iterator[Database]:
    """A database of this dialect with the tables in it."""
    opened = {
        "duckdb": DuckDB,
        "sqlite": lambda: Alchemy("sqlite://", "attach ':memory:' as lake"),
        "postgres": lambda: Alchemy(postgres_url, "create schema lake"),
    }[dialect]()
    try:
        yield opened
    finally:
        opened.close()


def unruled(asked: str, dialect: str) -> list[str]:
    """What is read in a statement as it would be run without its rule: judged from the text alone."""
    text = _BOUND[STYLES.get(dialect, "named")].sub(lambda found: found[1] or "'bound'", asked)
    (tree,) = sqlglot.parse(text, dialect=dialect)
    assert tree is not None
    return [table.sql(dialect=dialect) for table in tree.find_all(exp.Table) if not _obeys(table)]


def _obeys(table: exp.Table) -> bool:
    name = ".".join(part.name.lower() for part in table.parts)
    if isinstance(table.this, exp.Func) or _OPEN.fullmatch(name) or name.startswith("st_auth_cte_"):
        return True
    select = table.find_ancestor(exp.Select)
    where = select.args.get("where") if select is not None else None
    return table.alias == "st_auth_t" and where is not None and any(literal.this == "bound" for literal in where.find_all(exp.Literal))


def _plain(value: Any) -> Any:
    """As a TOML file can have it."""
    if isinstance(value, Decimal):
        return int(value) if value == int(value) else float(value)
    return "" if value is None else value if isinstance(value, str | int | float | bool | list) else str(value)
