"""What the MongoDB of the tests lacks: it lets people in by MONGODB-OIDC, knows whose each connection is, and shows each their documents.

Speaks OP_MSG in front of a SecantusDB that asks nobody who they are; passwords (SCRAM) are verified there. Started by
tests/servers/mongodb_server.py: `python gateway.py` with PORT, MONGODB, ISSUER, JWKS_URI and AUDIENCE in the environment, and with
TLS_PORT and CERTIFICATE where it is to speak TLS too.
"""

import asyncio
import json
import os
import re
import ssl
import struct
import sys
import urllib.request
from collections import Counter
from contextlib import suppress
from typing import Any

import bson
from bson.binary import Binary
from bson.codec_options import CodecOptions, DatetimeConversion
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

OP_REPLY, OP_QUERY, OP_MSG = 1, 2004, 2013
MORE_TO_COME = 2
UNAUTHORIZED, AUTHENTICATION_FAILED, REAUTHENTICATE = 13, 18, 391
NAMES = {13: "Unauthorized", 18: "AuthenticationFailed", 391: "ReauthenticationRequired"}
OWNED = ("orders", "people")  # in these everybody but the app sees what has their name as owner
APP = "app"
HELLO = {
    "helloOk": True,
    "isWritablePrimary": True,
    "ismaster": True,
    "maxBsonObjectSize": 16 * 1024 * 1024,
    "maxMessageSizeBytes": 48_000_000,
    "maxWriteBatchSize": 100_000,
    "logicalSessionTimeoutMinutes": 30,
    "minWireVersion": 0,
    "maxWireVersion": 21,
    "readOnly": False,
    "ok": 1.0,
}
CODEC: CodecOptions[dict[str, Any]] = CodecOptions(datetime_conversion=DatetimeConversion.DATETIME_MS)

keys: list[KeySet] = []
clients: set["Client"] = set()
idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []
seen: Counter[str] = Counter()
taken: set[str] = set()
refused: set[str] = set()
settings: dict[str, Any] = {}


def claims_of(token: str) -> dict[str, Any]:
    """Verify an access token: signature, issuer, audience and time. Raises JoseError or ValueError."""
    if not keys:
        with urllib.request.urlopen(os.environ["JWKS_URI"]) as answer:
            keys.append(KeySet.import_key_set(json.load(answer)))
    claims = jwt.decode(token, keys[0], algorithms=["RS256", "ES256"]).claims
    demanded = {"iss": {"essential": True, "value": os.environ["ISSUER"]}, "aud": {"essential": True, "value": os.environ["AUDIENCE"]}}
    jwt.JWTClaimsRegistry(**demanded, exp={"essential": True}).validate(claims)
    return claims


def refusal(code: int, message: str) -> dict[str, Any]:
    seen[f"refused {code}"] += 1
    return {"ok": 0.0, "errmsg": message, "code": code, "codeName": NAMES[code]}


async def message(reader: asyncio.StreamReader) -> tuple[int, int, bytes]:
    """Return the number, the kind and the body of the next message."""
    length, number, _, kind = struct.unpack("<iiii", await reader.readexactly(16))
    return number, kind, await reader.readexactly(length - 16)


def packed(kind: int, number: int, body: bytes) -> bytes:
    return struct.pack("<iiii", len(body) + 16, number, number, kind) + body


def command_of(kind: int, body: bytes) -> tuple[int, dict[str, Any]]:
    """Return the flags and the command of a message, with the sequences of documents that stand beside it."""
    if kind == OP_QUERY:
        start = body.index(b"\0", 4) + 9
        return 0, bson.decode(body[start:], CODEC)
    flags, at, command = struct.unpack_from("<I", body)[0], 4, {}
    while at < len(body):
        if body[at] == 0:
            (length,) = struct.unpack_from("<i", body, at + 1)
            command = bson.decode(body[at + 1 : at + 1 + length], CODEC) | command
        else:
            (length,) = struct.unpack_from("<i", body, at + 1)
            end = body.index(b"\0", at + 5)
            command[body[at + 5 : end].decode()] = bson.decode_all(body[end + 1 : at + 1 + length], CODEC)
        at += 1 + length
    return flags, command


class Client:
    """One connection of a client's: whose it is, once it has said so."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self.person = ""
        self.token = ""
        self.name = ""
        self.is_stale = False
        self.scram: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def serve(self) -> None:
        """Answer until somebody hangs up."""
        while True:
            number, kind, body = await message(self.reader)
            flags, command = command_of(kind, body)
            answer = await self.answer(command, quiet=bool(flags & MORE_TO_COME))
            if flags & MORE_TO_COME:
                continue
            if kind == OP_QUERY:
                self.writer.write(packed(OP_REPLY, number, struct.pack("<iqii", 8, 0, 0, 1) + bson.encode(answer)))
            else:
                raw = answer if isinstance(answer, bytes) else b"\0\0\0\0\0" + bson.encode(answer, codec_options=CODEC)
                self.writer.write(packed(OP_MSG, number, raw))
            await self.writer.drain()

    async def answer(self, command: dict[str, Any], *, quiet: bool) -> dict[str, Any] | bytes:
        """Return a document, or the body of the message that the server behind has answered."""
        verb = next(iter(command))
        seen[verb] += 1
        if verb.lower() in ("hello", "ismaster"):
            return self.hello(command)
        if verb in ("saslStart", "saslContinue"):
            return await self.log_in(command)
        if verb.startswith("test"):
            return control(verb, command)
        if not self.person:
            return refusal(UNAUTHORIZED, f"Command {verb} requires authentication")
        if self.is_stale:
            return refusal(REAUTHENTICATE, "Reauthentication is required")
        return await self.done(verb, command, quiet=quiet)

    async def done(self, verb: str, command: dict[str, Any], *, quiet: bool) -> dict[str, Any] | bytes:
        """Do what somebody who is known has asked for, as far as they may."""
        if command[verb] == "slow" and not settings.get("fast"):
            seen["slow begun"] += 1
            for _ in range(400):
                await asyncio.sleep(0.05)
                if self.reader.at_eof():
                    raise ConnectionError
        if command[verb] == "broken":
            self.writer.transport.abort()
        if self.person != APP and command[verb] in OWNED and not narrowed(verb, command, self.person):
            return refusal(UNAUTHORIZED, f"{self.person} may not do that in {command[verb]}")
        return await asked(command, quiet=quiet)

    def hello(self, command: dict[str, Any]) -> dict[str, Any]:
        self.name = command.get("client", {}).get("application", {}).get("name", self.name)
        answer = {**HELLO, "connectionId": id(self) % 2**31, **settings.get("hello", {})}
        early = command.get("speculativeAuthenticate", {})
        if early.get("mechanism") == "MONGODB-OIDC" and (said := self.by_token(early))["ok"]:
            answer["speculativeAuthenticate"] = {key: said[key] for key in ("conversationId", "done", "payload")}
        return answer

    async def log_in(self, command: dict[str, Any]) -> dict[str, Any] | bytes:
        if command.get("mechanism") == "MONGODB-OIDC":
            return self.by_token(command)
        return await self.by_password(command)

    def by_token(self, command: dict[str, Any]) -> dict[str, Any]:
        """MONGODB-OIDC with one step (MongoDB Authentication specification, section "MONGODB-OIDC")."""
        token = bson.decode(command["payload"])["jwt"]
        try:
            person = claims_of(token)["sub"]
        except (JoseError, ValueError):
            return refusal(AUTHENTICATION_FAILED, "Authentication failed.")
        if token in refused:
            return refusal(AUTHENTICATION_FAILED, "Authentication failed.")
        taken.add(token)
        seen["tokens taken"] += 1
        self.person, self.token, self.is_stale = person, token, bool(settings.get("never_content"))
        return {"conversationId": 1, "done": True, "payload": Binary(b""), "ok": 1.0}

    async def by_password(self, command: dict[str, Any]) -> dict[str, Any] | bytes:
        """Let the server behind talk with them, and look at what it says in the end."""
        if settings.get("refuse_passwords"):
            return refusal(AUTHENTICATION_FAILED, "Authentication failed.")
        if "saslStart" in command:
            seen[command["mechanism"]] += 1
            self.scram = await asyncio.open_connection("127.0.0.1", int(os.environ["MONGODB"]))
            self.name = re.findall(rb"n=([^,]*),r=", bytes(command["payload"]))[0].decode().replace("=2C", ",").replace("=3D", "=")
        assert self.scram is not None
        body = await passed(self.scram, command)
        answer = bson.decode(body[5:], CODEC)
        if not answer["ok"]:
            seen[f"refused {answer['code']}"] += 1
        if not answer["ok"] or answer["done"]:
            self.scram[1].close()
            self.person = self.name if answer["ok"] else ""
        return body


def narrowed(verb: str, command: dict[str, Any], person: str) -> bool:
    """Let a command see and change a person's own documents alone; False if it would leave others."""
    own = {"owner": person}
    if verb == "aggregate":
        is_watch = bool(command["pipeline"]) and "$changeStream" in command["pipeline"][0]
        command["pipeline"].insert(1 if is_watch else 0, {"$match": {"fullDocument.owner": person} if is_watch else own})
    elif verb in ("find", "count", "distinct", "findAndModify"):
        key = "filter" if verb == "find" else "query"
        command[key] = {"$and": [command.get(key) or {}, own]}
    elif verb in ("update", "delete"):
        for one in command[f"{verb}s"]:
            one["q"] = {"$and": [one["q"], own]}
    elif verb == "insert":
        return all(document.get("owner") == person for document in command["documents"])
    return True


async def asked(command: dict[str, Any], *, quiet: bool) -> bytes:
    """Ask the server behind, on a connection that nobody else asks just now."""
    there = idle.pop() if idle else await asyncio.open_connection("127.0.0.1", int(os.environ["MONGODB"]))
    try:
        body = await passed(there, {key: value for key, value in command.items() if not (quiet and key == "writeConcern")})
    except BaseException:
        there[1].close()
        raise
    idle.append(there)
    return body


async def passed(there: tuple[asyncio.StreamReader, asyncio.StreamWriter], command: dict[str, Any]) -> bytes:
    there[1].write(packed(OP_MSG, 1, b"\0\0\0\0\0" + bson.encode(command, codec_options=CODEC)))
    return (await message(there[0]))[2]


def control(verb: str, command: dict[str, Any]) -> dict[str, Any]:
    """For tests: what was seen, how it shall behave, and the end of somebody's connections."""
    if verb == "testSettings":
        settings.clear()
        settings.update(command[verb])
    if verb == "testExpire":
        for one in [client for client in clients if client.person == command[verb]]:
            refused.add(one.token)
            one.is_stale = True
            if command["kind"] == "drop":
                one.writer.transport.abort()
    live = Counter(client.person for client in clients if client.person)
    names = sorted({client.name for client in clients if client.person})
    return {"seen": dict(seen), "live": dict(live), "tokens": len(taken), "sockets": len(clients) - 1, "names": names, "ok": 1.0}


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    client = Client(reader, writer)
    clients.add(client)
    with suppress(OSError, asyncio.IncompleteReadError):
        await client.serve()
    clients.discard(client)
    if client.scram is not None:
        client.scram[1].close()
    writer.close()


async def main() -> None:
    if port := os.environ.get("TLS_PORT"):
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(os.environ["CERTIFICATE"])
        await asyncio.start_server(serve, "127.0.0.1", int(port), ssl=tls)
    server = await asyncio.start_server(serve, "127.0.0.1", int(os.environ["PORT"]), backlog=500)
    asyncio.get_running_loop().run_in_executor(None, sys.stdin.read).add_done_callback(lambda _: os._exit(0))  # ends with who started us
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
