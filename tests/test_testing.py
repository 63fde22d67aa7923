"""`logged_in_as`: be somebody in Streamlit's AppTest, without a server, a browser or a provider."""

import pytest
from streamlit.testing.v1 import AppTest

import st_auth.testing
from st_auth import streamlit_facts as facts
from st_auth.errors import Unavailable
from st_auth.testing import Somebody, logged_in_as


def page():
    import streamlit as st

    import st_auth

    user = st_auth.require_login()
    st.title(user.name)
    st.caption(f"{user.email} {user.groups} {dict(user.claims)}")
    st.text(f"{st.user.is_logged_in} {st.user.get('region')} {st.user.provider}")
    st.button("Log out", on_click=st_auth.logout)


@pytest.fixture
def app():
    return AppTest.from_function(page, default_timeout=20)


def test_a_page_is_shown_as_to_somebody(app):
    with logged_in_as(app, groups=["admins"], region="eu"):
        app.run()

        assert not app.exception
        assert app.title[0].value == "Ada Analyst"
        assert "admins" in app.caption[0].value
        assert app.text[0].value == "True eu default"


def test_a_person_may_be_described(app):
    with logged_in_as(app, Somebody(name="Ben", email="ben@acme.com", groups=("b",), claims={"team": 7}), groups=["a"]) as core:
        app.run()

        assert app.title[0].value == "Ben"
        assert app.caption[0].value.startswith("ben@acme.com ('b', 'a') {")
        assert "'team': 7" in app.caption[0].value
        (session,) = core.live.known()
        assert session.stored.card.subject == "ada"


def test_after_the_block_nobody_is_logged_in_and_what_was_there_is_back(app):
    app.user = {"is_logged_in": False}
    with logged_in_as(app) as core:
        app.run()

    assert dict(app.user) == {"is_logged_in": False}
    assert facts.core() is None
    app.run()
    assert "Nobody is logged in here" in app.exception[0].message
    with pytest.raises(Unavailable):
        core.store.get("x")


def test_a_click_on_log_out_ends_the_login(app):
    with logged_in_as(app) as core:
        app.run()

        app.button[0].click().run()

        assert core.live.known() == []


def test_the_door_of_testing_loads_at_first_use():
    assert dir(st_auth.testing) == ["FakeIssuer", "Somebody", "StoreContract", "as_user", "logged_in_as"]
    assert st_auth.testing.FakeIssuer(serve=False).issuer == "https://issuer.example"
    assert st_auth.testing.StoreContract
    with pytest.raises(AttributeError, match="nothing"):
        _ = st_auth.testing.nothing


def test_the_door_of_the_package_does_too():
    assert "require_login" in dir(st_auth)
    assert st_auth.Middleware is st_auth.web.middleware.Middleware
    assert st_auth.errors.LoginRequired
    with pytest.raises(AttributeError, match="nothing"):
        _ = st_auth.nothing
