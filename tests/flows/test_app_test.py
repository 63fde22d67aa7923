"""Streamlit's AppTest with st_auth: somebody with a helper of ours, nobody without."""

import pytest
from streamlit.testing.v1 import AppTest

import st_auth
from st_auth.testing import Somebody, logged_in_as

SCRIPT = """
import streamlit as st

import st_auth

user = st_auth.require_login()
st.text(f"subject={user.subject}")
st.text(f"groups={','.join(user.groups)}")
st.text(f"region={st.user.get('region')}")
st.session_state.n = st.session_state.get("n", 0) + 1
st.button("Log out", on_click=st_auth.logout)
"""


def lines(at: AppTest) -> list[str]:
    return [text.value for text in at.text]


def test_an_app_test_without_help_fails_closed():
    at = AppTest.from_string(SCRIPT).run()

    assert [e.value for e in at.exception] != []
    assert "Nobody is logged in here." in at.exception[0].value
    assert lines(at) == []


def test_an_app_test_runs_for_somebody_and_for_nobody_afterwards():
    at = AppTest.from_string(SCRIPT)
    with logged_in_as(at, groups=["admins"], region="eu"):
        at.run()
        assert not at.exception
        assert lines(at) == ["subject=ada", "groups=admins", "region=eu"]

    at = AppTest.from_string(SCRIPT).run()
    assert "Nobody is logged in here." in at.exception[0].value


def test_an_app_test_runs_for_a_person_of_its_own():
    at = AppTest.from_string(SCRIPT)
    with logged_in_as(at, Somebody(subject="noa", name="Noa", groups=("builders",))):
        at.run()

    assert lines(at)[:2] == ["subject=noa", "groups=builders"]


def test_a_logout_in_an_app_test_ends_that_login():
    at = AppTest.from_string(SCRIPT)
    with logged_in_as(at):
        at.run()
        at.button[0].click().run()

        assert lines(at) == []
        assert "Nobody is logged in here." in at.exception[0].value


def test_outside_of_a_script_nobody_is_there():
    assert st_auth.current_user() is None
    with pytest.raises(st_auth.errors.LoginRequired) as refused:
        st_auth.require_login()
    assert refused.value.code == "no_session"


GUARDED = """
import streamlit as st

import st_auth

user = st_auth.require_login()
st.text(f"roles={user.roles}")
user.require("sales:export")
st.text("exported")
"""


@pytest.fixture
def guarded(tmp_path):
    (tmp_path / ".streamlit").mkdir()
    (tmp_path / ".streamlit" / "rules.toml").write_text('[roles]\nanalysts = ["sales:read"]\nleads = ["sales:*"]\n', "utf-8")
    (tmp_path / "app.py").write_text(GUARDED, "utf-8")
    return tmp_path / "app.py"


def test_an_app_test_obeys_the_rules_beside_its_script(guarded):
    seen = {}
    for group in ("analysts", "leads"):
        at = AppTest.from_file(guarded)
        with logged_in_as(at, groups=[group]):
            at.run()
        assert not at.exception
        seen[group] = lines(at), [f"{warning.value}" for warning in at.warning]

    assert seen["leads"] == (["roles=('leads',)", "exported"], [])
    assert seen["analysts"][0] == ["roles=('analysts',)"]
    assert "“sales:export”" in seen["analysts"][1][0]
