"""The address of a MongoDB as a section of secrets.toml may say it: which one is plain, and what in it would weaken or lead elsewhere."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from st_auth.oauth.urls import is_loopback

__all__ = ["faults_of", "is_plain"]

_URL: Final = re.compile(
    r"mongodb(?P<srv>\+srv)?://(?P<hosts>[^/?#]*)(?P<path>/[^?#]*)?(?:\?(?P<query>[^#]*))?(?P<fragment>#.*)?", re.DOTALL
)
_HOST: Final = re.compile(r"(?P<name>[A-Za-z0-9_](?:[A-Za-z0-9_.-]*)|\[[0-9A-Fa-f:.]+\])(?P<port>:\d{1,5})?")
_READING: Final = frozenset(
    {"localthresholdms", "maxstalenessseconds", "readconcernlevel", "readpreference", "readpreferencetags", "retryreads"}
)
_WRITING: Final = frozenset({"journal", "retrywrites", "w", "wtimeoutms"})
_REACHING: Final = frozenset({"appname", "compressors", "srvmaxhosts", "ssl", "tls", "tlscafile", "zlibcompressionlevel"})
_MANY: Final = frozenset({"directconnection", "loadbalanced", "replicaset"})
_TAKEN: Final = _READING | _WRITING | _REACHING | _MANY
_SWITCHES: Final = ("tls", "ssl")

Fault = tuple[str, str, str]  # the key, what is wrong with it, how to mend it


def is_plain(url: str) -> bool:
    """Whether it is spoken without TLS: to one host, which is this machine, and only where the address does not ask for TLS."""
    parts = _URL.fullmatch(url)
    if parts is None or parts["srv"]:
        return False
    host = _HOST.fullmatch(parts["hosts"])
    return host is not None and is_loopback(host["name"]) and not _says(parts["query"], "true")


def faults_of(section: Mapping[str, Any]) -> Iterator[Fault]:
    """Find what is wrong with a section's address and with who logs in there."""
    url = section.get("url")
    if isinstance(url, str) and url:
        yield from _faults_of_url(url, by_password="token_from" not in section)
    yield from _faults_of_login(section)
    timeout = section.get("timeout", 1)
    if isinstance(timeout, int) and timeout <= 0:
        yield "timeout", "must be above zero", "write seconds, such as 30"


def _faults_of_url(url: str, *, by_password: bool) -> Iterator[Fault]:
    parts = _URL.fullmatch(url)
    if "@" in url:
        yield "url", "has a user or a password in it", "write user and password beside it for the app's own, or token_from for the person's"
    elif "{" in url or "}" in url:
        yield "url", "lets a claim decide where to go or how", "a {claim} may stand in database"
    elif parts is None or parts["fragment"] or not _are_hosts(parts["hosts"], one=bool(parts["srv"])):
        yield "url", "is no address of a MongoDB", 'write one such as "mongodb+srv://cluster.acme.com/" or "mongodb://db.acme.com:27017/"'
    elif parts["path"] not in (None, "/"):
        yield "url", "has more than a host before the “?”", 'write the name of the database in database = "…"'
    else:
        yield from _faults_of_options(parts["query"] or "", plain=is_plain(url), local=_is_local(parts["hosts"]), by_password=by_password)


def _are_hosts(hosts: str, *, one: bool) -> bool:
    found = [_HOST.fullmatch(host) for host in hosts.split(",")]
    return all(found) and (not one or (len(found) == 1 and found[0] is not None and not found[0]["port"]))


def _is_local(hosts: str) -> bool:
    found = _HOST.fullmatch(hosts)
    return found is not None and is_loopback(found["name"])


def _faults_of_options(query: str, *, plain: bool, local: bool, by_password: bool) -> Iterator[Fault]:
    options = [part.partition("=")[::2] for part in query.split("&")] if query else []
    known = _TAKEN | {"authsource"} if by_password else _TAKEN
    for name, value in options:
        if name.lower() not in known or not value or ";" in value or "=" in value:
            what = f"has an option that is not taken here ({name.partition('%')[0][:40]!r})"
            yield "url", what, "leave it out: who logs in, TLS and the limits of time follow from the section; see docs/connections.md"
        elif name.lower() in _SWITCHES and not (value == "true" or (local and value == "false")):
            yield "url", "would send what it logs in with in plain text", f"leave {name} out: TLS is always on, but to this machine"
        elif name.lower() in _MANY and plain and value != "false":
            yield "url", "could lead to other machines in plain text", f"leave {name} out, or add tls=true"
    names = [name.lower() for name, _ in options if name.lower() != "readpreferencetags"]
    if len(names) > len(set(names)) or set(_SWITCHES) <= set(names):
        yield "url", "says an option twice", "leave one of them out"


def _says(query: str | None, value: str) -> bool:
    return any(part.lower() in (f"{switch}={value}" for switch in _SWITCHES) for part in (query or "").split("&"))


def _faults_of_login(section: Mapping[str, Any]) -> Iterator[Fault]:
    if "token_from" in section or "login" in section:
        if "user" in section:
            yield (
                "user",
                f"stands beside {'token_from' if 'token_from' in section else 'login'}",
                "decide whose login opens it: the person's or the app's",
            )
    elif "password" in section:
        for key in ("user", "password"):
            if not section.get(key):
                yield key, "is missing", "the app's own login has a user and a password"
    elif "user" in section:
        yield "user", "is nothing without a password", "write password = \"…\" for the app's own, or token_from for the person's"
    if str(section.get("database", "")).startswith("$"):
        yield "database", "is no name of a database", "write its plain name"
