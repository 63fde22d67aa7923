"""A-22: however often one callback comes, it is one token call and one session; the copies get a way on or a plain page."""

import pytest

from st_auth.testing import FakeIssuer
from st_auth.web.login import LoginRoutes
from tests.servers.streamlit_app import auth_secrets
from tests.speaker import together


def _use_often() -> None:
    LoginRoutes._use_once = lambda *_: True


DISARM = {"A-22": _use_often, "A-22.b": _use_often}


@pytest.fixture
def issuer():
    """What the strict provider notes of a code that is used twice is judged in the tests."""
    with FakeIssuer() as one:
        yield one
        one.violations.clear()


@pytest.fixture
def coming_back(app, person, issuer):
    """The app, a browser that has begun a login, and its callback address."""
    one = app(secrets=auth_secrets(**issuer.section()))
    ana = person()
    away = ana.open(f"{one.origin}/auth/login?provider=default&next=%2Fsales", follow=False)
    return one, ana, issuer.authorize(away.header("location"))


def _sets_a_session(page):
    return [c for c in page.steps[-1].set_cookies if "st_auth-" in c and "=1" in c.partition(";")[0] and "-a-" not in c]


def test_a22_fifty_copies_at_the_same_moment_are_one_token_call_and_one_session(coming_back, person, issuer):
    _, ana, callback = coming_back
    copies = [person() for _ in range(50)]
    for copy in copies:
        copy.jar = ana.jar.copy()

    pages = together([lambda b=b: b.open(callback, referrer=issuer.issuer, follow=False) for b in copies])

    assert (issuer.token_calls, issuer.violations) == (1, [])
    won = [page for page in pages if _sets_a_session(page)]
    assert [(page.status, page.header("location")) for page in won] == [(303, "/sales")]
    lost = [page for page in pages if page not in won]
    assert {page.status for page in lost} <= {303, 400, 409, 410}, {page.status for page in lost}
    assert {page.header("location") for page in lost if page.status == 303} <= {"/", "/sales"}
    assert [page.url for page in lost if page.status != 303 and "Traceback" in page.text] == []


def test_a22b_the_back_button_and_a_second_tab_of_the_same_browser_only_go_on(coming_back, issuer):
    _, ana, callback = coming_back
    held = ana.jar.copy()
    ana.open(callback, referrer=issuer.issuer)
    session = {c for c in ana.jar.for_host() if "st_auth" in c.name}

    again = [ana.open(callback, referrer=issuer.issuer, follow=False) for _ in range(3)]
    ana.jar.cookies = {**held.cookies, **ana.jar.cookies}
    again.append(ana.open(callback, follow=False))

    assert (issuer.token_calls, issuer.violations) == (1, [])
    assert [page.header("location") for page in again] == ["/", "/", "/", "/sales"]
    assert {c for c in ana.jar.for_host() if "st_auth" in c.name} == session
