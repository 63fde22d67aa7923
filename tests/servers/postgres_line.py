"""A line to PostgreSQL that breaks where a test wants it.

Speaks as much of the protocol as tells where an answer ends (PostgreSQL documentation, "Message Formats", "ReadyForQuery").
"""

import asyncio
import struct

from tests.servers.loop_server import LoopServer, carry

_SAID = b"SFATAL\0VFATAL\0C57P01\0Mterminating connection due to administrator command\0\0"
_TERMINATED = b"E" + struct.pack("!i", len(_SAID) + 4) + _SAID
_PATIENCE = 5.0
_NO_ENCRYPTION = b"N"


class PostgresLine(LoopServer):
    """A thread of its own. `ends` says how many answers end as they should before a session ends in place of one, and so on from there;
    with `words` the server says so before it hangs up, and with `late` it lets the client hang up first.
    """

    def __init__(self, server_port: int) -> None:
        super().__init__()
        self._server_port = server_port
        self.ends: list[int] = []
        self.words = self.late = False

    async def converse(self, client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        """Carry what both say, up to an end."""
        async with self.beyond(self._server_port) as (server, to_server):
            asked = asyncio.create_task(carry(client, to_server))
            await self._answer(server, to_client)
            if self.late:
                await asyncio.wait([asked], timeout=_PATIENCE)
            to_client.close()
            await asked

    async def _answer(self, server: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        kind = await server.read(1)
        if kind == _NO_ENCRYPTION:
            to_client.write(kind)
            kind = await server.read(1)
        while kind:
            length = await server.readexactly(4)
            message = kind + length + await server.readexactly(struct.unpack("!i", length)[0] - 4)
            if kind == b"Z" and self._is_end():
                to_client.write(_TERMINATED if self.words else b"")
                break
            to_client.write(message)
            kind = await server.read(1)

    def _is_end(self) -> bool:
        if self.ends and self.ends[0] == 0:
            self.ends.pop(0)
            return True
        if self.ends:
            self.ends[0] -= 1
        return False
