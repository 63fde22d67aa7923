"""[connections.*] of secrets.toml: which of them are ours, and whose credentials open them."""

import difflib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, Literal

from st_auth.config_reader import Reader
from st_auth.connection_kinds import KINDS, Kind, Token, is_installed
from st_auth.oauth.urls import is_loopback

__all__ = ["DIALECTS", "KINDS", "ConnectionConfig", "Kind", "connections_of"]

Rules = Literal["engine", "file"]

DIALECTS: Final[Mapping[str, str]] = {  # what begins an address of SQLAlchemy's → what sqlglot calls it
    "postgresql": "postgres",
    "mysql": "mysql",
    "mariadb": "mysql",
    "sqlite": "sqlite",
    "duckdb": "duckdb",
    "trino": "trino",
    "databricks": "databricks",
    "bigquery": "bigquery",
    "snowflake": "snowflake",
}
_PREFIX: Final = "st_auth."
_OURS: Final = ("type", "token_from", "login", "resource", "exchange", "rules", "default")
_TYPES: Final = {str: "text in quotes", int: "a whole number", bool: "true or false", dict: "a table"}
_SCHEME: Final = re.compile(r"[\w+.-]*:")  # "md:sales", "https://…", ":memory:": DuckDB's own, and no path of a file
_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")


@dataclass(frozen=True, slots=True)
class ConnectionConfig:
    """One connection as the app's author configured it.

    `token_from` names the provider whose token of the person opens it; None where the app's own login does, or nobody's. With
    `own_login` the person's own name and password do, which they are asked for once in each login of theirs. `rules` says who decides
    about rows: the engine behind the connection, or the app's rule file. `token` says which of the person's tokens opens it. Texts in
    `options` may hold `{claim}`.
    """

    name: str
    kind: str
    options: Mapping[str, Any] = field(repr=False)
    token_from: str | None = None
    resource: str = ""
    exchange: bool = False
    rules: Rules = "engine"
    is_default: bool = False
    own_login: bool = False
    token: Token = "access"  # noqa: S105 - which token, and no secret

    @property
    def server(self) -> str:
        """Which server its `url` leads to, for people to read; `""` where that is nothing to show."""
        return str(self.options.get("url", "")).partition("://")[2].partition("/")[0].partition("?")[0].rpartition("@")[2]

    @property
    def dialect(self) -> str:
        """The SQL that it is asked in, by sqlglot's name; `""` where it is not asked in SQL, or in one in which no rule can be enforced."""
        if self.kind == "sql":
            return DIALECTS.get(re.split(r"[+:]", str(self.options.get("url", "")), maxsplit=1)[0], "")
        return self.kind if self.kind in ("duckdb", "snowflake") else ""


def connections_of(
    secrets: Mapping[str, Any], providers: Iterable[str], reader: Reader, folder: Path = Path()
) -> dict[str, ConnectionConfig]:
    """Return the connections whose `type` is ours; what is wrong with them goes to the reader. Other people's types are left alone.

    The path of a file is understood from `folder`, the app's own.
    """
    sections = secrets.get("connections", {})
    if not isinstance(sections, Mapping):
        return {}
    found = {}
    for name, section in sections.items():
        kind = section.get("type") if isinstance(section, Mapping) else None
        if isinstance(kind, str) and kind.startswith(_PREFIX):
            path = section.get("path")
            is_file = isinstance(path, str) and path and not _SCHEME.match(path)
            reading = _Section(name, {**section, "path": str(folder / path)} if is_file else section, reader)
            if config := reading.config(kind.removeprefix(_PREFIX), tuple(providers)):
                found[name] = config
    _judge_default(found, reader)
    return found


def _judge_default(found: Mapping[str, ConnectionConfig], reader: Reader) -> None:
    if len(chosen := [name for name, config in found.items() if config.is_default]) > 1:
        reader.wrong(f"connections.{chosen[1]}.default", f"is true, and so is that of {chosen[0]}", "leave it to one of them")


class _Section:
    """Reads one [connections.NAME]."""

    def __init__(self, name: str, section: Mapping[str, Any], reader: Reader) -> None:
        self._name = name
        self._section = section
        self._reader = reader

    def config(self, type_name: str, providers: tuple[str, ...]) -> ConnectionConfig | None:
        """Return the connection, or None after a problem without which nothing else can be judged."""
        kind = KINDS.get(type_name)
        if kind is None:
            self._wrong("type", "is no connection of st_auth", _near(type_name, KINDS, _PREFIX))
            return None
        self._judge_name()
        self._judge_driver(kind)
        self._judge_keys(kind)
        own_login = self._own_login(kind)
        token_from = self._token_from(kind, providers)
        config = ConnectionConfig(
            name=self._name,
            kind=kind.name,
            options=MappingProxyType({key: value for key, value in self._section.items() if key not in _OURS}),
            token_from=token_from,
            resource=self._text("resource"),
            exchange=self._flag("exchange", needs="resource"),
            rules=self._rules(kind, is_persons=own_login or token_from is not None),
            is_default=self._flag("default"),
            own_login=own_login,
            token=kind.token(self._section),
        )
        if config.rules == "file" and config.kind == "sql" and not config.dialect:
            mend = f'write rules = "engine" if the database itself decides; the file knows: {", ".join(DIALECTS)}'
            self._wrong("url", "leads to a database whose SQL the rule file cannot be put into", mend)
        return config

    def _judge_name(self) -> None:
        if not _NAME.fullmatch(self._name):
            self._wrong("", "has a name with other than letters, digits, - and _", "give it a plain name")
        if self._name == "snowflake":
            text = "connections.snowflake: st.connection(“snowflake”) always means Streamlit's own; rename this section."
            self._reader.warnings.append(text)

    def _judge_driver(self, kind: Kind) -> None:
        if not is_installed(kind.driver):
            self._wrong("type", f"needs the package {kind.driver}, which is not installed", f'pip install "st-auth[{kind.extra}]"')

    def _judge_keys(self, kind: Kind) -> None:
        known = {**kind.keys, **dict.fromkeys(kind.credentials, str)}
        for key, value in self._section.items():
            if key in _OURS:
                continue
            if key not in known:
                self._wrong(key, f"is no key of a {kind.name} connection", _near(key, (*known, *_OURS)))
            elif not isinstance(value, Mapping if known[key] is dict else known[key]) or (known[key] is int and isinstance(value, bool)):
                self._wrong(key, f"must be {_TYPES[known[key]]}", f"write {_TYPES[known[key]]}")
        for key in kind.needs:
            if not self._section.get(key):
                self._wrong(key, "is missing", f"every {kind.name} connection needs it; see docs/connections.md")
        protocol, host = self._section.get("protocol", "https"), str(self._section.get("host", ""))
        if protocol != "https" and not is_loopback(host):
            self._wrong("protocol", "would send the token in plain text", 'use "https"; plain http only works to this machine')
        for fault in kind.judge(self._section):
            self._wrong(*fault)

    def _own_login(self, kind: Kind) -> bool:
        """Whether each person logs in with a name and password of their own, which nothing else may stand beside."""
        if "login" not in self._section:
            return False
        if not kind.own_login:
            self._wrong("login", f"means nothing to a {kind.name} connection", "leave it out")
        elif self._section["login"] != "own":
            self._wrong("login", "says nothing that is known", 'write "own": each person logs in with their own name and password')
        for key in ("token_from", *kind.credentials):
            if key in self._section:
                self._wrong(key, "stands beside login", "decide who logs in: each person with a password of their own (login), or not")
        return True

    def _token_from(self, kind: Kind, providers: tuple[str, ...]) -> str | None:
        own = [key for key in kind.credentials if key in self._section]
        name = self._section.get("token_from")
        if name is None:
            if "login" not in self._section and (kind.needs_token or (kind.credentials and not own)):
                mend = 'write token_from = "PROVIDER", so that each person opens it with their own login'
                self._wrong("token_from", "is missing, and there is no other way to log in", mend)
            return None
        if not isinstance(name, str) or name not in providers:
            self._wrong("token_from", "names no provider of [auth]", f"name one of: {', '.join(providers)}")
            return None
        if not kind.credentials and not kind.needs_token:
            self._wrong("token_from", f"means nothing to a {kind.name} connection", "leave it out")
        for key in own if "login" not in self._section else ():
            self._wrong(key, "stands beside token_from", "decide whose login opens it: the person's (token_from) or the app's")
        return name

    def _rules(self, kind: Kind, *, is_persons: bool) -> Rules:
        if not kind.has_rules and "rules" in self._section:
            self._wrong("rules", f"means nothing to a {kind.name} connection", "leave it out")
            return "engine"
        rules = self._section.get("rules", "engine" if is_persons else "file")
        if rules not in ("engine", "file"):
            self._wrong("rules", 'is neither "engine" nor "file"', 'write "file" (the rule file decides) or "engine" (the database does)')
        return "engine" if rules == "engine" else "file"

    def _text(self, key: str) -> str:
        value = self._section.get(key, "")
        if not isinstance(value, str):
            self._wrong(key, "must be text in quotes", "write text in quotes")
            return ""
        if value and "token_from" not in self._section:
            self._wrong(key, "needs token_from", "say whose token it is for, or leave it out")
        return value

    def _flag(self, key: str, *, needs: str = "") -> bool:
        value = self._section.get(key, False)
        if not isinstance(value, bool):
            self._wrong(key, "must be true or false", "write true or false")
        if value and needs and not self._section.get(needs):
            self._wrong(key, f"needs {needs}", f"write {needs} too, or leave both out")
        return bool(value)

    def _wrong(self, key: str, what: str, mend: str) -> None:
        self._reader.wrong(f"connections.{self._name}{'.' if key else ''}{key}", what, mend)


def _near(word: str, known: Iterable[str], prefix: str = "") -> str:
    words = sorted(known)
    near = difflib.get_close_matches(word, words, n=1)
    return f"did you mean {prefix + near[0]!r}?" if near else f"known: {', '.join(prefix + one for one in words)}"
