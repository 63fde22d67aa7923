"""The test ground: one OpenID provider and one Chromium a worker, apps and people by the test. What is missing fails."""

import gc
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, Any, Protocol

import pytest
from hypothesis import HealthCheck, settings

from tests.servers.openid_provider import OpenIdProvider
from tests.servers.streamlit_app import COOKIE_SECRET, StreamlitApp, auth_secrets
from tests.speaker import Browser

if TYPE_CHECKING:
    from playwright.sync_api import Browser as ChromiumBrowser, BrowserContext

# The same examples in each run, and no verdict on how fast a busy machine is.
settings.register_profile("house", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("house")

APPS = Path(__file__).parent / "apps"
CHROMIUM_NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")  # without windows where it can be had
CHROMIUM_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


class StartApp(Protocol):
    """Start an app and let it log people in at the provider of the run; see `StreamlitApp` for what it takes."""

    def __call__(self, source: str | Path = ..., **settings: Any) -> StreamlitApp: ...


@pytest.fixture(scope="session")
def openid_provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenIdProvider]:
    """The certified provider, started when the first test asks, shared by the worker's tests."""
    with OpenIdProvider(tmp_path_factory.mktemp("openid-provider")) as provider:
        yield provider


@pytest.fixture
def provider(openid_provider: OpenIdProvider) -> Iterator[OpenIdProvider]:
    """The shared provider, without the faults of the test before."""
    yield openid_provider
    openid_provider.clear_faults()


@pytest.fixture
def own_provider(tmp_path: Path) -> Iterator[OpenIdProvider]:
    """A provider for this test alone: to be stopped, restarted or told wrong things about people."""
    with OpenIdProvider(tmp_path) as provider:
        yield provider


@pytest.fixture
def app(provider: OpenIdProvider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[StartApp]:
    """Start apps: `app(source, way="run", secrets=…, st_auth={…})`; without `secrets` they get `[auth]` for the provider."""
    started: list[StreamlitApp] = []

    def start(
        source: str | Path = APPS / "probe.py",
        *,
        st_auth: dict[str, object] | None = None,
        connections: dict[str, object] | None = None,
        begin: bool = True,
        **settings: Any,
    ) -> StreamlitApp:
        base = f"/{settings.get('base', '').strip('/')}".rstrip("/")
        secrets = settings.pop("secrets", None)
        if secrets is None:
            secrets = auth_secrets(path=f"{base}/oauth2callback", **provider.auth_section())
        if st_auth is not None:
            secrets = {**secrets, "st_auth": st_auth}
        if connections is not None:
            secrets = {**secrets, "connections": connections}
        one = StreamlitApp(source, tmp_path_factory.mktemp("app"), secrets=secrets, **settings)
        provider.add_app(one.origin)
        started.append(one)
        return one.start() if begin else one

    yield start
    for one in started:
        one.stop()


@pytest.fixture
def native_secrets(provider: OpenIdProvider) -> str:
    """The secrets.toml of tests/apps/native, filled in for the provider of the run."""
    template = Template((APPS / "native" / "secrets.toml.template").read_text("utf-8"))
    return template.substitute(metadata_url=provider.metadata_url, cookie_secret=COOKIE_SECRET)


@pytest.fixture
def person() -> Iterator[Callable[..., Browser]]:
    """Make people without a browser: `person()` is a fresh `speaker.Browser`, closed with the test."""
    people: list[Browser] = []

    def make(**settings: Any) -> Browser:
        people.append(Browser(**settings))
        return people[-1]

    yield make
    for one in people:
        one.close()


@pytest.fixture(scope="session")
def chromium() -> "Iterator[ChromiumBrowser]":
    """The system's Chromium, one a worker."""
    from playwright.sync_api import sync_playwright

    executables = [path for name in CHROMIUM_NAMES if (path := shutil.which(name))]
    if not executables:
        pytest.fail("Chromium is missing: make test installs it as root, or apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executables[0], args=CHROMIUM_FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def new_context(chromium: "ChromiumBrowser") -> "Iterator[Callable[..., BrowserContext]]":
    """Make people with a browser: `new_context(color_scheme="dark")` is one person's Chromium, closed with the test."""
    contexts: list[BrowserContext] = []

    def make(**settings: Any) -> "BrowserContext":
        context = chromium.new_context(**settings)
        context.set_default_timeout(20_000)
        contexts.append(context)
        return context

    yield make
    for context in contexts:
        context.close()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests with a browser come last: Playwright keeps an event loop running in its process, where others want one of their own."""
    items.sort(key=lambda item: "browser" in item.path.parts or "new_context" in getattr(item, "fixturenames", ()))


def pytest_collection_finish() -> None:
    """What is loaded by now stays: nobody need look through it again, or each collection would take a third of a second."""
    gc.collect()
    gc.freeze()


def pytest_unconfigure() -> None:
    """Let libraries clear up at the end as ever."""
    gc.unfreeze()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """Show what the servers said when a test fails."""
    outcome = yield
    report = outcome.get_result()  # type: ignore[attr-defined]  # pluggy's result, which a generator's type cannot name
    if report.failed:
        for value in getattr(item, "funcargs", {}).values():
            for server in _servers_of(value):
                report.sections.append((f"output of {server.url}", server.output[-20_000:]))


def _servers_of(value: object) -> list[StreamlitApp]:
    if isinstance(value, StreamlitApp):
        return [value]
    kept = getattr(value, "__closure__", None) or ()
    lists = [cell.cell_contents for cell in kept if isinstance(cell.cell_contents, list)]
    return [server for found in lists for server in found if isinstance(server, StreamlitApp)]
