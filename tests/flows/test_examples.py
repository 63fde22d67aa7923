"""The examples run as they are."""

import time

import pytest
from streamlit.testing.v1 import AppTest

from st_auth.testing import logged_in_as
from tests.test_conventions import ROOT

EXAMPLES = ROOT / "examples"


def test_hello_greets_by_name():
    page = AppTest.from_file(EXAMPLES / "hello.py", default_timeout=30)

    with logged_in_as(page):
        page.run()

    assert not page.exception
    assert [title.value for title in page.title] == ["Hello, Ada Analyst"]


@pytest.mark.parametrize(("age", "codes"), [(5, []), (3600, ["step_up_required"]), (None, ["step_up_required"])])
def test_a_payment_needs_a_login_of_the_last_minute(age, codes):
    page = AppTest.from_file(EXAMPLES / "fresh_login.py", default_timeout=30)
    shown = {} if age is None else {"auth_time": int(time.time()) - age}

    with logged_in_as(page, **shown):
        page.run()
        page.number_input[0].set_value(12.5)
        page.toggle[0].set_value(True).run()

    assert [bool(found) for found in page.success] == [True] * (not codes)
    assert len(page.exception) == len(codes)
    assert [error.message for error in page.exception] == ["This page needs a login that is fresher or stronger."] * len(codes)
