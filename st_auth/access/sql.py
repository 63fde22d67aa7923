"""The rule file in SQL: a statement goes in as the author wrote it, and comes out as one that gives this person's rows and columns."""

import logging
import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Final

import sqlglot
from sqlglot import exp
from sqlglot.errors import ErrorLevel, SqlglotError, TokenError, UnsupportedError

from st_auth.access.permissions import Granted
from st_auth.access.rules import Rules, Viewer, only
from st_auth.access.sql_grammar import require_readable, unsafe
from st_auth.access.sql_names import TableNames
from st_auth.access.sql_params import Piece, Style, mark, marked, pieces_of, written
from st_auth.access.sql_proof import require_proven
from st_auth.access.sql_rewrite import Bound, Columns, Rewriting
from st_auth.errors import PermissionDenied

__all__ = ["Filtered", "SQLRules"]

logging.getLogger("sqlglot").setLevel(logging.ERROR)  # its warnings quote the statement, and so values in it

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

    _rewriting: ClassVar[type[Rewriting]] = Rewriting

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
        shape = 0 if params is None else tuple(params) if isinstance(params, Mapping) else len(params)
        key = (sql, granted.permissions, shape)
        compiled = self._compiled.get(key)
        if compiled is None:
            compiled = self._kept(key, self._compile(sql, params, granted, columns))

        def value(number: int) -> tuple[Any, bool]:
            what, name = compiled.bound[number]
            return (params[name], False) if what == "param" else self._said(viewer, what, name)

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
            rewriting = self._rewriting(self._names, self._dialect, granted, columns, bound)
            text = rewriting.run(tree).sql(dialect=self._dialect, comments=False, copy=False, unsupported_level=ErrorLevel.RAISE)
            self._prove(text, rewriting)
            text = rewriting.written(text)
        except UnsupportedError:
            raise unsafe(f"what {self._dialect} does not know", "What is written again must say the same.") from None
        except SqlglotError as error:
            raise self._unreadable(error) from None
        except RecursionError:
            raise unsafe("too many levels", "Write it as several queries.") from None
        said = (tuple(dict.fromkeys(names)) for names in (rewriting.tables, rewriting.rules, rewriting.hidden))
        return _Compiled(pieces_of(text, self._style), tuple(bound), *said)

    def _prove(self, text: str, rewriting: Rewriting) -> None:
        try:
            require_proven(text, self._dialect, self._functions, rewriting.may_stay)
        except SqlglotError:
            raise unsafe("something that cannot be read once it is written again", "Write it in another way.") from None

    def _parsed(self, sql: str) -> exp.Expr:
        if len(sql) > _LONGEST:
            raise unsafe(f"more than {_LONGEST:,} characters", "Write it as several queries.")
        statements = [statement for statement in sqlglot.parse(sql, dialect=self._dialect) if statement is not None]
        if len(statements) != 1:
            raise unsafe("several statements" if statements else "no statement", "Run one statement at a time.")
        return statements[0]

    def _said(self, viewer: Viewer, what: str, name: str) -> tuple[Any, bool]:
        """A value of the person's: all of them, or the one that there is."""
        values = viewer.value(name)
        if self._dialect == "mysql":  # a number 0 equals each text there that does not begin with a digit
            values = [str(int(value)) if isinstance(value, bool) else str(value) for value in values]
        return (values, True) if what == "all" else (only(name, values), False)

    def _unreadable(self, error: SqlglotError) -> PermissionDenied:
        """The parser's own sentence quotes the statement, and so values in it."""
        place: dict[str, Any] = next(iter(getattr(error, "errors", [])), {})
        at = f", line {place['line']}, column {place['col']}" if place.get("line") else ""
        what = "a quote or a comment in it has no end" if isinstance(error, TokenError) else f"it is none to us{at}"
        message = f"This statement cannot be read as SQL of {self._dialect}: {what}."
        return PermissionDenied(message, code="statement_refused", hint="Only what can be read can obey the rules.")
