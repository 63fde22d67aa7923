"""[connections.*] of secrets.toml: which of them are ours, whose credentials open them, and what each kind may be told."""

import difflib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from types import MappingProxyType
from typing import Any, Final, Literal
from urllib.parse import parse_qs, urlsplit

from st_auth.config_reader import Reader
from st_auth.mongo_url import faults_of as _judge_mongodb
from st_auth.oauth.urls import is_loopback, is_secure

__all__ = ["KINDS", "ConnectionConfig", "Kind", "connections_of"]

Rules = Literal["engine", "file"]

_PREFIX: Final = "st_auth."
_OURS: Final = ("type", "token_from", "login", "resource", "exchange", "rules", "default")
_CREDENTIALS: Final = ("password", "private_key_file", "private_key_file_pwd", "token")
_TYPES: Final = {str: "text in quotes", int: "a whole number", bool: "true or false", dict: "a table"}
_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
_BASE_PATH: Final = re.compile(r"(?:/(?!\.+(?:[/;]|$))[A-Za-z0-9._~!$&'()*+,;=:@-]+)*/?")
_HEADER: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_NOT_HEADERS: Final = frozenset(
    ("authorization", "proxy-authorization", "cookie", "host", "content-length", "transfer-encoding", "connection", "upgrade")
)
_POSTGRES: Final = "postgresql+psycopg"
_PLAIN_TEXT: Final = frozenset({"disable", "allow", "prefer"})
_ELSEWHERE: Final = frozenset({"host", "hostaddr", "service"})  # what a query may say in place of the address
_SQL_URL: Final = re.compile(  # as SQLAlchemy reads it
    r"(?P<scheme>[\w+]+)://(?:(?P<user>[^:/]*)(?::(?P<password>[^@]*))?@)?(?P<host>[^/?]*)(?:/[^?]*)?(?:\?(?P<query>.*))?", re.DOTALL
)
_LOGINS: Final = frozenset({"user", "passfile", "odbc_connect"})  # what a query may say in place of the login
_FILES: Final = ("sqlite", "duckdb")
_IDENTITIES: Final = frozenset({"role", "session_authorization"})

Fault = tuple[str, str, str]  # the key, what is wrong with it, how to mend it


@dataclass(frozen=True, slots=True)
class Kind:
    """What one kind of connection may be told: its keys with their types, those it needs, and those that hold an app's own credentials.

    `driver` is the module that it imports, `extra` what pip installs it with. `judge` finds what else is wrong with a section. With
    `needs_token` only a person's own token opens it; with `own_login` each person may log in to it with their own name and password, at the
    address that its key `url` holds; `has_rules` says whether `rules` means anything to it.
    """

    name: str
    keys: Mapping[str, type]
    needs: tuple[str, ...]
    driver: str
    extra: str
    credentials: tuple[str, ...] = ()
    needs_token: bool = False
    own_login: bool = False
    has_rules: bool = True
    judge: Callable[[Mapping[str, Any]], Iterable[Fault]] = lambda _: ()


@dataclass(frozen=True, slots=True)
class ConnectionConfig:
    """One connection as the app's author configured it.

    `token_from` names the provider whose token of the person opens it; None where the app's own login does, or nobody's. With
    `own_login` the person's own name and password do, which they are asked for once in each login of theirs. `rules` says who decides
    about rows: the engine behind the connection, or the app's rule file. Texts in `options` may hold `{claim}`.
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

    @property
    def server(self) -> str:
        """Which server its `url` leads to, for people to read; `""` where that is nothing to show."""
        return str(self.options.get("url", "")).partition("://")[2].partition("/")[0].partition("?")[0].rpartition("@")[2]


def _judge_http(section: Mapping[str, Any]) -> Iterator[Fault]:
    url, timeout, headers = section.get("url"), section.get("timeout", 1), section.get("headers", {})
    if isinstance(url, str) and url and not _is_base(url):
        what = "must be an https address (http to this machine alone) without user, query, fragment, { or %"
        yield "url", what, 'write one such as "https://api.acme.com/v1/"'
    if isinstance(timeout, int) and timeout <= 0:
        yield "timeout", "must be above zero", "write seconds, such as 30"
    for name, value in headers.items() if isinstance(headers, Mapping) else ():
        if not _HEADER.fullmatch(name) or name.lower() in _NOT_HEADERS:
            yield f"headers.{name}", "is no header to be set here", "leave it out; the token and the host are set for each request"
        elif not isinstance(value, str) or not value.isprintable() or value != value.strip():
            yield f"headers.{name}", "must be text in quotes, on one line", "write text in quotes"


def _is_base(url: str) -> bool:
    """Whether requests can be sent below `url`: it is what it seems, and nothing in its path can be read in two ways."""
    return is_secure(url) and not set("?{}%") & set(url) and bool(_BASE_PATH.fullmatch(urlsplit(url).path))


def _judge_sql(section: Mapping[str, Any]) -> Iterator[Fault]:
    parts = _SQL_URL.fullmatch(str(section.get("url", "")))
    if parts is None:
        yield "url", "is no address as SQLAlchemy has them", 'write one such as "postgresql+psycopg://app@db.acme.com/sales"'
        return
    scheme, host, query = parts["scheme"], parts["host"], parse_qs(parts["query"] or "", keep_blank_values=True)
    if parts["password"] is not None or "password" in query:
        yield "url", "has a password in it", "write password = \"…\" for the app's own, or token_from for the person's"
    if "{" in f"{host}{parts['query']}":
        what = "lets a claim decide where to go or how"
        yield "url", what, "a {claim} may stand in the names of the user and of the database"
    is_here = is_loopback(re.sub(r":\d*$", "", host).strip("[]")) and not _ELSEWHERE & query.keys()
    in_plain_text = _PLAIN_TEXT & {*query.get("sslmode", ())} and not is_here
    if section.get("token_from") and in_plain_text:
        yield "url", "would send the token in plain text", "leave sslmode out: the server must then show a certificate"
    if "login" in section:
        yield from _judge_own_login(scheme, has_user=parts["user"] is not None or bool(_LOGINS & query.keys()))
        if in_plain_text:
            yield "url", "would send the password in plain text", "leave sslmode out: the server must then show a certificate"
    yield from _judge_identity(scheme, section)


def _judge_own_login(scheme: str, *, has_user: bool) -> Iterator[Fault]:
    if has_user:
        yield "url", "has a user in it beside login", "leave it out: each person says who they are there"
    if scheme.startswith(_FILES):
        yield "login", "means nothing to a file, which asks nobody for a password", "leave it out"


def _judge_identity(scheme: str, section: Mapping[str, Any]) -> Iterator[Fault]:
    if scheme != _POSTGRES and (used := [key for key in ("set", "as_role") if section.get(key)]):
        yield used[0], "means something to PostgreSQL alone", f'begin the url with "{_POSTGRES}://", or leave it out'
    settings = section.get("set", {})
    for name, value in settings.items() if isinstance(settings, Mapping) else ():
        if not isinstance(value, str):
            yield f"set.{name}", "must be text in quotes", "write text in quotes"
        if name.lower() in _IDENTITIES:
            yield f"set.{name}", "would change who acts", "write as_role = …"


KINDS: Final[Mapping[str, Kind]] = {
    "SnowflakeConnection": Kind(
        "snowflake",
        {
            "account": str,
            "host": str,
            "port": int,
            "protocol": str,
            "user": str,
            "role": str,
            "warehouse": str,
            "database": str,
            "schema": str,
            "session_parameters": dict,
            "login_timeout": int,
            "query_timeout": int,
        },
        ("account",),
        "snowflake.connector",
        "snowflake",
        _CREDENTIALS,
    ),
    "DuckDBConnection": Kind("duckdb", {"path": str, "read_only": bool}, ("path",), "duckdb", "duckdb"),
    "HTTPConnection": Kind(
        "http",
        {"url": str, "timeout": int, "headers": dict},
        ("url",),
        "httpx2",
        "",
        needs_token=True,
        has_rules=False,
        judge=_judge_http,
    ),
    "MongoDBConnection": Kind(
        "mongodb",
        {"url": str, "database": str, "user": str, "timeout": int},
        ("url", "database"),
        "pymongo",
        "mongo",
        credentials=("password",),
        own_login=True,
        judge=_judge_mongodb,
    ),
    "SQLConnection": Kind(
        "sql",
        {"url": str, "set": dict, "as_role": str},
        ("url",),
        "sqlalchemy",
        "sql",
        credentials=("password",),
        own_login=True,
        judge=_judge_sql,
    ),
}


def connections_of(secrets: Mapping[str, Any], providers: Iterable[str], reader: Reader) -> dict[str, ConnectionConfig]:
    """Return the connections whose `type` is ours; what is wrong with them goes to the reader. Other people's types are left alone."""
    sections = secrets.get("connections", {})
    if not isinstance(sections, Mapping):
        return {}
    found = {}
    for name, section in sections.items():
        kind = section.get("type") if isinstance(section, Mapping) else None
        if isinstance(kind, str) and kind.startswith(_PREFIX):
            reading = _Section(name, section, reader)
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
        return ConnectionConfig(
            name=self._name,
            kind=kind.name,
            options=MappingProxyType({key: value for key, value in self._section.items() if key not in _OURS}),
            token_from=token_from,
            resource=self._text("resource"),
            exchange=self._flag("exchange", needs="resource"),
            rules=self._rules(kind, is_persons=own_login or token_from is not None),
            is_default=self._flag("default"),
            own_login=own_login,
        )

    def _judge_name(self) -> None:
        if not _NAME.fullmatch(self._name):
            self._wrong("", "has a name with other than letters, digits, - and _", "give it a plain name")
        if self._name == "snowflake":
            text = "connections.snowflake: st.connection(“snowflake”) always means Streamlit's own; rename this section."
            self._reader.warnings.append(text)

    def _judge_driver(self, kind: Kind) -> None:
        if not _is_installed(kind.driver):
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


def _is_installed(module: str) -> bool:
    """Whether a module could be imported; looks for it without importing it."""
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # of the package that it would be in
        return False


def _near(word: str, known: Iterable[str], prefix: str = "") -> str:
    words = sorted(known)
    near = difflib.get_close_matches(word, words, n=1)
    return f"did you mean {prefix + near[0]!r}?" if near else f"known: {', '.join(prefix + one for one in words)}"
