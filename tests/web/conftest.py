"""A house for each test that asks: the gate in front of a tiny app, in this process."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.streamlit_runtime import a_runtime
from tests.web.inprocess import Browser, House


@pytest.fixture
def build_house() -> Iterator[Callable[..., House]]:
    """Build houses that are closed with the test."""
    houses: list[House] = []

    def make(**settings: Any) -> House:
        houses.append(House(**settings))
        return houses[-1]

    yield make
    for house in houses:
        house.close()


@pytest.fixture
def runtime() -> Iterator[Any]:
    """Streamlit's runtime, which knows whose file is whose; not started."""
    with a_runtime() as runtime:
        yield runtime


@pytest.fixture
def house(build_house: Callable[..., House]) -> House:
    return build_house()


@pytest.fixture
def browser(house: House) -> Browser:
    return Browser(house)
