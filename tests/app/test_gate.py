"""The gate as the script calls it: who is here, log in, log out; and that it fails closed wherever no browser is behind it."""

import threading
from datetime import timedelta

import pytest
from streamlit.runtime.scriptrunner_utils.exceptions import StopException
from streamlit.testing.v1 import AppTest

import st_auth
from st_auth import streamlit_facts as facts
from st_auth.errors import LoginRequired
from st_auth.testing import Somebody, logged_in_as
from tests.streamlit_runtime import a_run, a_runtime, a_session, options, secrets_of
from tests.web.inprocess import tab_of

HOUR = timedelta(hours=1)


ANONYMOUS = {facts.LOGIN_ID_KEY: "anonymous-1234"}


# -- who is here ---------------------------------------------------------------------------------------------------------------


def test_the_person_of_the_tab_is_the_user(runtime, session):
    with a_run(tab_of(session)) as (_, sent):
        user = st_auth.require_login()

        assert (user.name, user.email) == ("Ana Analyst", "ana@example.com")
        assert st_auth.current_user() is user
        assert st_auth.require_login("okta") is user
        assert sent == []


@pytest.mark.parametrize(
    "user_info", [{}, {"email": "test@example.com"}, ANONYMOUS, {facts.LOGIN_ID_KEY: "unknown"}, {facts.LOGIN_ID_KEY: None}]
)
def test_a17_nobody_is_here_without_a_login_id_that_is_live(runtime, session, user_info):
    with a_run(user_info):
        assert st_auth.current_user() is None


def test_a17_a_thread_of_the_apps_own_is_nobody(runtime, session):
    found = []
    with a_run(tab_of(session)):
        thread = threading.Thread(target=lambda: found.append(st_auth.current_user()))
        thread.start()
        thread.join()

    assert found == [None]
    assert st_auth.current_user() is None


def test_a13_after_the_end_nobody_is_here_and_the_script_stops_without_pushing_a_login(runtime, house, session):
    with a_run(tab_of(session)) as (_, sent):
        house.core.live.end(session, "logout")

        assert st_auth.current_user() is None
        with pytest.raises(StopException):
            st_auth.require_login()

    assert sent == []


def test_a16_in_a_function_that_is_cached_for_everybody_it_says_what_to_do(runtime, session):
    with a_run(tab_of(session)):
        token = facts.in_cached_function.set(True)
        try:
            with pytest.raises(TypeError, match="shown to everybody"):
                st_auth.current_user()
        finally:
            facts.in_cached_function.reset(token)


def test_a_user_of_an_evicted_module_is_made_anew(runtime, session):
    session.anchor = "a User of the module as it was before it was edited"

    with a_run(tab_of(session)):
        assert st_auth.current_user().subject == "ana"


# -- asking for a login --------------------------------------------------------------------------------------------------------


def test_an_anonymous_tab_is_sent_to_log_in_and_the_script_stops(runtime):
    with a_run(ANONYMOUS, "http://localhost:8501/sales", "x=1") as (_, sent), pytest.raises(StopException):
        st_auth.require_login()

    assert [m.auth_redirect.url for m in sent] == ["/auth/login?next=%2Fsales%3Fx%3D1"]


def test_a_provider_may_be_named(runtime):
    with a_run(ANONYMOUS) as (_, sent), pytest.raises(StopException):
        st_auth.require_login("okta & co")
    assert [m.auth_redirect.url for m in sent] == ["/auth/login?provider=okta%20%26%20co&next=%2F"]

    with a_run(ANONYMOUS) as (_, sent):
        st_auth.login("okta")
        st_auth.login()
    assert [m.auth_redirect.url for m in sent] == ["/auth/login?provider=okta&next=%2F", "/auth/login?next=%2F"]


def test_a_page_for_another_provider_offers_it_and_stops(runtime, session):
    with a_run(tab_of(session)) as (_, sent), pytest.raises(StopException):
        st_auth.require_login("entra")

    kinds = [m.delta.new_element.WhichOneof("type") for m in sent if m.WhichOneof("type") == "delta"]
    assert kinds == ["alert", "link_button"]
    assert sent[-1].delta.new_element.link_button.url == "/auth/login?provider=entra&next=%2F"


def test_login_does_nothing_for_who_is_logged_in_or_just_was(runtime, house, session):
    with a_run(tab_of(session)) as (_, sent):
        st_auth.login()
        house.core.live.end(session, "logout")
        st_auth.login()

    assert sent == []
    st_auth.login()


def test_a08_it_fails_closed_without_a_tab_behind_the_run(runtime):
    with a_run({"email": "test@example.com"}), pytest.raises(LoginRequired) as caught:
        st_auth.require_login()

    assert caught.value.code == "no_session"
    assert "st-auth run" in caught.value.hint


def test_outside_of_a_server_it_says_how_to_start_one():
    with pytest.raises(LoginRequired):
        st_auth.require_login()
    with a_run(ANONYMOUS), pytest.raises(LoginRequired):
        st_auth.require_login()
    assert st_auth.current_user() is None
    st_auth.logout()


def test_in_a_plain_server_without_a_configuration_the_page_says_what_is_missing():
    with options(), secrets_of({"other": 1}), a_runtime(), a_run({}) as (_, sent), pytest.raises(StopException):
        st_auth.require_login()

    shown = "".join(str(m.delta.new_element) for m in sent)
    assert "The login of this app is not set up." in shown
    assert "there is no [auth] section" in shown


# -- logout --------------------------------------------------------------------------------------------------------------------


class Ear:
    def __init__(self):
        self.left, self.urls = [], []

    def leave(self, why):
        self.left.append(why)

    def leave_to(self, url):
        self.urls.append(url)

    def say(self, text, seconds):
        raise AssertionError


def test_logout_ends_the_session_here_and_in_the_store_and_sends_each_tab_where_it_belongs(runtime, house, session):
    mine, other = Ear(), Ear()
    house.core.live.join(session, mine)
    house.core.live.join(session, other)
    a_session(runtime, "session-1", {facts.SOCKET_KEY: mine})

    with a_run(tab_of(session)):
        st_auth.logout()
        st_auth.logout()

    assert (mine.left, mine.urls) == ([], ["/auth/logout"])
    assert (other.left, other.urls) == (["logout"], [])
    assert session.ended == "logout"
    assert house.core.sessions.of_person("https://issuer.example", "ana") == []


def test_a_logout_while_the_store_is_down_is_told_later(runtime, house, session):
    house.store_is_down()

    with a_run(tab_of(session)):
        st_auth.logout()

    assert session.ended == "logout"
    assert [why for _, why in house.core.live.unfinished.values()] == ["logout"]


def test_nobody_can_log_out_whom_they_are_not(runtime, house, session):
    with a_run(ANONYMOUS):
        st_auth.logout()

    assert session.ended == ""


# -- in AppTest ----------------------------------------------------------------------------------------------------------------


def greeting():
    import streamlit as st

    import st_auth

    user = st_auth.require_login()
    st.title(f"Hello {user.name}")


def test_in_apptest_it_stops_unless_somebody_is_logged_in():
    at = AppTest.from_function(greeting)

    at.run(timeout=20)
    assert "Nobody is logged in here" in at.exception[0].message

    with logged_in_as(at, Somebody(name="Ben")):
        at.run(timeout=20)
        assert at.title[0].value == "Hello Ben"
