"""What a page asks of somebody who is logged in: when it is asked for, and what the tab is shown."""

import threading

import pytest
from streamlit.runtime.scriptrunner_utils.exceptions import StopException
from streamlit.runtime.scriptrunner_utils.script_run_context import RunLocation, ThreadState

import st_auth
from st_auth.app.ask import acr_of, shows
from st_auth.app.place import PLACE
from st_auth.errors import ConfigError, LoginRequired
from st_auth.streamlit_facts import SOCKET_KEY
from st_auth.user import User
from st_auth.web.step_up import Asked
from tests.streamlit_runtime import a_run, a_session
from tests.test_live import Anywhere, World
from tests.web.inprocess import tab_of

NOW = 1_800_000_000


def somebody(**claims):
    world = World()
    return User(world.begin(claims=claims), Anywhere(), world.grants, world.pool)


@pytest.mark.parametrize(
    ("claims", "max_age", "acr", "expected"),
    [
        ({"auth_time": NOW - 299}, 300, (), True),
        ({"auth_time": NOW - 300.0}, 300, (), True),
        ({"auth_time": NOW - 301}, 300, (), False),
        ({}, 300, (), False),
        ({"auth_time": True}, 10**10, (), False),
        ({"auth_time": str(NOW)}, 300, (), False),
        ({"auth_time": NOW}, 0, (), True),
        ({"acr": "gold"}, None, ("silver", "gold"), True),
        ({"acr": "bronze"}, None, ("silver", "gold"), False),
        ({"acr": ["gold"]}, None, ("gold",), False),
        ({}, None, ("gold",), False),
        ({"auth_time": NOW, "acr": "gold"}, 300, ("gold",), True),
        ({"auth_time": NOW - 301, "acr": "gold"}, 300, ("gold",), False),
    ],
)
def test_x25_what_the_person_showed_is_held_to_what_the_page_asks(claims, max_age, acr, expected):
    assert shows(somebody(**claims), max_age, acr, NOW) is expected


def test_one_way_of_logging_in_may_be_a_text():
    assert [acr_of(None), acr_of("gold"), acr_of(["gold", "silver"])] == [(), ("gold",), ("gold", "silver")]


class Tab:
    """The tab's socket, as far as a page asks it for something."""

    waits = False

    def wait_for_person(self, *, stopped):
        self.waits = stopped


def links_in(sent):
    return [m.delta.new_element.link_button.url for m in sent if m.delta.new_element.HasField("link_button")]


def asked_by(house, url):
    return Asked.of(house.core.unsign("ask", url.partition("ask=")[2], 60)).to_list()


def test_a_page_that_needs_more_shows_a_link_for_this_login_alone_and_waits(house, runtime, session):
    from streamlit.runtime.scriptrunner_utils.exceptions import StopException

    tab = Tab()
    a_session(runtime, "session-1", {SOCKET_KEY: tab})
    with a_run(tab_of(session)) as (_, sent), pytest.raises(StopException):
        st_auth.require_login(max_age=300, acr="gold")

    (url,) = links_in(sent)
    assert url.startswith("/auth/login?ask=")
    assert asked_by(house, url) == [session.login_id, "okta", 300, ["gold"]]
    assert tab.waits


def test_a_page_that_has_what_it_needs_goes_on(house, runtime, session):
    with a_run(tab_of(session)) as (_, sent):
        assert st_auth.require_login(max_age=10**10).subject == "ana"

    assert links_in(sent) == []


def test_without_a_tab_nobody_can_be_asked(runtime, session):
    with a_run(tab_of(session)), pytest.raises(LoginRequired) as caught:
        st_auth.require_login(acr="gold")

    assert caught.value.code == "step_up_required"


def test_a_link_to_another_provider_is_shown_until_it_is_there(house, runtime, session):
    tab = Tab()
    a_session(runtime, "session-1", {SOCKET_KEY: tab})

    with a_run(tab_of(session)) as (_, sent):
        assert st_auth.link("okta")  # the provider of this login needs no link
        with pytest.raises(ConfigError, match="okta"):
            st_auth.link("lake")

    assert links_in(sent) == []


def test_nobody_links_anything_without_a_login(runtime, house):
    with a_run({}), pytest.raises(LoginRequired) as caught:
        st_auth.link("okta")

    assert caught.value.code == "no_session"


# -- a login to a database -------------------------------------------------------------------------------------------------


def in_thread(act, name):
    """Do something in a thread of this name, and return what it raised."""
    raised = []

    def done():
        try:
            act()
        except StopException as error:
            raised.append(error)

    thread = threading.Thread(target=done, name=name)
    thread.start()
    thread.join(20)
    return raised[0] if raised else None


@pytest.mark.parametrize(
    ("thread", "location", "asks"),
    [("script", "main_script", True), ("script", "fragment", True), ("script", "callback", False), ("other", "main_script", False)],
)
def test_a_page_asks_for_a_login_to_a_database_where_it_is_drawn(house, runtime, session, thread, location, asks):
    tab, links = Tab(), []
    a_session(runtime, "session-1", {SOCKET_KEY: tab})

    def ask():
        with a_run(tab_of(session)) as (_, sent):
            ThreadState.update(run_location=RunLocation(location), fragment_id=None if location == "main_script" else "part")
            try:
                PLACE.ask_for_login(session.login_id, "erp", "db.acme.com")
            finally:
                links.extend(links_in(sent))

    raised = in_thread(ask, "ScriptRunner.scriptThread" if thread == "script" else "other")

    assert isinstance(raised, StopException) if asks else raised is None
    assert [house.core.unsign("connect", url.partition("ask=")[2], 60) for url in links] == ([[session.login_id, "erp"]] if asks else [])
    assert tab.waits is asks


def test_a_bound_call_in_the_scripts_thread_draws_nothing(runtime, session):
    tab = Tab()
    a_session(runtime, "session-1", {SOCKET_KEY: tab})

    def ask():
        with a_run(tab_of(session)):
            PLACE.bind(lambda: PLACE.ask_for_login(session.login_id, "erp", ""))()

    assert in_thread(ask, "ScriptRunner.scriptThread") is None
    assert not tab.waits


def test_without_a_tab_nobody_is_asked_for_a_login_to_a_database(runtime, session):
    def ask():
        with a_run(tab_of(session)):
            PLACE.ask_for_login(session.login_id, "erp", "")

    assert in_thread(ask, "ScriptRunner.scriptThread") is None
