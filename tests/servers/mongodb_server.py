"""MongoDB as far as it can be had here: SecantusDB, in an environment of its own, behind a gateway that lets people in by their token."""

import os
import socket
import struct
import sys
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import bson
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from tests.servers.processes import LOOPBACK, Process, clean_environment, free_port

ROOT = Path(__file__).parents[2]
GATEWAY = Path(__file__).parent / "mongodb" / "gateway.py"
AUDIENCE = "urn:mongodb"
APP_NAME = "app"
APP_PASSWORD = "the app's own: 1 @/:%"
CROWD = [f"p{number:03d}" for number in range(200)]
_OP_MSG = 2013


def secantus_python() -> Path:
    """The Python that SecantusDB is installed for; it is a server of its own and no library of ours."""
    return Path(os.environ.get("SECANTUS_VENV", ROOT / ".venv-secantus")) / "bin" / "python"


class MongoDBServer:
    """Both processes, and a database `crm`. `issuer` is whose access tokens it takes, for the audience `urn:mongodb`.

    Everybody has a document in `people` and a password, `pw-NAME`; `app` may see everybody's documents.
    """

    def __init__(self, folder: Path, *, issuer: str, jwks_uri: str, **settings: str) -> None:
        self._folder = folder
        self.inner_port, self.port, self.tls_port = free_port(), free_port(), free_port()
        self.authority = folder / "authority.pem"
        self._settings = {"ISSUER": issuer, "JWKS_URI": jwks_uri, "AUDIENCE": AUDIENCE, **settings}
        self._running: list[Process] = []

    def start(self) -> Self:
        """Start both and fill the database; a missing SecantusDB is an error that says what to do."""
        python = secantus_python()
        if not python.exists():
            raise RuntimeError(f"secantusdb is not installed in {python.parents[1]}: `make test` does it (tools/venv.sh)")
        where = ["--host", LOOPBACK, "--port", str(self.inner_port), "--storage-path", ":memory:", "--cache-size", "64M"]
        self._run([str(python), "-m", "secantus", *where, "--log-level", "WARNING"], "secantus", self.inner_port, {})
        environment = {"MONGODB": str(self.inner_port), "PORT": str(self.port), **self._settings, **self._tls()}
        self._run([sys.executable, str(GATEWAY)], "gateway", self.port, environment)
        self._fill()
        return self

    def _run(self, command: list[str], name: str, port: int, environment: Mapping[str, str]) -> None:
        home = self._folder / name
        home.mkdir(exist_ok=True)
        process = Process(command, folder=home, environment=clean_environment(home, **environment), log=self._folder / f"{name}.log")
        self._running.append(process)
        process.wait_until(lambda: _listens(port), f"{name} listens")

    def _tls(self) -> dict[str, str]:
        """A certificate for `localhost` that nobody knows but who is told of `authority`."""
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
        now = datetime.now(UTC)
        made = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now - timedelta(1), now + timedelta(1))
        made = made.add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        made = made.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        certificate = made.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM)
        self.authority.write_bytes(certificate)
        both = self._folder / "server.pem"
        both.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()) + certificate)
        return {"TLS_PORT": str(self.tls_port), "CERTIFICATE": str(both)}

    def _fill(self) -> None:
        passwords = {APP_NAME: APP_PASSWORD} | {name: f"pw-{name}" for name in ("ana", "bob", "cyd")}
        for name, password in passwords.items():
            roles = [{"role": "readWriteAnyDatabase", "db": "admin"}]
            self.ask({"createUser": name, "pwd": password, "roles": roles, "mechanisms": ["SCRAM-SHA-256"]}, "admin")
        people = [{"_id": name, "owner": name} for name in ("ana", "bob", "cyd", *CROWD)]
        self.ask({"insert": "people", "documents": people})
        self.fill("orders", [{"_id": n, "owner": owner, "amount": n * 100} for n, owner in enumerate(("ana", "bob", "ana", "cyd"))])

    def stop(self) -> None:
        """End both."""
        for process in reversed(self._running):
            process.stop()
        self._running.clear()

    def __enter__(self) -> Self:
        try:
            return self.start()
        except BaseException:
            self.stop()
            raise

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()

    def section(self, **more: object) -> dict[str, object]:
        """`[connections.…]` for this server."""
        url = f"mongodb://{LOOPBACK}:{self.port}"
        return {"type": "st_auth.MongoDBConnection", "url": url, "database": "crm", "token_from": "default", **more}

    def app_section(self, **more: object) -> dict[str, object]:
        """The same with the app's own login."""
        own = {"user": APP_NAME, "password": APP_PASSWORD}
        return {key: value for key, value in self.section(**own, **more).items() if key != "token_from"}

    def ask(self, command: Mapping[str, Any], database: str = "crm") -> dict[str, Any]:
        """Do something in the database itself, as nobody."""
        return _asked(self.inner_port, {**command, "$db": database})

    def fill(self, collection: str, documents: list[dict[str, Any]]) -> None:
        """Let a collection have these documents and no others."""
        self.ask({"drop": collection})
        if documents:
            self.ask({"insert": collection, "documents": documents})

    def facts(self) -> dict[str, Any]:
        """What the gateway has seen: `seen` (counts), `live` (connections by person), `tokens` (how many different), `sockets`, `names`."""
        return _asked(self.port, {"testFacts": 1, "$db": "test"})

    def live(self) -> int:
        """How many connections somebody has now."""
        return sum(self.facts()["live"].values())

    def expire(self, person: str, kind: str = "reauthenticate") -> None:
        """Let somebody's tokens be refused and ask for others (error 391), or hang up (`drop`)."""
        _asked(self.port, {"testExpire": person, "kind": kind, "$db": "test"})

    def behave(self, **settings: Any) -> None:
        """Say how the gateway shall behave: `hello` (what it says of itself beside the usual), `never_content` (391 for ever),
        `refuse_passwords`, `fast` (the collection `slow` is not)."""
        _asked(self.port, {"testSettings": settings, "$db": "test"})


def _asked(port: int, command: Mapping[str, Any]) -> dict[str, Any]:
    body = b"\0\0\0\0\0" + bson.encode(command)
    with socket.create_connection((LOOPBACK, port), timeout=20) as there, there.makefile("rb") as answers:
        there.sendall(struct.pack("<iiii", len(body) + 16, 1, 0, _OP_MSG) + body)
        (length,) = struct.unpack("<i", answers.read(4))
        answer: dict[str, Any] = bson.decode(answers.read(length - 4)[12 + 5 :])
    if not answer["ok"] and answer.get("codeName") != "NamespaceNotFound":
        raise RuntimeError(f"{answer}")
    return answer


def _listens(port: int) -> bool:
    with suppress(OSError):
        socket.create_connection((LOOPBACK, port), timeout=1).close()
        return True
    return False
