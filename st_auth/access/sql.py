"""The rule file in SQL: a statement goes in as the author wrote it, and comes out as one that gives this person's rows and columns."""

import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from st_auth.access.permissions import Granted
from st_auth.access.rules import Rules, Viewer, said
from st_auth.access.sql_grammar import require_readable, unsafe
from st_auth.access.sql_names import TableNames
from st_auth.access.sql_params import Piece, Style, mark, marked, pieces_of, written
from st_auth.access.sql_rewrite import Bound, Columns, Rewriting
from st_auth.errors import PermissionDenied

__all__ = ["Filtered", "SQLRules"]

_AT_MOST: Final = 512
_LONGEST: Final = 100_000


@dataclass(frozen=True, slots=True)
class Filtered:
    """A statement for one person, and what it binds by name: a dict for the driver, None where it binds nothing."""

    sql: str
    params: dict[str, Any] | None
    tables: tuple[str, ...]
    rules: tuple[str, ...]
    hidden: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Compiled:
    """What people with the same permissions have in common."""

    pieces: tuple[Piece, ...]
    bound: tuple[Bound, ...]
    tables: tuple[str, ...]
    rules: tuple[str, ...]
    hidden: tuple[str, ...]


class SQLRules:
    """The rules in one dialect (sqlglot's name for it), for drivers of one style of parameters."""

    def __init__(self, rules: Rules, dialect: str, style: Style) -> None:
        self._functions = rules.functions
        self._names = TableNames(rules.tables, rules.schema, dialect)
        self._dialect = dialect
        self._style: Style = style
        self._compiled: OrderedDict[tuple[Any, ...], _Compiled] = OrderedDict()
        self._lock = threading.Lock()

    def filtered(self, sql: str, params: Any, viewer: Viewer, columns: Columns) -> Filtered:
        """Return the statement with the rules in it. `columns` tells the columns of a table whose columns the rules speak of.

        Raises PermissionDenied (`no_rule`, `permission_missing`, `claim_missing`, `statement_refused`), ConfigError, TypeError, ValueError.
        """
        granted = viewer.granted
        key = (sql, granted.permissions, tuple(params) if isinstance(params, Mapping) else len(params or ()))
        compiled = self._compiled.get(key)
        if compiled is None:
            compiled = self._kept(key, self._compile(sql, params, granted, columns))

        def value(number: int) -> tuple[Any, bool]:
            what, name = compiled.bound[number]
            return (params[name], False) if what == "param" else said(viewer, what, name)

        text, given = written(compiled.pieces, value, self._style)
        return Filtered(text, given, compiled.tables, compiled.rules, compiled.hidden)

    def forget(self) -> None:
        """Compile every statement anew: a table has other columns now."""
        with self._lock:
            self._compiled.clear()

    def _kept(self, key: tuple[Any, ...], compiled: _Compiled) -> _Compiled:
        with self._lock:
            self._compiled[key] = compiled
            while len(self._compiled) > _AT_MOST:
                self._compiled.popitem(last=False)
        return compiled

    def _compile(self, sql: str, params: Any, granted: Granted, columns: Columns) -> _Compiled:
        keys: list[Any] = []
        try:
            tree = marked(self._parsed(mark(sql, params, self._style, keys)), params, self._style, keys)
            require_readable(tree, self._dialect, self._functions)
            bound: list[Bound] = [("param", key) for key in keys]
            rewriting = Rewriting(self._names, self._dialect, granted, columns, bound)
            text = rewriting.run(tree).sql(dialect=self._dialect, comments=False)
        except RecursionError:
            raise unsafe("too many levels", "Write it as several queries.") from None
        said = (tuple(dict.fromkeys(names)) for names in (rewriting.tables, rewriting.rules, rewriting.hidden))
        return _Compiled(pieces_of(text), tuple(bound), *said)

    def _parsed(self, sql: str) -> exp.Expr:
        if len(sql) > _LONGEST:
            raise unsafe(f"more than {_LONGEST:,} characters", "Write it as several queries.")
        try:
            statements = [statement for statement in sqlglot.parse(sql, dialect=self._dialect) if statement is not None]
        except SqlglotError as error:
            what = str(error).splitlines()[0].partition(" Line")[0].rstrip(".")
            message = f"This statement cannot be read as SQL of {self._dialect}: {what}."
            raise PermissionDenied(message, code="statement_refused", hint="Only what can be read can obey the rules.") from None
        if len(statements) != 1:
            raise unsafe("none or several statements" if statements else "no statement", "Run one statement at a time.")
        return statements[0]
