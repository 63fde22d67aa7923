"""What stands before a PostgreSQL that takes access tokens: it asks for a password, verifies it as a JWT, and lets that person through.

Speaks the beginning of the protocol (PostgreSQL documentation, "Message Flow", section "Start-up") and then only carries bytes.
"""

import asyncio
import json
import struct
import urllib.request
from typing import Any

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from tests.servers.loop_server import LoopServer, carry

AUDIENCE = "urn:db"
_SSL, _GSS, _CANCEL = 80877103, 80877104, 80877102
_ASK_FOR_PASSWORD = b"R" + struct.pack("!ii", 8, 3)


class PostgresGateway(LoopServer):
    """A thread of its own. `tokens` has the id of each token that was let in, in order; `refused` what was said to the others."""

    def __init__(self, issuer: str, server_port: int) -> None:
        super().__init__()
        self._issuer = issuer
        self._server_port = server_port
        self._claims = jwt.JWTClaimsRegistry(iss=_only(issuer), aud=_only(AUDIENCE), exp={"essential": True}, sub={"essential": True})
        self.tokens: list[str] = []
        self.refused: list[str] = []

    async def converse(self, client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        """Ask who it is, and carry bytes if they may enter."""
        first = await self._first_message(client, to_client)
        if first is not None:
            async with self.beyond(self._server_port) as (server, to_server):
                to_server.write(first)
                await asyncio.gather(carry(client, to_server), carry(server, to_client))

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
