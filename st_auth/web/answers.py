"""Answers that are not pages: redirects, short texts, and how any answer goes out."""

import json
from collections.abc import Mapping

from st_auth.web.asgi import Send
from st_auth.web.pages import Page

__all__ = ["as_json", "redirect", "refuse_socket", "respond", "short"]

_NO_STORE = (b"cache-control", b"no-store")
_QUIET = ((b"x-content-type-options", b"nosniff"), (b"referrer-policy", b"same-origin"), _NO_STORE)


def redirect(url: str, *headers: tuple[bytes, bytes], status: int = 303) -> Page:
    """Send the browser to another address."""
    return Page(status, b"", [(b"location", url.encode("latin-1")), *_QUIET, *headers])


def short(status: int, text: str, *headers: tuple[bytes, bytes]) -> Page:
    """A line of text, for what is no document."""
    return Page(status, text.encode(), [(b"content-type", b"text/plain; charset=utf-8"), *_QUIET, *headers])


def as_json(status: int, value: Mapping[str, object], *headers: tuple[bytes, bytes]) -> Page:
    """A JSON object, for a program that asked."""
    return Page(status, json.dumps(value).encode(), [(b"content-type", b"application/json"), *_QUIET, *headers])


async def respond(page: Page, send: Send, *, head: bool = False) -> None:
    """Send a whole answer."""
    headers = [*page.headers, (b"content-length", str(len(page.body)).encode())]
    await send({"type": "http.response.start", "status": page.status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if head else page.body})


async def refuse_socket(send: Send) -> None:
    """Close a WebSocket before it is accepted, which the browser sees as 403."""
    await send({"type": "websocket.close", "code": 1008})
