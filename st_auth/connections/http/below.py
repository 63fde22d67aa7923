"""Where a request of an HTTP connection may go: below the configured address, however the path is read on the way there."""

import httpx2

from st_auth.connections.plain import is_plain

__all__ = ["below", "is_below"]


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
        is_clear = is_plain(text.partition("#")[0].partition("?")[0])
        found = base.copy_with(raw_path=base.raw_path + _rest(base, given, text))
    except (httpx2.InvalidURL, _Elsewhere, UnicodeError):
        found, is_clear = None, False
    if found is None or not is_clear or not is_below(base, found):
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
