"""Permissions in a real app: a page's address is no way round, what is lacking is said on the page, and other claims count at once."""

import pytest

from st_auth.testing import FakeIssuer
from tests.servers.streamlit_app import auth_secrets

APP = """
import threading
import streamlit as st
import st_auth

user = st_auth.require_login()
st.text(f"roles={user.roles}")
st.text(f"may_export={user.can('sales:export')}")
if st.button("Renew"):
    user.token(refused=user.token())
    st.text(f"renewed={user.can('people:read')}")

def sales():
    user.require("sales:read")
    st.text("the sales")

def people():
    user.require("people:read")
    st.text("the people")

def elsewhere():
    told = []
    def ask():
        try:
            user.require("people:read")
        except st_auth.errors.PermissionDenied as denied:
            told.append(denied.permission)
    thread = threading.Thread(target=user.bind(ask))
    thread.start()
    thread.join()
    st.text(f"told={told}")

st.navigation([st.Page(sales, default=True), st.Page(people), st.Page(elsewhere)]).run()
"""
RULES = """
[roles]
analysts = ["sales:read"]
leads = ["sales:*", "people:read"]
"""
PEOPLE = {
    "ana": {"name": "Ana", "groups": ["analysts"]},
    "lea": {"name": "Lea", "groups": ["leads"]},
    "noa": {"name": "Noa", "groups": ["others"]},
}


@pytest.fixture
def issuer():
    with FakeIssuer(serve=True, people=PEOPLE) as issuer:
        yield issuer


@pytest.fixture
def one(app, issuer):
    one = app(APP, secrets=auth_secrets(**issuer.section()), st_auth={"allow": "anyone"}, begin=False)
    (one.folder / ".streamlit" / "rules.toml").write_text(RULES, "utf-8")
    one.start()
    return one


@pytest.fixture
def tab_of(one, person, issuer):
    def opened(name, path=""):
        issuer.person = name
        browser = person()
        assert browser.open(f"{one.origin}/auth/login?provider=default&next=%2F").is_streamlit
        return browser.tab(f"{one.url}{path}")

    return opened


def test_a19_a_pages_address_is_no_way_round_what_it_requires(tab_of):
    seen = {(name, page): tab_of(name, page) for name in PEOPLE for page in ("", "people")}

    assert [key for key, tab in seen.items() if "the sales" in tab.text] == [("ana", ""), ("lea", "")]
    assert [key for key, tab in seen.items() if "the people" in tab.text] == [("lea", "people")]
    assert all(tab.exceptions == [] for tab in seen.values())
    assert "“people:read”" in seen["ana", "people"].text
    assert "“sales:read”" in seen["noa", ""].text


def test_each_person_has_their_own_roles_whoever_else_is_here(tab_of):
    ana, lea, noa = tab_of("ana"), tab_of("lea"), tab_of("noa")
    for _ in range(2):
        for tab, roles, may in ((ana, "('analysts',)", "False"), (lea, "('leads',)", "True"), (noa, "()", "False")):
            tab.rerun()
            assert (tab.fact("roles"), tab.fact("may_export")) == (roles, may)


def test_claims_that_change_at_a_refresh_count_in_the_same_run(tab_of, issuer):
    ana = tab_of("ana")
    issuer.people["ana"]["groups"] = ["leads"]
    ana.click("Renew")
    assert ana.fact("renewed") == "True"
    issuer.people["ana"]["groups"] = []
    ana.click("Renew")
    assert ana.fact("renewed") == "False"
    assert "the sales" not in ana.text


def test_a_thread_of_ones_own_gets_an_error_in_place_of_a_page(tab_of):
    assert tab_of("ana", "elsewhere").fact("told") == "['people:read']"
