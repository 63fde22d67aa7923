"""Providers that st_auth knows nothing about, as processes: packages as they come, described to us by configuration alone."""

import json
import shutil
import sys
from collections.abc import Iterable
from pathlib import Path
from string import Template
from types import TracebackType
from typing import ClassVar, Self
from urllib.request import urlopen

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tests.servers.openid_provider import password_of
from tests.servers.processes import LOOPBACK, Process, clean_environment, free_port, wait_until

SERVERS = Path(__file__).parent
CLIENT_ID = "the-app"
ALICE = {"first_name": "Alice", "last_name": "Archer", "email": "alice@example.test", "password": password_of("alice")}


class OtherProvider:
    """One of them on a free port, with one person, alice, and one client that may come from any of the apps given."""

    folder: ClassVar[str]
    token_path: ClassVar[str]
    client_secret: ClassVar[str]
    ready_path: ClassVar[str]

    def __init__(self, data: Path, origins: Iterable[str]) -> None:
        """Take a folder for what it keeps over a restart, and the origins of apps."""
        self.port = free_port()
        self.origin = f"http://{LOOPBACK}:{self.port}"
        self._data = data
        self._origins = tuple(origins)
        self._process: Process | None = None
        self._marks = 0

    @property
    def output(self) -> str:
        """What it said since its first start: one line a request."""
        return self._process.output if self._process else ""

    @property
    def token_calls(self) -> int:
        return self.posts(self.token_path)

    def posts(self, path: str) -> int:
        """Return how often a path was posted to, once the log has all that was answered: a request of ours is written last."""
        self._marks += 1
        mark = f"{self.ready_path}?mark={self._marks}"
        with urlopen(self.origin + mark, timeout=5):
            wait_until(lambda: f'"GET {mark}' in self.output, "the provider's log")
        return self.output.count(f'"POST {path}')

    def section(self) -> dict[str, object]:
        """Return what an `[auth.NAME]` section says about it: its profile file, and who we are there."""
        return {"client_id": CLIENT_ID, "client_secret": self.client_secret, "profile": self._profile()}

    def start(self) -> Self:
        environment = clean_environment(
            self._data,
            PORT=str(self.port),
            DATA=str(self._data),
            APPS=" ".join(f"{origin}/oauth2callback" for origin in self._origins),
            CLIENT_SECRET=self.client_secret,
            PEOPLE=json.dumps({"alice": ALICE}),
            **self._more(),
        )
        log = self._data / "output.log"
        self._process = Process(self._command(), folder=SERVERS / self.folder, environment=environment, log=log)
        self._process.wait_until(self._answers, f"{self.folder} on port {self.port}")
        return self

    def stop(self) -> None:
        if self._process:
            self._process.kill()

    def restart(self) -> None:
        """Start again on the same port; what it kept in files is there again."""
        self.stop()
        self.start()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()

    def _more(self) -> dict[str, str]:
        return {}

    def _command(self) -> list[str]:
        raise NotImplementedError

    def _answers(self) -> bool:
        try:
            with urlopen(f"{self.origin}{self.ready_path}", timeout=5) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def _profile(self) -> str:
        """Write the provider's profile file, filled in, and return its path: what `profile` of a section names."""
        path = self._data / f"{self.folder}.toml"
        path.write_text(Template((SERVERS / self.folder / "profile.toml").read_text("utf-8")).substitute(origin=self.origin), "utf-8")
        return str(path)


class Toolkit(OtherProvider):
    """Django OAuth Toolkit in a little site: made of oauthlib and jwcrypto, where the certified provider is Node and jose."""

    folder = "django-toolkit"
    token_path = "/o/token/"
    client_secret = "of the toolkit: 100% +/="  # what Basic must encode first (RFC 6749 section 2.3.1)
    ready_path = "/login/"

    def _command(self) -> list[str]:
        return [sys.executable, "serve.py"]


class OpenIdToolkit(Toolkit):
    """The site with OpenID Connect switched on."""

    def start(self) -> Self:
        key = self._data / "key.pem"
        if not key.exists():
            made = rsa.generate_private_key(public_exponent=65537, key_size=2048)
            key.write_bytes(made.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        return super().start()

    def section(self) -> dict[str, object]:
        """Return a section without profile, as Streamlit's documentation writes it."""
        return {
            "client_id": CLIENT_ID,
            "client_secret": self.client_secret,
            "server_metadata_url": f"{self.origin}/o/.well-known/openid-configuration",
            "client_kwargs": {"scope": "openid profile email"},
            "logout_landing": "redirect_uri",
        }

    def _more(self) -> dict[str, str]:
        return {"OPENID": "1"}


class PlainToolkit(Toolkit):
    """The site as it is without OpenID: plain OAuth 2.0, with an address for revocation."""


class ExpressOAuth(OtherProvider):
    """@node-oauth/express-oauth-server: OAuth 2.0 without OpenID, metadata, logout or revocation; a restart forgets every grant."""

    folder = "express-oauth"
    token_path = "/token"
    client_secret = "of-the-express-server"
    ready_path = "/authorize"

    def _command(self) -> list[str]:
        node = shutil.which("node")
        if node is None:
            raise RuntimeError("node is missing: the tests need Node.js 20 or newer (Debian: apt-get install nodejs npm)")
        if not (SERVERS / self.folder / "node_modules" / "express").is_dir():
            raise RuntimeError(f"the provider is not installed: npm ci --prefix {SERVERS / self.folder} (make test does it)")
        return [node, "provider.mjs"]
