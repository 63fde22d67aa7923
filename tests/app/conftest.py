"""What the tests of the script edge begin with: a house, a runtime that is not started, and somebody who is logged in."""

import pytest

from st_auth import streamlit_facts as facts
from tests.streamlit_runtime import a_runtime
from tests.web.inprocess import Browser, House


@pytest.fixture
def house():
    house = House()
    yield house
    house.close()


@pytest.fixture
def runtime(house):
    with a_runtime() as runtime:
        facts.set_core(house.core)
        yield runtime


@pytest.fixture
def session(house):
    Browser(house).log_in()
    return house.live[0]
