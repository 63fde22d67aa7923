"""Whether a path says one thing only to everybody who reads it on its way: clients, proxies, gateways, servers."""

import unicodedata
from typing import Final
from urllib.parse import unquote

__all__ = ["is_plain"]

_ROUNDS: Final = 8


def is_plain(path: str) -> bool:
    """Whether nobody could take a segment for `.` or `..`: percent-encoded, encoded twice, after a backslash or before a parameter, or
    in other characters that mean the same. Nor has it a backslash or what cannot be printed.
    """
    try:
        decoded = _decoded(path)
    except UnicodeError:
        return False
    plain = None if decoded is None else unicodedata.normalize("NFKC", decoded)
    if plain is None or "\\" in path or not plain.isprintable():
        return False
    names = [segment.partition(";")[0].strip() for segment in plain.replace("\\", "/").split("/")]
    return all(not name or name.strip(".") for name in names)


def _decoded(path: str) -> str | None:
    """The path without percent-encoding; None where eight rounds do not bring that to an end."""
    for _ in range(_ROUNDS):
        plain = unquote(path, errors="strict")
        if plain == path:
            return plain
        path = plain
    return None
