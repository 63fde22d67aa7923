"""A Streamlit app as a process: started in any of the ways that st_auth knows, or bare, to compare with."""

import shutil
import sys
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

from tests.servers import toml
from tests.servers.processes import Process, clean_environment, free_port

Way = Literal["run", "asgi", "plain", "native"]
COOKIE_SECRET = "a-secret-of-the-tests-with-more-than-32-bytes"
_ASGI = """\
import st_auth
import streamlit as st
from starlette.middleware import Middleware

app = st.App({script!r}, middleware=[Middleware(st_auth.Middleware)])
"""


def auth_secrets(*, path: str = "/oauth2callback", **section: object) -> dict[str, dict[str, object]]:
    """Return `[auth]` for an app on localhost, with a provider's `auth_section` in it; `{port}` is Streamlit's placeholder."""
    return {"auth": {"redirect_uri": f"http://localhost:{{port}}{path}", "cookie_secret": COOKIE_SECRET, **section}}


class StreamlitApp:
    """One app in a folder of its own. `source` is a script's text, a script file, or a folder with `app.py` in it."""

    def __init__(
        self,
        source: str | Path,
        folder: Path,
        *,
        way: Way = "run",
        secrets: Mapping[str, object] | str | None = None,
        config: Mapping[str, object] | None = None,
        options: Sequence[str] = (),
        environment: Mapping[str, str] | None = None,
        watch: bool = False,
        port: int | None = None,
        base: str = "",
    ) -> None:
        """Write the folder; nothing runs yet. `watch` turns the file watcher on, `base` is `server.baseUrlPath`."""
        self.way = way
        self.folder = folder
        self.port = port or free_port()
        self.origin = f"http://localhost:{self.port}"
        self.url = self.origin + (f"/{base.strip('/')}/" if base.strip("/") else "/")
        self._watch, self._base = watch, base.strip("/")
        self._options = list(options)
        self._environment = clean_environment(folder / "home", PYTHONPATH=str(Path(__file__).parents[2]), **(environment or {}))
        self._process: Process | None = None
        self._write(source, secrets, config)

    @property
    def script(self) -> Path:
        return self.folder / "app.py"

    @property
    def secrets_file(self) -> Path:
        return self.folder / ".streamlit" / "secrets.toml"

    @property
    def config_file(self) -> Path:
        return self.folder / ".streamlit" / "config.toml"

    @property
    def output(self) -> str:
        """Everything it has printed, over all its starts."""
        log = self._log
        return log.read_text("utf-8", "replace") if log.exists() else ""

    @property
    def pid(self) -> int:
        return self._running.pid

    @property
    def process(self) -> Process:
        return self._running

    def start(self, *, wait: bool = True) -> Self:
        """Start, and return when health answers 200. Its own words come with the failure when it does not."""
        self._process = Process(self._command(), folder=self.folder, environment=self._environment, log=self._log)
        if wait:
            self._process.wait_until(self.is_healthy, f"{self.url}_stcore/health")
        return self

    def is_healthy(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}_stcore/health", timeout=2) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def stop(self) -> None:
        """SIGTERM, then SIGKILL."""
        if self._process:
            self._process.stop()

    def kill(self) -> None:
        """SIGKILL: as a crash."""
        self._running.kill()

    def restart(self) -> None:
        """Stop and start again: same port, same folder."""
        self.stop()
        self.start()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()

    @property
    def _log(self) -> Path:
        return self.folder / "output.log"

    @property
    def _running(self) -> Process:
        if self._process is None:
            raise RuntimeError("the app was not started")
        return self._process

    def _write(self, source: str | Path, secrets: Mapping[str, object] | str | None, config: Mapping[str, object] | None) -> None:
        (self.folder / ".streamlit").mkdir(parents=True, exist_ok=True)
        (self.folder / "home").mkdir(exist_ok=True)
        if isinstance(source, str):
            self.script.write_text(source, "utf-8")
        elif source.is_dir():
            shutil.copytree(source, self.folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__", "*.template"))
        else:
            shutil.copyfile(source, self.script)
        if self.way == "asgi":
            (self.folder / "asgi_app.py").write_text(_ASGI.format(script=str(self.script)), "utf-8")
        if secrets is not None:
            self.secrets_file.write_text(secrets if isinstance(secrets, str) else toml.dumps(secrets), "utf-8")
        if config is not None:
            self.config_file.write_text(toml.dumps(config), "utf-8")

    def _command(self) -> list[str]:
        module, script = {
            "run": ("st_auth", "app.py"),
            "asgi": ("streamlit", "asgi_app.py"),
            "plain": ("streamlit", "app.py"),
            "native": ("streamlit", "app.py"),
        }[self.way]
        options = {
            "server.port": str(self.port),
            "server.headless": "true",
            "browser.gatherUsageStats": "false",
            "server.fileWatcherType": "auto" if self._watch else "none",
        } | ({"server.baseUrlPath": self._base} if self._base else {})
        flags = [part for name, value in options.items() for part in (f"--{name}", value)]
        return [sys.executable, "-m", module, "run", script, *flags, *self._options]
