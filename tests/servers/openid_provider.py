"""The certified OpenID provider from npm, as a process that a test can start, restart, disturb and ask what it saw."""

import base64
import json
import shutil
import urllib.request
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tests.servers.processes import LOOPBACK, Process, clean_environment, free_port

SOURCE = Path(__file__).parent / "openid-provider"
PEOPLE = ("alice", "bob", "carol", "zoe")


def password_of(person: str) -> str:
    return f"pw-{person}"


class OpenIdProvider:
    """One provider on a free port. Its issuer has the host 127.0.0.1, apps have localhost: cookies do not mix."""

    def __init__(self, folder: Path, *, apps: Iterable[str] = (), **settings: str) -> None:
        """Take the folder for the log, the origins of apps, and settings of provider.mjs such as `AT_TTL="5"`."""
        self.port = free_port()
        self.issuer = f"http://{LOOPBACK}:{self.port}"
        self._folder = folder
        self._settings = settings
        self._origins = list(apps)
        self._process: Process | None = None
        self.client_key, self._client_jwk = _new_key(folder)

    @property
    def metadata_url(self) -> str:
        return f"{self.issuer}/.well-known/openid-configuration"

    @property
    def output(self) -> str:
        return self._process.output if self._process else ""

    def start(self) -> Self:
        """Start, and return when it answers. A missing node or missing packages are errors that say what to do."""
        node = shutil.which("node")
        if node is None:
            raise RuntimeError("node is missing: the tests need Node.js 20 or newer (Debian: apt-get install nodejs npm)")
        if not (SOURCE / "node_modules" / "oidc-provider").is_dir():
            raise RuntimeError(f"the OpenID provider is not installed: npm ci --prefix {SOURCE} (make test does it)")
        given = {
            "PORT": str(self.port),
            "ISSUER": self.issuer,
            "APP": ",".join(self._origins),
            "CLIENT_JWK": self._client_jwk,
            **self._settings,
        }
        log = self._folder / f"openid-provider-{self.port}.log"
        log.unlink(missing_ok=True)
        environment = clean_environment(self._folder, **given)
        self._process = Process([node, "provider.mjs"], folder=SOURCE, environment=environment, log=log)
        self._process.wait_until(lambda: "ready " in log.read_text(), "the OpenID provider")
        return self

    def stop(self) -> None:
        if self._process:
            self._process.kill()

    def restart(self) -> None:
        """Start again on the same port with the same apps: every session, grant and key is new."""
        self.stop()
        self.start()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()

    def add_app(self, origin: str) -> None:
        """Let the app at this origin log people in, and send back-channel logouts of client `web` there."""
        if origin not in self._origins:
            self._origins.append(origin)
        self._command("apps", {"origin": origin})

    def fault(self, path: str, *, status: int = 0, times: int = 1_000_000, delay: float = 0, body: str = "", type: str = "") -> None:  # noqa: A002 - the wire's word
        """Make the next requests for a path late, or wrong, or both; status 0 is a right answer that comes late."""
        wanted = {"status": status, "times": times, "delay": delay} | ({"body": body} if body else {}) | ({"type": type} if type else {})
        self._command("faults", {path: wanted})

    def clear_faults(self) -> None:
        self._command("faults", None)

    def set_user(self, person: str, **claims: object) -> None:
        """Change what the provider says about a person from now on; an unknown person comes to be."""
        self._command("people", {"id": person, "patch": claims})

    def counts(self, *, reset: bool = False) -> dict[str, int]:
        """Return how often each path was asked for since the start or the last reset."""
        seen: dict[str, int] = self._command("counts", reset)
        return seen

    def events(self, *, reset: bool = False) -> list[dict[str, Any]]:
        """Return what happened there: `grant.success`, `grant.revoked`, `backchannel.error` and so on, with the client."""
        seen: list[dict[str, Any]] = self._command("events", reset)
        return seen

    def auth_section(self, *, client: str = "web", **more: object) -> dict[str, object]:
        """Return the keys that `[auth]` or `[auth.name]` of a secrets.toml needs for this provider."""
        kind = client.partition("-")[0]
        proof = {"client_key": str(self.client_key), "client_key_id": "pk1"} if kind == "pkjwt" else {"client_secret": f"{kind}-secret"}
        return {"client_id": client, **proof, "server_metadata_url": self.metadata_url, **more}

    def _command(self, name: str, value: object) -> Any:
        request = urllib.request.Request(f"{self.issuer}/_test/{name}", json.dumps(value).encode(), method="POST")
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.loads(answer.read() or b"null")


def _new_key(folder: Path) -> tuple[Path, str]:
    """Write a private key for client `pkjwt`, and return where, and its public half as a JWK."""
    key = ec.generate_private_key(ec.SECP256R1())
    path = folder / "pkjwt.pem"
    path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    numbers = key.public_key().public_numbers()
    x, y = (base64.urlsafe_b64encode(n.to_bytes(32)).rstrip(b"=").decode() for n in (numbers.x, numbers.y))
    return path, json.dumps({"kty": "EC", "crv": "P-256", "x": x, "y": y, "kid": "pk1", "use": "sig"})
