"""Where a person's files are: a bucket and the beginning of each key, and which key a path of theirs means. Nothing leads out of there."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import unquote

from st_auth.connections.plain import is_plain
from st_auth.errors import PermissionDenied

__all__ = ["Root", "plain_path", "root_of"]

_URL: Final = re.compile(r"(?P<scheme>s3|gs)://(?P<bucket>[^/]+)(?:/(?P<prefix>.*))?")
_MEANS_MORE: Final = re.compile(r"[?#*\[\]{}]")  # a version to some client, a pattern to another


@dataclass(frozen=True, slots=True)
class Root:
    """A bucket and what each key in it begins with: `""`, or a text with "/" at its end."""

    scheme: str
    bucket: str
    prefix: str

    def key(self, path: str, *, top: bool = False) -> str:
        """Return the key of a path; `top` says whether the path may be `""`, which means all of it.

        Raises ValueError for what is not one plain path below, and TypeError for what is no text.
        """
        return f"{self.prefix}{plain_path(path, top=top)}"

    def path(self, key: str) -> str | None:
        """Return the path of a key; None where it is not below, or there is no path that means it."""
        path = key.removeprefix(self.prefix)
        try:
            return path if key.startswith(self.prefix) and self.key(path) == key else None
        except ValueError:
            return None


def plain_path(path: Any, *, top: bool = False) -> str:
    """Return a path that says one thing only, and nothing of where it begins. Raises like `Root.key`."""
    if not isinstance(path, str):
        raise TypeError('A path is a text, such as "orders/2026.csv".')
    text = str.__str__(path)
    if (top and not text) or (all(text.split("/")) and is_plain(text) and not {"?", "#"} & set(text)):
        return text
    raise ValueError(
        'A path is what stands below the url of the section, such as "orders/2026.csv": without a protocol, a "/" at its beginning, '
        '"..", "\\", "?", "#", or two "/" in a row.'
    )


def root_of(name: str, options: Mapping[str, Any]) -> Root:
    """Return the root that a section's `url` means, its claims filled in (percent-encoded, as `filled` does it).

    Raises PermissionDenied (`claim_unusable`) where what the person's login says could be read in two ways.
    """
    found = _URL.fullmatch(str(options["url"]))
    segments = [unquote(segment) for segment in (found["prefix"] or "").removesuffix("/").split("/")] if found else [".."]
    is_whole = segments == [""] or all(segments)
    if found is None or not is_whole or not is_plain("/".join(segments)) or any("/" in s or _MEANS_MORE.search(s) for s in segments):
        message = f"The connection “{name}” cannot be opened: what your login says cannot stand in the url of the section."
        raise PermissionDenied(message, code="claim_unusable", hint="Ask who looks after the logins to choose another claim for `url`.")
    prefix = "/".join(segments)
    return Root(found["scheme"], found["bucket"], f"{prefix}/" if prefix else "")
