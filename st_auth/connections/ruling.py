"""The rule file at work in one process: who somebody is to it, and each connection's statements with it in them."""

import json
import threading
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar

from st_auth.access.permissions import Granted, Roles
from st_auth.access.reader import Reader, own_values
from st_auth.access.rules import Rules, Viewer
from st_auth.clock import SYSTEM, Clock
from st_auth.config import ConnectionConfig
from st_auth.errors import ConfigError, PermissionDenied, Problem
from st_auth.live import LiveSession

__all__ = ["Ruling"]

T = TypeVar("T")

_COLUMNS_LAST: Final = 300.0
_NOBODY: Final = Granted((), frozenset())
_STYLES: Final = {"duckdb": "dollar", "snowflake": "pyformat", "sql": "named"}
_SMALLEST: Final = '[tables.sales]\n    needs = "sales:read"\n    rows  = "region in (:regions)"'


class Ruling:
    """What is kept of the rules: people by login, compiled statements and the columns of tables by connection. Safe in any thread."""

    def __init__(self, roles: Roles | None = None, rules: Rules | None = None, clock: Clock = SYSTEM) -> None:
        self.roles = roles
        self.rules = rules or Rules()
        self._clock = clock
        self._readers: dict[str, tuple[tuple[bytes, bytes], Reader]] = {}
        self._sql: dict[str, Any] = {}
        self._columns: dict[tuple[str, str], tuple[tuple[str, ...], float]] = {}
        self._lock = threading.Lock()

    def reader(self, live: LiveSession, attributes: Callable[[Reader], Mapping[str, Any]], instead: Reader | None = None) -> Reader:
        """Return who this is to the rules, by the claims as they are now; `attributes` are asked once for them, when a rule needs one.

        `instead` is somebody else, whose attributes are asked for in the place of the login's.
        """
        if instead is not None:
            if self.rules.attributes:
                instead.attributes = lambda: attributes(instead)
            return instead
        written = (live.stored.claims_json, live.stored.profile_json)
        kept = self._readers.get(live.login_id)
        if kept is not None and kept[0][0] is written[0] and kept[0][1] is written[1]:
            return kept[1]
        reader = self._read(live)
        if self.rules.attributes:
            reader.attributes = lambda: attributes(reader)
        self._readers[live.login_id] = (written, reader)
        if live.ended:  # its end may have come between, and forgets but once
            self.forget(live.login_id)
        return reader

    def _read(self, live: LiveSession) -> Reader:
        claims, profile = json.loads(live.stored.claims_json), json.loads(live.stored.profile_json)
        granted = self.roles.granted(claims, profile.get("groups") or ()) if self.roles else _NOBODY
        return Reader(granted, claims, own_values(live.stored.card, profile, granted), self.rules.values)

    def forget(self, login_id: str) -> None:
        """A login is over."""
        self._readers.pop(login_id, None)

    def filtered(self, config: ConnectionConfig, sql: str, params: Any, viewer: Viewer, ask: Callable[[str], tuple[str, ...]]) -> Any:
        """Return the statement as `viewer` may run it on this connection: an `access.sql.Filtered`. `ask` runs a SELECT, tells its columns.

        Raises like `SQLRules.filtered`.
        """
        if not config.dialect:
            message = f"The connection “{config.name}” obeys the rule file, which speaks of tables; it has none."
            raise PermissionDenied(message, code="no_rule", hint='Write rules = "engine" in its section if the server itself decides.')
        if not self.rules.tables:
            message = f"The connection “{config.name}” obeys the rule file, and there is no rule for any table."
            hint = f"The smallest rule, in .streamlit/rules.toml; see docs/rules.md:\n\n    {_SMALLEST}"
            raise PermissionDenied(message, code="no_rule", hint=hint)
        return self._rules_of(config).filtered(sql, params, viewer, lambda table: self._columns_of(config.name, table, ask))

    def style(self, config: ConnectionConfig) -> Any:
        """In which style a connection takes what is bound. Raises ConfigError for one that is not asked in SQL."""
        if config.kind not in _STYLES:
            problem = Problem(
                ".streamlit/rules.toml", "access.connection", f"names {config.name}, which is not asked in SQL", "name another"
            )
            raise ConfigError([problem])
        return _STYLES[config.kind]

    def _rules_of(self, config: ConnectionConfig) -> Any:
        if (rules := self._sql.get(config.name)) is None:
            from st_auth.access.sql import SQLRules

            with self._lock:
                rules = self._sql.setdefault(config.name, SQLRules(self.rules, config.dialect, self.style(config)))
        return rules

    def _columns_of(self, name: str, table: str, ask: Callable[[str], tuple[str, ...]]) -> tuple[str, ...]:
        kept = self._columns.get((name, table))
        if kept is None or kept[1] <= self._clock.monotonic():
            sql = f"SELECT * FROM {table} WHERE 1 = 0"  # noqa: S608  # a table that has a rule, written by the parser
            kept = (ask(sql), self._clock.monotonic() + _COLUMNS_LAST)
            self._columns[name, table] = kept
        return kept[0]

    def look_again(self, name: str) -> None:
        """A statement failed: perhaps a table has other columns now, so the next one asks for them."""
        for key in [key for key in list(self._columns) if key[0] == name]:
            self._columns.pop(key, None)
        if (rules := self._sql.get(name)) is not None:
            rules.forget()

    def visible(self, frame: T, table: str, viewer: Viewer) -> T:
        """Return what `viewer` may see of a frame, by the rule of a table. Raises like `frames.visible`, PermissionDenied `no_rule`."""
        from st_auth.access.frames import visible
        from st_auth.access.sql_names import TableNames

        rule = TableNames(self.rules.tables, self.rules.schema, "").named(table)
        if rule is None:
            hint = f"Name a table of .streamlit/rules.toml: {', '.join(self.rules.tables) or 'there is none'}."
            raise PermissionDenied(f"There is no rule for the table {table}.", code="no_rule", hint=hint, table=table)
        return visible(frame, rule, viewer)
