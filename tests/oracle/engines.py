"""The two databases in which answers are compared: one statement and its parameters in, rows out."""

from collections.abc import Callable
from typing import Any, Protocol

import duckdb
import sqlalchemy

from st_auth.access.rules import Rules
from st_auth.access.sql import Filtered, SQLRules
from st_auth.access.sql_params import Style
from tests.oracle.people import Answer, Reader, answer
from tests.servers.postgres import PostgresServer


class Engine(Protocol):
    """One database, as somebody's connection to it has it."""

    dialect: str
    style: Style

    def run(self, sql: str, params: Any = None) -> Answer:
        """Return the answer to a statement, as a multiset of rows."""
        ...

    def columns(self, table: str) -> tuple[str, ...]:
        """Return the names of a table's columns in their order."""
        ...


class DuckDB:
    """A database in memory; one thread, so that the machine's others go on."""

    dialect = "duckdb"
    style: Style = "dollar"

    def __init__(self, *set_up: str) -> None:
        self._set_up = set_up
        self._columns: dict[str, tuple[str, ...]] = {}
        self._connection = self._opened()

    def _opened(self) -> duckdb.DuckDBPyConnection:
        connection = duckdb.connect(config={"threads": 1})
        for sql in self._set_up:
            connection.execute(sql)
        return connection

    def run(self, sql: str, params: Any = None) -> Answer:
        """As above. An error of DuckDB's own (FatalException) leaves a database that answers nothing any more: there is a new one then."""
        try:
            cursor = self._connection.execute(sql, params)
            return answer(tuple(column[0] for column in cursor.description), cursor.fetchall())
        except duckdb.FatalException:
            self._connection.close()
            self._connection = self._opened()
            raise

    def columns(self, table: str) -> tuple[str, ...]:
        if table not in self._columns:
            self._columns[table] = tuple(column[0] for column in self._connection.execute(f"select * from {table} limit 0").description)
        return self._columns[table]

    def close(self) -> None:
        self._connection.close()


class Postgres:
    """A database of a server of the test's own, asked through SQLAlchemy as a connection of ours does."""

    dialect = "postgres"
    style: Style = "named"

    def __init__(self, server: PostgresServer, database: str, search_path: str = "public") -> None:
        self._engine = sqlalchemy.create_engine(server.url(database), connect_args={"options": f"-c search_path={search_path} -c jit=off"})
        self._connection = self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        self._columns: dict[str, tuple[str, ...]] = {}

    def run(self, sql: str, params: Any = None) -> Answer:
        result = self._connection.execute(sqlalchemy.text(sql), params or {})
        return answer(tuple(result.keys()), result.fetchall())

    def columns(self, table: str) -> tuple[str, ...]:
        if table not in self._columns:
            self._columns[table] = tuple(self._connection.execute(sqlalchemy.text(f"select * from {table} limit 0")).keys())
        return self._columns[table]

    def close(self) -> None:
        self._connection.close()
        self._engine.dispose()


Filter = Callable[[str, Any, Reader], Filtered]


def filter_of(rules: Rules, engine: Engine, make: Callable[..., SQLRules] = SQLRules) -> Filter:
    """Put the rules into statements for an engine."""
    compiled = make(rules, engine.dialect, engine.style)
    return lambda sql, params, reader: compiled.filtered(sql, params, reader, engine.columns)
