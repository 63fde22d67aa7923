"""Processes that a test starts: in a group of their own, output in a file, ended by their id, never left behind."""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

LOOPBACK = "127.0.0.1"
_PASSED_ON = ("PATH", "LANG", "LC_ALL", "TZ", "TMPDIR", "VIRTUAL_ENV", "LD_LIBRARY_PATH", "SSL_CERT_FILE")


def free_port() -> int:
    """Return a port that nothing listens on now."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
        return port


def clean_environment(home: Path, **more: str) -> dict[str, str]:
    """Return the environment of a server under test: nothing of the developer's own settings."""
    return {name: os.environ[name] for name in _PASSED_ON if name in os.environ} | {"HOME": str(home), "PYTHONUNBUFFERED": "1"} | more


def wait_until(condition: Callable[[], bool], what: str, *, seconds: float = 20, step: float = 0.05) -> None:
    """Return as soon as the condition holds; `AssertionError` that says what was awaited when it does not in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {seconds} s for {what}")
        time.sleep(step)


class Process:
    """One child process. Its standard input is a pipe that ends with us, so a child that reads it cannot outlive the run."""

    def __init__(self, command: Sequence[str], *, folder: Path, environment: Mapping[str, str], log: Path) -> None:
        self.log = log
        with log.open("ab") as output:
            self._child = subprocess.Popen(
                command, cwd=folder, env=environment, stdin=subprocess.PIPE, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
            )

    @property
    def pid(self) -> int:
        return self._child.pid

    @property
    def is_running(self) -> bool:
        return self._child.poll() is None

    @property
    def exit_code(self) -> int | None:
        return self._child.poll()

    @property
    def output(self) -> str:
        return self.log.read_text("utf-8", "replace")

    def wait(self, seconds: float = 20) -> int:
        """Wait for an end of its own accord and return the exit code."""
        return self._child.wait(seconds)

    def stop(self, *, seconds: float = 8) -> None:
        """Ask it to end (SIGTERM), then insist (SIGKILL on its whole group)."""
        if self.is_running:
            self._child.terminate()
            with suppress(subprocess.TimeoutExpired):
                self._child.wait(seconds)
        self.kill()

    def kill(self) -> None:
        """End it at once, and every child that it started."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._child.pid, signal.SIGKILL)
        self._child.wait()
        if self._child.stdin:
            self._child.stdin.close()

    def wait_until(self, condition: Callable[[], bool], what: str, *, seconds: float = 40) -> None:
        """Wait for readiness; an end before it, or too long a wait, fails with everything that the process said."""
        try:
            wait_until(lambda: condition() or not self.is_running, what, seconds=seconds)
        except AssertionError as late:
            self.kill()
            raise AssertionError(f"{late}\n{self.output}") from None
        if not self.is_running:
            raise AssertionError(f"ended with exit code {self.exit_code} before {what}\n{self.output}")
