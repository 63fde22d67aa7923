"""Which addresses we talk to: https, or plain http on this very machine."""

import re
from collections.abc import Sequence
from ipaddress import ip_address
from typing import TypeGuard
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

__all__ = ["DISCOVERY_SUFFIX", "discovery_url", "host_of", "is_absolute_uri", "is_loopback", "is_secure", "with_query"]

DISCOVERY_SUFFIX = "/.well-known/openid-configuration"


def discovery_url(issuer: str) -> str:
    """Return where an issuer publishes its metadata: one "/" at its end is taken away (OpenID Connect Discovery 1.0 section 4.1)."""
    return issuer.removesuffix("/") + DISCOVERY_SUFFIX


def is_secure(url: object) -> TypeGuard[str]:
    """Say whether `url` is an absolute https URL, or an http one of a loopback host; without user, fragment or spaces.

    OpenID Connect Discovery 1.0 section 3 wants https for issuer and endpoints; loopback is for development.
    """
    if not isinstance(url, str) or not url.isascii() or not url.isprintable() or " " in url or "\\" in url:
        return False
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return False
    if not host or "@" in parts.netloc or "#" in url:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and is_loopback(host))


def is_loopback(host: str) -> bool:
    """Say whether `host` is this machine: localhost, *.localhost (RFC 6761 section 6.3), 127.0.0.0/8, ::1.

    A server on both stacks sees IPv4 peers as `::ffff:127.0.0.1`, which is this machine too.
    """
    host = host.lower().rstrip(".")
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        address = ip_address(host.strip("[]"))
    except ValueError:
        return False
    return (getattr(address, "ipv4_mapped", None) or address).is_loopback


def host_of(url: str) -> str:
    """Return the host name of an address, `""` where there is none."""
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


_ABSOLUTE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[!$%&'()*+,\-./0-9:;=?@A-Z\[\]_a-z~]+")


def is_absolute_uri(text: str) -> bool:
    """Say whether `text` is an absolute URI without a fragment (RFC 3986 section 4.3), as RFC 8707 section 2 wants a resource."""
    return bool(_ABSOLUTE.fullmatch(text))


def with_query(url: str, parameters: Sequence[tuple[str, str]]) -> str:
    """Return `url` with `parameters` behind those that it has."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(query=urlencode([*parse_qsl(parts.query, keep_blank_values=True), *parameters])))
