"""The ASGI vocabulary, and one request as our own pages need it."""

from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any, NamedTuple
from urllib.parse import parse_qs, quote

import anyio

__all__ = ["SLOWEST_FORM", "App", "Message", "Receive", "Request", "Scope", "Send", "once", "read_form"]

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

_LARGEST_FORM = 16_384
_MOST_FIELDS = 50
SLOWEST_FORM = 10.0


class Request(NamedTuple):  # made for every request, and a frozen dataclass takes twice as long to make
    """One HTTP request to a page of ours.

    `path` is local (without base path); `cookies` are ours only; `headers` has one value a name.
    """

    method: str
    path: str
    full_path: str
    query: str
    headers: Mapping[bytes, bytes]
    cookies: Mapping[str, str]
    peer: str

    @property
    def address(self) -> str:
        """Path and query as the browser's address bar has them."""
        path = quote(self.full_path, safe="/!$&'()*+,:;=@~")
        query = quote(self.query, safe="%!$&'()*+,:;=@~/?[]", encoding="latin-1")
        return f"{path}?{query}" if query else path

    def param(self, name: str) -> str:
        """A query parameter; `""` if it is absent or comes twice."""
        return once(self.query, name)

    def header(self, name: bytes) -> str:
        """A header as text, `""` if absent."""
        return self.headers.get(name, b"").decode("latin-1")

    @property
    def is_top_level_visit(self) -> bool:
        """Whether a person's browser opens this as a page of its own (Fetch Metadata: `Sec-Fetch-Dest: document`)."""
        return self.method == "GET" and self.headers.get(b"sec-fetch-dest") == b"document"

    @property
    def is_of_person(self) -> bool:
        """Whether a person asked for this page: they typed or followed it, and no other site's script opened it unasked."""
        return self.is_top_level_visit and (
            self.headers.get(b"sec-fetch-site") != b"cross-site" or self.headers.get(b"sec-fetch-user") == b"?1"
        )

    @property
    def wants_document(self) -> bool:
        """Whether the answer is for a person to read: a navigation, or a plain client that asks for HTML."""
        dest = self.headers.get(b"sec-fetch-dest")
        if dest is not None:
            return dest in (b"document", b"iframe", b"frame")
        return self.method in ("GET", "HEAD") and b"text/html" in self.headers.get(b"accept", b"")


def once(query: str, name: str) -> str:
    """A parameter of a query; `""` if it is absent, comes twice, or is one of more than anybody of ours sends."""
    return _fields(query).get(name, "") if query else ""


async def read_form(receive: Receive, largest: int = _LARGEST_FORM, patience: float = SLOWEST_FORM) -> dict[str, str]:
    """The fields of a small form post; empty if it has more than `largest` bytes (16 KiB) or takes more than `patience` seconds."""
    body = bytearray()
    with anyio.move_on_after(patience):
        while True:
            message = await receive()
            if message["type"] != "http.request":
                return {}
            body += message.get("body", b"")
            if len(body) > largest:
                return {}
            if not message.get("more_body"):
                return _fields(body.decode("latin-1"))
    return {}


def _fields(text: str) -> dict[str, str]:
    try:
        fields = parse_qs(text, max_num_fields=_MOST_FIELDS)
    except ValueError:
        return {}
    return {name: values[0] for name, values in fields.items() if len(values) == 1}
