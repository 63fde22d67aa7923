"""Streamlit's AppTest with st_auth: somebody with a helper of ours, nobody without."""

import duckdb
import pytest
from streamlit.testing.v1 import AppTest

import st_auth
from st_auth.testing import Somebody, as_user, logged_in_as

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


# -- as_user: the rules alone ---------------------------------------------------------------------------------------------------

TABLES = """
[roles]
analysts = ["sales:read"]
[tables.sales]
needs = "sales:read"
rows  = "region in (:regions)"
"""


@pytest.fixture
def ruled(tmp_path):
    path = tmp_path / "sales.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute("create table sales as select * from (values ('eu', 1), ('us', 2)) t(region, amount)")
    (tmp_path / ".streamlit").mkdir()
    (tmp_path / ".streamlit" / "rules.toml").write_text(TABLES, "utf-8")
    text = f'[connections.it]\ntype = "st_auth.DuckDBConnection"\npath = "{path}"\n'
    own = '[connections.own]\ntype = "st_auth.SnowflakeConnection"\naccount = "a"\ntoken_from = "okta"\n'
    (tmp_path / ".streamlit" / "secrets.toml").write_text(text + own, "utf-8")
    return tmp_path


def test_rules_can_be_tried_as_anybody_without_a_page(ruled):
    with (
        as_user(groups=["analysts"], regions=["eu"], folder=ruled) as ana,
        as_user(groups=["analysts"], regions=["us"], folder=ruled) as bob,
    ):
        assert ana.query("select * from sales")["amount"].tolist() == [1]
        assert bob.query("select * from sales")["amount"].tolist() == [2]
        assert ana.bind(lambda: ana.can("sales:read"))()
        with pytest.raises(st_auth.errors.PermissionDenied):
            ana.require("sales:export")
    with pytest.raises(st_auth.errors.LoginRequired):
        _ = ana.name


def test_connections_of_a_test_may_be_given_in_the_place_of_the_apps(ruled, tmp_path):
    path = tmp_path / "other.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute("create table sales as select 'eu' as region, 7 as amount")
    other = {"it": {"type": "st_auth.DuckDBConnection", "path": str(path)}}

    with as_user(groups=["analysts"], regions="eu", folder=ruled, connections=other) as ana:
        assert ana.query("select * from sales")["amount"].tolist() == [7]


def test_a_page_of_an_app_test_asks_the_apps_own_database_under_the_rules(ruled):
    (ruled / "app.py").write_text(
        "import streamlit as st, st_auth\n"
        "user = st_auth.require_login()\n"
        "st.text(str(user.query('select * from sales')['amount'].tolist()))\n"
    )
    at = AppTest.from_file(ruled / "app.py")
    with logged_in_as(at, groups=["analysts"], regions=["us"]):
        at.run()
    assert not at.exception
    assert lines(at) == ["[2]"]
