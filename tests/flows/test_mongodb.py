"""A person's MongoDB in a real app: their documents, whichever way they ask; of no use to the next person, closed with the login."""

import pytest

from st_auth.testing import FakeIssuer
from tests.flows.people import secrets_of, tab_of
from tests.servers.mongodb_server import AUDIENCE, MongoDBServer
from tests.servers.processes import wait_until

APP = """
import sys
import types

import streamlit as st

import st_auth

user = st_auth.require_login()
st.button("Log out", on_click=st_auth.logout)
st.button("Again")
docs = user.connection("docs")
st.text(f"own={docs['people'].find_one()['owner']}")
st.text(f"frame={docs.query('people', ttl='10m')['owner'].tolist()}")
st.text(f"door={st.connection('docs')['people'].distinct('owner')}")
st.text(f"default={user.connection().query('orders')['owner'].unique().tolist()}")

kept = sys.modules.setdefault("kept_by_the_app", types.ModuleType("kept_by_the_app")).__dict__
kept.setdefault("first", (user.subject, docs["people"], docs["people"].find()))
whose, collection, cursor = kept["first"]
for name, act in (("collection", collection.find_one), ("cursor", lambda: next(cursor.rewind()))):
    try:
        st.text(f"kept {name}={act()['owner']}")
    except st_auth.errors.CrossSessionError as error:
        st.text(f"kept {name}={error.code}")
"""
PEOPLE = {name: {"name": name.title()} for name in ("ana", "bob")}


@pytest.fixture
def issuer():
    with FakeIssuer(serve=True, audience=AUDIENCE, people=PEOPLE) as issuer:
        yield issuer


@pytest.fixture
def server(issuer, tmp_path):
    with MongoDBServer(tmp_path, issuer=issuer.issuer, jwks_uri=f"{issuer.issuer}/jwks") as server:
        yield server


def test_two_people_are_themselves_whichever_way_they_ask_and_what_one_left_lying_about_is_of_no_use(app, person, issuer, server):
    one = app(APP, secrets=secrets_of(issuer, docs=server.section(default=True)), st_auth={"allow": "anyone"})
    tabs = {name: tab_of(person, issuer, one, name) for name in PEOPLE}

    for _ in range(2):
        for name, tab in tabs.items():
            tab.click("Again")
            assert tab.exceptions == []
            assert (tab.fact("own"), tab.fact("frame"), tab.fact("door"), tab.fact("default")) == (name, *[f"['{name}']"] * 3)
            kept = "ana" if name == "ana" else "other_session"
            assert (tab.fact("kept collection"), tab.fact("kept cursor")) == (kept, kept)
    assert server.facts()["live"] == {"ana": 1, "bob": 1}

    tabs["ana"].click("Log out", wait=False)
    wait_until(lambda: server.facts()["live"] == {"bob": 1}, "the end of ana's connections at the server")
    tabs["bob"].click("Again")
    assert (tabs["bob"].fact("own"), tabs["bob"].exceptions) == ("bob", [])
    one.stop()
    wait_until(lambda: server.facts()["sockets"] == 0, "the end of all connections when the app stops")
