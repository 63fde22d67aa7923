"""What stands before a PostgreSQL that takes access tokens: it asks for a password, verifies it as a JWT, and lets that person through.

Speaks the beginning of the protocol (PostgreSQL documentation, "Message Flow", section "Start-up") and then only carries bytes.
"""

import asyncio
import json
import struct
import threading
import urllib.request
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from tests.servers.processes import LOOPBACK

AUDIENCE = "urn:db"
_SSL, _GSS, _CANCEL = 80877103, 80877104, 80877102
_ASK_FOR_PASSWORD = b"R" + struct.pack("!ii", 8, 3)


class PostgresGateway:
    """A thread of its own. `tokens` has the id of each token that was let in, in order; `refused` what was said to the others.

    `drops` says of each of the next sessions at which of its questions it ends.
    """

    def __init__(self, issuer: str, server_port: int) -> None:
        self._issuer = issuer
        self._server_port = server_port
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._claims = jwt.JWTClaimsRegistry(iss=_only(issuer), aud=_only(AUDIENCE), exp={"essential": True}, sub={"essential": True})
        self._tasks: set[asyncio.Task[None]] = set()
        self._writers: set[asyncio.StreamWriter] = set()
        self.tokens: list[str] = []
        self.refused: list[str] = []
        self.drops: list[int] = []
        self.port = 0

    def __enter__(self) -> Self:
        self._thread.start()
        self.port = self._do(self._listen())
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._do(self._stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _do(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(20)

    async def _listen(self) -> int:
        self._server = await asyncio.start_server(self._serve, LOOPBACK, 0)
        return int(self._server.sockets[0].getsockname()[1])

    async def _stop(self) -> None:
        self._server.close()
        for writer in self._writers:
            writer.transport.abort()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        writers = {to_client}
        self._writers |= writers
        try:
            first = await self._first_message(client, to_client)
            if first is not None:
                server, to_server = await asyncio.open_connection(LOOPBACK, self._server_port)
                writers.add(to_server)
                self._writers.add(to_server)
                to_server.write(first)
                at_most = self.drops.pop(0) - 1 if self.drops else None
                await asyncio.gather(_carry(client, to_server, at_most), _carry(server, to_client))
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            self._writers -= writers
            for writer in writers:
                writer.close()

    async def _first_message(self, client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> bytes | None:
        """Return what the server is to hear first: a request to cancel as it is, or the start of a session that may begin."""
        while True:
            head = await client.readexactly(8)
            length, code = struct.unpack("!ii", head)
            body = await client.readexactly(length - 8)
            if code in (_SSL, _GSS):
                to_client.write(b"N")
                continue
            if code == _CANCEL:
                return head + body
            said = dict(zip(*[iter(body.rstrip(b"\0").split(b"\0"))] * 2, strict=False))
            to_client.write(_ASK_FOR_PASSWORD)
            kind, length = struct.unpack("!ci", await client.readexactly(5))
            password = (await client.readexactly(length - 4)).rstrip(b"\0").decode()
            if kind == b"p" and await asyncio.to_thread(self._may_enter, said.get(b"user", b"").decode(), password):
                return head + body
            text = f'password authentication failed for user "{said.get(b"user", b"").decode()}"'.encode()
            fields = b"SFATAL\0VFATAL\0C28P01\0M" + text + b"\0\0"
            to_client.write(b"E" + struct.pack("!i", len(fields) + 4) + fields)
            await to_client.drain()
            return None

    def _may_enter(self, user: str, token: str) -> bool:
        """Whether this is a token of our issuer's, for us, that is still good and belongs to that user."""
        try:
            with urllib.request.urlopen(f"{self._issuer}/jwks") as answer:
                claims = jwt.decode(token, KeySet.import_key_set(json.load(answer)), algorithms=["RS256"]).claims
            self._claims.validate(claims)
        except (JoseError, ValueError) as error:
            self.refused.append(type(error).__name__)
            return False
        if claims["sub"] != user:
            self.refused.append("another user")
            return False
        self.tokens.append(claims["jti"])
        return True


def _only(value: str) -> dict[str, Any]:
    return {"essential": True, "value": value}


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, at_most: int | None = None) -> None:
    """Carry what one side says to the other; when it falls silent for good, or has said so much, so does the other side."""
    with suppress(OSError):
        while (data := await reader.read(65536)) and at_most != 0:
            writer.write(data)
            await writer.drain()
            at_most = None if at_most is None else at_most - 1
    writer.close()
