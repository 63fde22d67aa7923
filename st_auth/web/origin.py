"""Where a request may come from, and where it may be sent: Origin, Host, client address and return path."""

import ipaddress
import re
from collections.abc import Iterable, Sequence
from typing import Final, Literal
from urllib.parse import quote, unquote, urlsplit

from st_auth.config import Config, is_loopback

__all__ = ["client_address", "host_answer", "is_own_origin", "is_proxy", "is_trusted", "origin_of", "path_of", "return_path"]

_LONGEST_PATH: Final = 2000
_HOST = re.compile(r"(?:[A-Za-z0-9_.\-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?")
_PLAIN_PATH = re.compile(r"/[!#$%&'()*+,\-./0-9:;=?@A-Z\[\]_a-z~]*")

_PATH_SAFE: Final = "/%!$&'()*+,:;=@[]~\\\""
_QUERY_SAFE: Final = "/%!$&'()*+,:;=@[]~?"
HostAnswer = Literal["ok", "alias", "wrong"]


def is_own_origin(headers: dict[bytes, bytes], origin: str) -> bool:
    """Whether the browser says that exactly our own pages made this request (RFC 6454 section 7, Fetch Metadata).

    The Origin must be there and equal; `Sec-Fetch-Site`, where sent, must agree.
    """
    sent = headers.get(b"origin")
    site = headers.get(b"sec-fetch-site", b"same-origin")
    return sent is not None and sent.decode("latin-1") == origin and site == b"same-origin"


def host_answer(host: bytes | None, config: Config) -> HostAnswer:
    """What to do about the Host header: `"ok"`, `"alias"` (another name of this machine, to be redirected), or `"wrong"`."""
    text = (host or b"").decode("latin-1")
    if text == config.origin.partition("://")[2]:
        return "ok"  # nearly every request; what follows costs ten times as much
    own = urlsplit(config.origin)
    if not _HOST.fullmatch(text):
        return "wrong"
    try:
        sent = urlsplit(f"{own.scheme}://{text}")
        name, port = sent.hostname or "", sent.port
    except ValueError:
        return "wrong"
    scheme_port = {"http": 80, "https": 443}[own.scheme]
    same_port = (scheme_port if port is None else port) == (own.port or scheme_port)
    if name.rstrip(".") == own.hostname and same_port:
        return "ok"
    return "alias" if config.is_loopback and is_loopback(name) and same_port else "wrong"


def return_path(text: str | None, base_path: str) -> str:
    """A path of this app that a browser may be sent to, or the app's start (RFC 9700 section 4.11.1).

    Only an absolute path with an optional query passes, in printable ASCII; whatever a browser might read as another origin,
    leave the base path, or be one of our own pages, does not. A fragment is dropped.
    """
    start = f"{base_path}/"
    if not text or len(text) > _LONGEST_PATH:
        return start
    if any(character <= " " or character == "\x7f" for character in text):
        return start
    text = _quoted(text.partition("#")[0])
    if len(text) > _LONGEST_PATH or not _PLAIN_PATH.fullmatch(text) or text.startswith("//"):
        return start
    sent = text.partition("?")[0]
    path = _fully_unquoted(sent)
    if "\\" in path or "//" in path or any(part in (".", "..") for part in path.split("/")) or not path.isprintable():
        return start
    if (
        not (sent == base_path or sent.startswith(start))
        or not f"{path}/".startswith(start)
        or path.startswith((f"{base_path}/auth/", f"{base_path}/_stcore/", f"{base_path}/media/"))
    ):
        return start
    return text


def _quoted(text: str) -> str:
    """The same address in plain ASCII, as a Location header wants it: names of pages and queries may hold other letters."""
    path, mark, query = text.partition("?")
    return f"{quote(path, safe=_PATH_SAFE, errors='replace')}{mark}{quote(query, safe=_QUERY_SAFE, errors='replace')}"


def _fully_unquoted(path: str) -> str:
    for _ in range(3):
        plain = unquote(path)
        if plain == path:
            return plain
        path = plain
    return "//"  # quoted more often than anybody needs: refused above


def path_of(url: str) -> str:
    """The path and query of a tab's address, without judging it."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    return f"{parts.path}?{parts.query}" if parts.query else parts.path


def origin_of(url: str) -> str:
    """The origin of an address, as it stands there."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def client_address(peer: str, headers: dict[bytes, bytes], proxies: Sequence[ipaddress.IPv4Network | ipaddress.IPv6Network]) -> str:
    """The address that a request came from: the right-most one that no trusted proxy of ours has (RFC 7239 section 5.2)."""
    hops = _hops(headers.get(b"x-forwarded-for", b""))
    address = peer
    while hops and is_trusted(address, proxies) and peer not in hops:
        address = hops.pop()
    return address[:64]


def is_proxy(peer: str, headers: Iterable[tuple[bytes, bytes]], proxies: Sequence[ipaddress.IPv4Network | ipaddress.IPv6Network]) -> bool:
    """Whether a request comes from one of the configured proxies itself.

    A server may already have replaced the peer by an address of X-Forwarded-For (uvicorn does where the peer is 127.0.0.1): one
    that stands there is a client's word.
    """
    return is_trusted(peer, proxies) and not any(name == b"x-forwarded-for" and peer in _hops(value) for name, value in headers)


def _hops(forwarded_for: bytes) -> list[str]:
    """The addresses of an X-Forwarded-For header, without their ports."""
    return [_without_port(hop.strip()) for hop in forwarded_for.decode("latin-1").split(",") if hop.strip()]


def _without_port(hop: str) -> str:
    if hop.startswith("["):
        return hop[1:].partition("]")[0]
    return hop.partition(":")[0] if hop.count(":") == 1 else hop


def is_trusted(address: str, proxies: Sequence[ipaddress.IPv4Network | ipaddress.IPv6Network]) -> bool:
    """Whether an address is one of the configured proxies."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    parsed = getattr(parsed, "ipv4_mapped", None) or parsed
    return any(parsed in network for network in proxies)
