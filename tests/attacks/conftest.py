"""`--disarm`: the same attacks once more, each against an app whose one defence is switched off. There they must get through."""

from collections.abc import Callable, Iterator
from pathlib import Path
from types import MethodType
from typing import Any

import pytest

from tests.attacks.disarm import NATIVE, id_of, switch_of, without
from tests.conftest import StartApp
from tests.servers.streamlit_app import StreamlitApp
from tests.speaker import Browser

HERE = Path(__file__).parent


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--disarm", action="store_true", help="run each attack without the defence that it is about: it must fail")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """An attack without an id, or without a way to take its defence away, shows nothing: it is not run at all."""
    for item in items:
        if HERE in item.path.parents:
            attack = id_of(getattr(item, "originalname", item.name))
            if attack is None:
                raise pytest.UsageError(f"{item.nodeid}: name it test_a01_…, test_a01b_… after its id in THREATS.md")
            try:
                switch_of(item.module, attack)
            except LookupError as error:
                raise pytest.UsageError(str(error)) from None


@pytest.fixture
def attack(request: pytest.FixtureRequest) -> str:
    """The id of the attack that the test is."""
    return id_of(request.node.originalname) or ""


@pytest.fixture
def disarmed(request: pytest.FixtureRequest, attack: str) -> Callable[[], None] | str | None:
    """What takes the defence away in this run; None where the app is as it is."""
    return switch_of(request.module, attack) if request.config.getoption("--disarm", default=False) else None


@pytest.fixture
def is_native(disarmed: Callable[[], None] | str | None) -> bool:
    """Whether the attack meets a bare st.login app."""
    return disarmed == NATIVE


@pytest.fixture(autouse=True)
def _here(disarmed: Callable[[], None] | str | None) -> Iterator[None]:
    """In the test's own process the defence is off for the test only."""
    if callable(disarmed):
        with without(disarmed):
            yield
    else:
        yield


@pytest.fixture
def app(app: StartApp, disarmed: Callable[[], None] | str | None, attack: str, request: pytest.FixtureRequest) -> StartApp:
    """As everywhere; under `--disarm` the app runs without its defence, or is `bare` (a script for st.login) where that is "native"."""

    def start(source: str | Path | None = None, *, bare: str | Path = HERE / "bare.py", begin: bool = True, **settings: Any) -> Any:
        if disarmed == NATIVE:
            native = {k: v for k, v in settings.items() if k not in ("way", "st_auth")}
            return app(bare, way=NATIVE, begin=begin, **native)
        one = app(*([source] if source is not None else []), begin=False, **settings)
        if disarmed:
            python, m, program, *rest = one._command()
            launched = [python, m, "tests.attacks.launch", request.module.__name__, attack, program, *rest]
            one._command = MethodType(lambda _: launched, one)
        return one.start() if begin else one

    return start


@pytest.fixture
def logged_in(person: Callable[..., Browser], is_native: bool) -> Callable[..., Browser]:
    """`logged_in(app, "alice")` is a browser where that person is logged in, at a bare app too."""

    def enter(app: StreamlitApp, name: str = "alice", **settings: Any) -> Browser:
        browser = person(**settings)
        page = browser.login(app.url, name, button="Log in" if is_native else None)
        assert page.is_streamlit, f"{name} is not in but at {page.url} ({page.status}):\n{page.text[:1000]}"
        return browser

    return enter
