"""What the files connection asks of an object store, whichever it is: a handful of coroutines about keys."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Protocol

__all__ = ["PART", "Changed", "Entry", "Refused", "Store", "Upload"]

PART: Final = 8 * 1024 * 1024
"""How much is sent in one piece: above what S3 takes as the least (5 MiB), and what Google wants a multiple of (256 KiB)."""


@dataclass(frozen=True, slots=True)
class Entry:
    """An object. `version` is what a read may ask for, so that all of it is of one writing."""

    key: str
    size: int
    modified: datetime | None = None
    version: str = ""


@dataclass(eq=False, slots=True)
class Upload:
    """An object on its way in pieces. Nobody sees it before it is finished."""

    key: str
    is_new: bool
    place: str = field(repr=False)
    parts: list[Any] = field(default_factory=list)
    sent: int = 0


class Changed(Exception):
    """Somebody has written the object anew, or at all, since we looked."""


class Refused(Exception):
    """The server does not take what says who this is, nor what was got in its place."""


class Store(Protocol):
    """One bucket as one person. All but `raw` is for the event loop of the drivers."""

    @property
    def raw(self) -> Any:
        """The driver's file system."""
        ...

    async def entries(self, prefix: str, *, deep: bool, most: int | None = None) -> tuple[list[Entry], list[str]]:
        """Return the objects whose keys begin with `prefix`, and what else lies there; unless `deep`, those up to the next "/" alone."""
        ...

    async def entry(self, key: str) -> Entry:
        """Return one object. Raises FileNotFoundError."""
        ...

    async def read(self, key: str, start: int | None, end: int | None, version: str) -> bytes:
        """Return bytes of one version. Raises Changed."""
        ...

    async def write(self, key: str, content: bytes, *, is_new: bool) -> None:
        """Put an object there in one piece. Raises Changed if it is to be new and is not."""
        ...

    async def delete(self, key: str) -> None:
        """Delete one object."""
        ...

    async def copy(self, key: str, to: str) -> None:
        """Copy one object."""
        ...

    async def begin(self, key: str, *, is_new: bool) -> Upload:
        """Begin to send an object in pieces."""
        ...

    async def send(self, upload: Upload, content: bytes) -> None:
        """Send the next piece, of `PART` bytes."""
        ...

    async def finish(self, upload: Upload, content: bytes) -> None:
        """Send the last piece, which may be smaller or empty, and let the object be there. Raises Changed."""
        ...

    async def abort(self, upload: Upload) -> None:
        """Drop what was sent."""
        ...

    async def close(self) -> None:
        """Close the connections that are kept open."""
        ...
