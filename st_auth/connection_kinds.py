"""What each kind of connection may be told, and what is wrong with a section of its: one table of kinds, and a judge for each."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any, Final, Literal
from urllib.parse import parse_qs, urlsplit

from st_auth.mongo_url import faults_of as _judge_mongodb
from st_auth.oauth.urls import is_loopback, is_secure

__all__ = ["KINDS", "Fault", "Kind", "Token", "is_installed"]

Token = Literal["access", "id"]

_CREDENTIALS: Final = ("password", "private_key_file", "private_key_file_pwd", "token")
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
_FILE_SCHEMES: Final = ("sqlite", "duckdb")
_FILES: Final = re.compile(r"(?P<scheme>s3|gs)://(?P<bucket>[a-z0-9][a-z0-9._-]+)(?P<prefix>(?:/(?!\.+(?:/|$))[^/\\%?#*\[\]\s]+)*)/?")
_ACCESS: Final = "access"
_S3_ALONE: Final = ("role_arn", "region")
_GS_ALONE: Final = ("workload_identity", "service_account")
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
    token: Callable[[Mapping[str, Any]], Token] = lambda _: "access"


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
    if scheme.startswith(_FILE_SCHEMES):
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


def _judge_files(section: Mapping[str, Any]) -> Iterator[Fault]:
    found = _FILES.fullmatch(str(section.get("url", "")))
    if found is None:
        what = "must be a bucket and what its keys begin with; a {claim} may stand after the bucket"
        yield "url", what, 'write one such as "s3://acme-lake/{preferred_username}" or "gs://acme-lake/reports"'
        return
    is_s3 = found["scheme"] == "s3"
    if not is_installed(driver := "s3fs" if is_s3 else "gcsfs"):
        yield "url", f"needs the package {driver}, which is not installed", 'pip install "st-auth[files]"'
    if is_s3 and not str(section.get("role_arn", "")).startswith("arn:"):
        yield "role_arn", "must be the role that the person takes", 'write one such as "arn:aws:iam::123456789012:role/Analyst"'
    for key in _GS_ALONE if is_s3 else _S3_ALONE:
        if key in section:
            yield key, f"means nothing to {found['scheme']}://", "leave it out"
    for key in ("endpoint", "sts_endpoint"):
        url = section.get(key, "https://x.example")
        if not isinstance(url, str) or not is_secure(url) or set("?#{}%@") & set(url) or urlsplit(url).path not in ("", "/"):
            yield key, "must be an https address (http to this machine alone) without a path", 'write one such as "https://s3.acme.com"'
    if not is_s3 and "sts_endpoint" in section and "workload_identity" not in section:
        yield "sts_endpoint", "needs workload_identity", "write that too, or leave it out"
    if "service_account" in section and "workload_identity" not in section:
        yield "service_account", "needs workload_identity", "write that too, or leave it out"
    yield from _judge_files_token(section)


def _judge_files_token(section: Mapping[str, Any]) -> Iterator[Fault]:
    token = section.get("token", "id")
    if token not in ("id", "access"):
        yield "token", 'is neither "id" nor "access"', 'write "id" (the ID token, as IAM wants it) or "access"'
    if _files_token(section) == "id" and section.get("resource"):
        yield "resource", "means nothing to an ID token", 'leave it out, or write token = "access"'
    if section.get("token") == "id" and _files_token(section) == "access":
        yield "token", "must be the access token, which the storage asks for", "leave it out, or write workload_identity"


def _files_token(section: Mapping[str, Any]) -> Token:
    """IAM takes ID tokens; the storage of Google itself takes access tokens only."""
    token = section.get("token")
    is_for_iam = str(section.get("url", "")).startswith("s3:") or "workload_identity" in section
    return "id" if is_for_iam and token != _ACCESS else _ACCESS


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
    "FilesConnection": Kind(
        "files",
        dict.fromkeys(("url", "endpoint", "sts_endpoint", "token", *_S3_ALONE, *_GS_ALONE), str),
        ("url",),
        "fsspec",
        "files",
        needs_token=True,
        has_rules=False,
        judge=_judge_files,
        token=_files_token,
    ),
}


def is_installed(module: str) -> bool:
    """Whether a module could be imported; looks for it without importing it."""
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # of the package that it would be in
        return False
