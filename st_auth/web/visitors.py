"""Browsers without a login, where the app lets them in: which files were made for which of them."""

import re
import secrets
from collections import OrderedDict
from typing import Final

from st_auth import streamlit_facts as facts
from st_auth.web.asgi import Message, Receive, Send
from st_auth.web.files import TabFiles

__all__ = ["Visitor", "Visitors"]

_AT_MOST: Final = 10_000
_FILES_AT_MOST: Final = 256
_XSRF = re.compile(rb"(?:^|;\s*)_streamlit_xsrf=([^;]*)")


class Visitor:
    """One browser without a login. `handle` takes the place of a login id; no live session ever has it."""

    __slots__ = ("_issued", "handle")

    def __init__(self, handle: str) -> None:
        self.handle = handle
        self._issued: dict[str, None] = {}

    def may_ask_for(self, path: str) -> bool:
        """Whether the address of this file was sent to this browser."""
        return path in self._issued

    def watch(self, receive: Receive, send: Send) -> tuple[Receive, Send]:
        """Remember the files whose addresses pass, and let nobody have other people's made."""
        files = TabFiles(self._remember)

        async def heard() -> Message:
            while True:
                message = await receive()
                data = message.get("bytes")
                seen = facts.read_back_msg(data) if data is not None else None
                if seen is None or not seen.deferred or files.may_have(seen.deferred):
                    return message

        async def watched(message: Message) -> None:
            if (data := message.get("bytes")) is not None:
                files.sent(data)
            await send(message)

        return heard, watched

    def _remember(self, path: str) -> None:
        self._issued[path] = None
        if len(self._issued) > _FILES_AT_MOST:
            del self._issued[next(iter(self._issued))]


class Visitors:
    """The last 10 000 of them, known by Streamlit's own cross-site token, which every browser has one of."""

    def __init__(self) -> None:
        self._by_handle: OrderedDict[str, Visitor] = OrderedDict()

    def of(self, cookies: bytes) -> Visitor:
        """The visitor of a socket; without the token one that nobody can come back as."""
        handle = _handle(cookies)
        if not handle:
            return Visitor(f"anonymous-{secrets.token_hex(16)}")
        visitor = self._by_handle.pop(handle, None) or Visitor(handle)
        self._by_handle[handle] = visitor
        if len(self._by_handle) > _AT_MOST:
            self._by_handle.popitem(last=False)
        return visitor

    def may_ask_for(self, cookies: bytes, path: str) -> bool:
        """Whether the address of this file was sent to the browser with these cookies."""
        visitor = self._by_handle.get(_handle(cookies))
        return visitor is not None and visitor.may_ask_for(path)


def _handle(cookies: bytes) -> str:
    found = _XSRF.search(cookies)
    return facts.anonymous_id(found.group(1).decode("latin-1")) if found else ""
