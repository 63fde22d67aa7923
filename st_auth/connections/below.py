"""Where a request of an HTTP connection may go: below the configured address, however the path is read on the way there."""

import unicodedata
from typing import Final
from urllib.parse import unquote

import httpx2

__all__ = ["below", "is_below"]

_ROUNDS: Final = 8


def below(base: httpx2.URL, asked: str | httpx2.URL) -> httpx2.URL:
    """Return the address of `asked`, a path below `base` (which ends with "/") or an absolute URL that stands there.

    As with `httpx2.Client(base_url=…)`, "orders" and "/orders" are the same. Refused are other schemes, hosts and ports, a user, `..`
    and what some server on the way could take for it: percent-encoded, encoded twice, with a backslash or a parameter, or in other
    characters that mean the same. Raises ValueError, and TypeError for what is no text.
    """
    if not isinstance(asked, str | httpx2.URL):
        raise TypeError("url is a text or a httpx2.URL.")
    text = str(asked)
    try:
        given = httpx2.URL(text)
        _require_plain(text)
        found = base.copy_with(raw_path=base.raw_path + _rest(base, given, text))
    except (httpx2.InvalidURL, _Elsewhere, UnicodeError):
        found = None
    if found is None or not is_below(base, found):
        raise ValueError(f'This connection asks only what is below {base}: give a path such as "orders/1", without "..".')
    return found


def is_below(base: httpx2.URL, url: httpx2.URL) -> bool:
    """Whether `url` has the scheme, host and port of `base`, no user, and a path that begins with that of `base`."""
    same = (url.scheme, url.raw_host, url.port) == (base.scheme, base.raw_host, base.port)
    return same and not url.userinfo and url.raw_path.startswith(base.raw_path)


class _Elsewhere(Exception):
    """It leads away, or could."""


def _rest(base: httpx2.URL, given: httpx2.URL, text: str) -> bytes:
    """What follows the path of `base`, with its query."""
    if text.startswith("//") or given.userinfo:
        raise _Elsewhere
    if not given.scheme and not given.host:
        return given.raw_path.removeprefix(b"/")
    if not is_below(base, given):
        raise _Elsewhere
    return given.raw_path.removeprefix(base.raw_path)


def _require_plain(text: str) -> None:
    """Raise unless the path says one thing to whoever reads it: decoded once or more often, with `\\` for `/`, or without parameters."""
    path = text.partition("#")[0].partition("?")[0]
    plain = unicodedata.normalize("NFKC", _decoded(path))
    if "\\" in path or not all(letter.isprintable() for letter in plain):
        raise _Elsewhere
    for segment in plain.replace("\\", "/").split("/"):
        name = segment.partition(";")[0].strip()
        if name and not name.strip("."):
            raise _Elsewhere


def _decoded(path: str) -> str:
    for _ in range(_ROUNDS):
        plain = unquote(path, errors="strict")
        if plain == path:
            return plain
        path = plain
    raise _Elsewhere
