"""What rows measure on: apps in both ways at one provider, people without a browser, and the CPU clock of another process."""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from statistics import median
from typing import Any, Self

from tests.servers.streamlit_app import StreamlitApp, Way, auth_secrets
from tests.speaker import Browser, Page, Tab

_REPOSITORY = Path(__file__).parents[1]
LOGIN_COOKIES = ("st_auth-", "_streamlit_user")
_QUIET_FOR = 0.12
_QUIET = 0.004


class Ground:
    """The provider, started when first asked for, and every app that a row starts; all end with the `with` block."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="st_auth-bench-")
        self._apps: list[StreamlitApp] = []
        self._provider: subprocess.Popen[str] | None = None
        self._section: dict[str, object] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for app in self._apps:
            app.stop()
        if self._provider and self._provider.stdin:
            self._provider.stdin.close()
            self._provider.wait(10)
        self._folder.cleanup()

    def app(self, source: str, way: Way, *, st_auth: Mapping[str, object] | None = None, secrets: bool = True) -> StreamlitApp:
        """Start an app: `run` is behind st_auth, `native` is Streamlit alone, without any login if `secrets` is False."""
        given = {**auth_secrets(**self._section_for(way)), **({"st_auth": st_auth} if st_auth else {})} if secrets else None
        app = StreamlitApp(source, Path(tempfile.mkdtemp(dir=self._folder.name)), way=way, secrets=given)
        self._apps.append(app)
        return app.start()

    def _section_for(self, way: Way) -> dict[str, object]:
        """`[auth]` for the provider, which insists on PKCE: Streamlit's login does it only where it is told to."""
        pkce = {"client_kwargs": {"code_challenge_method": "S256"}} if way == "native" else {}
        return {**self._provider_section(), **pkce}

    def _provider_section(self) -> dict[str, object]:
        if self._provider is None:
            command = [sys.executable, "-m", "bench.provider"]
            self._provider = subprocess.Popen(command, cwd=_REPOSITORY, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            self._section = json.loads(self._provider.stdout.readline())
        return self._section


class Person(Browser):
    """One person at one app, who knows the way to its login: ours by address, Streamlit's by the address that its button gives."""

    def __init__(self, app: StreamlitApp, login_url: str | None = None) -> None:
        super().__init__()
        self.app = app
        self.login_url = login_url or login_url_of(app)

    def log_in(self) -> Page:
        """One full code flow: to the provider, which does not ask, and back to the app's document."""
        page = self.open(self.login_url)
        if not page.is_streamlit or not any(c.name.startswith(LOGIN_COOKIES) for c in self.jar.for_host()):
            raise AssertionError(f"the login did not end in the app but on {page.url} ({page.status}):\n{page.text[:2000]}")
        return page

    def straight_tab(self) -> Tab:
        """A page of the app from the WebSocket handshake on, without the document and the questions before it."""
        tab = _StraightTab(self, self.app.url)
        self.tabs.append(tab)
        tab.connect()
        tab.rerun()
        return tab


class _StraightTab(Tab):
    def __init__(self, browser: Browser, url: str) -> None:
        super().__init__(_Silent(browser), url)


class _Silent:
    """A browser that has its cookies, and asks nothing before it opens the socket."""

    def __init__(self, browser: Browser) -> None:
        self.jar = browser.jar

    def fetch(self, *_: object, **__: object) -> None:
        """Do not ask."""


def login_url_of(app: StreamlitApp) -> str:
    """Where the app's login begins; a native app's button puts a signed token into the address, which serves again for minutes."""
    if app.way != "native":
        return f"{app.url}auth/login?provider=default&next=%2F"
    with Browser() as somebody:
        tab = somebody.tab(app.url)
        tab.click("Log in", wait=False)
        return tab.address(tab.wait_for(lambda t: t.redirected_to, "the address of the login"))


def cpu_seconds(pid: int) -> float:
    """CPU time of a process with all its threads, also those that have ended, in nanosecond steps (Linux: clock_getcpuclockid)."""
    return time.clock_gettime((~pid << 3) | 2)


def settled_cpu(app: StreamlitApp) -> float:
    """The app's CPU time once it rests: what a request leaves behind, such as Streamlit's collection after a run, counts too."""
    before, began = cpu_seconds(app.pid), time.monotonic()
    while time.monotonic() - began < 10:
        time.sleep(_QUIET_FOR)
        now = cpu_seconds(app.pid)
        if now - before < _QUIET:
            return now
        before = now
    raise AssertionError("the app does not come to rest")


def cpu_each(app: StreamlitApp, times: int, act: Callable[[], Any]) -> float:
    """CPU seconds of one `act`, from `times` of them."""
    before = settled_cpu(app)
    for _ in range(times):
        act()
    return (settled_cpu(app) - before) / times


def by_turns(rounds: int, *measures: Callable[[], float]) -> list[float]:
    """The median of each measure over rounds in which they take turns, so that a slow minute of the machine falls on all."""
    figures: list[list[float]] = [[] for _ in measures]
    for _ in range(rounds):
        for kept, measure in zip(figures, measures, strict=True):
            kept.append(measure())
    return [median(kept) for kept in figures]


def rss_kib(pid: int) -> float:
    """Resident memory of a process."""
    for line in Path(f"/proc/{pid}/status").read_text("ascii", "replace").splitlines():
        if line.startswith("VmRSS:"):
            return float(line.split()[1])
    raise AssertionError("no VmRSS: these rows need Linux")


def in_fresh_process(module: str, *arguments: str) -> Any:
    """Run `python -m module` and return the JSON that it prints last."""
    command = [sys.executable, "-m", module, *arguments]
    done = subprocess.run(command, cwd=_REPOSITORY, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def close_tabs(*people: Browser) -> None:
    """Close what is open; an app that ended first is fine."""
    for one in people:
        with suppress(OSError):
            one.close()
