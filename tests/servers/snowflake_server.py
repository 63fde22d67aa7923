"""Snowflake as far as it can be had here: fakesnow, in an environment of its own, behind a gateway that verifies each person's token."""

import json
import os
import sys
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.servers.processes import LOOPBACK, Process, clean_environment, free_port

ROOT = Path(__file__).parents[2]
GATEWAY = Path(__file__).parent / "snowflake" / "gateway.py"
AUDIENCE = "urn:snowflake"


def fakesnow_command() -> Path:
    """Where fakesnow is installed; it cannot live beside snowflake-connector-python 5."""
    return Path(os.environ.get("FAKESNOW_VENV", ROOT / ".venv-fakesnow")) / "bin" / "fakesnow"


class SnowflakeServer:
    """Both processes. `issuer` is whose access tokens it takes, for the audience `urn:snowflake`."""

    def __init__(self, folder: Path, *, issuer: str, jwks_uri: str, **settings: str) -> None:
        self._folder = folder
        self._inner_port, self.port = free_port(), free_port()
        self._settings = {"ISSUER": issuer, "JWKS_URI": jwks_uri, "AUDIENCE": AUDIENCE, **settings}
        self._running: list[Process] = []

    def start(self) -> Self:
        """Start both; a missing fakesnow is an error that says what to do."""
        command = fakesnow_command()
        if not command.exists():
            raise RuntimeError(f"fakesnow is not installed in {command.parents[1]}: `make test` does it (tools/venv.sh)")
        inner = f"http://{LOOPBACK}:{self._inner_port}"
        self._run([str(command), "-s", "-p", str(self._inner_port)], "fakesnow", self._inner_port, {})
        environment = {"FAKESNOW": inner, "PORT": str(self.port), **self._settings}
        self._run([sys.executable, str(GATEWAY)], "gateway", self.port, environment)
        return self

    def _run(self, command: list[str], name: str, port: int, environment: Mapping[str, str]) -> None:
        log = self._folder / f"{name}.log"
        process = Process(command, folder=self._folder, environment=clean_environment(self._folder, **environment), log=log)
        self._running.append(process)
        process.wait_until(lambda: _listens(port), f"{name} listens")

    def stop(self) -> None:
        """End both."""
        for process in reversed(self._running):
            process.stop()
        self._running.clear()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()

    def section(self, **more: object) -> dict[str, object]:
        """`[connections.…]` for this server. fakesnow lets people in one after the other, and the last of a crowd may wait."""
        there = {"host": LOOPBACK, "port": self.port, "protocol": "http", "login_timeout": 120}
        return {"type": "st_auth.SnowflakeConnection", "account": "acme", "token_from": "default", **there, **more}

    def facts(self) -> dict[str, Any]:
        """What the gateway has seen: `seen` (counts), `live` (sessions by user), `tokens` (how many different), `tags`."""
        with urllib.request.urlopen(f"http://{LOOPBACK}:{self.port}/_test/facts") as answer:
            return dict(json.load(answer))

    def live(self) -> int:
        """How many sessions there are now."""
        return sum(self.facts()["live"].values())

    def expire(self, user: str, kind: str = "both") -> None:
        """Let a user's sessions end: `session` (which the driver renews by itself), `both`, or `cut`: the line breaks as it does so."""
        request = urllib.request.Request(f"http://{LOOPBACK}:{self.port}/_test/expire?user={user}&kind={kind}", data=b"")
        urllib.request.urlopen(request).close()


def _listens(port: int) -> bool:
    try:
        urllib.request.urlopen(f"http://{LOOPBACK}:{port}/", timeout=1).close()
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False
    return True
