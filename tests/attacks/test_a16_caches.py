"""A-16: nothing of one person's comes to another through a function that Streamlit caches for everybody."""

import pytest

from st_auth.app import gate, place
from st_auth.personal import Personal


def _cached_or_not() -> None:
    gate.in_cached_function = type("Never", (), {"get": staticmethod(lambda: False)})
    place.ScriptPlace.is_shared = lambda self: False


def _hashed_as_one() -> None:
    _cached_or_not()
    Personal.__reduce_ex__ = lambda self, protocol: (str, ("somebody",))
    Personal.__reduce__ = lambda self: (str, ("somebody",))


DISARM = {"A-16": _cached_or_not, "A-16.b": _hashed_as_one, "A-16.c": _cached_or_not}

WHO = "select getvariable('st_auth_user') as me"
APP = f"""\
import streamlit as st
import st_auth

user = st_auth.require_login()
st.text(f"subject={{user.subject}}")

def shown(name, act):
    try:
        st.text(f"{{name}}={{act()}}")
    except TypeError as error:
        st.text(f"{{name}}=refused")
        st.text(f"why={{error}}")

@st.cache_data
def by_closure():
    return user.connection("local").query({WHO!r})["me"][0]

@st.cache_resource
def by_door():
    return st.connection("local").query({WHO!r})["me"][0]

@st.cache_data
def by_gate():
    return st_auth.require_login().query({WHO!r})["me"][0]

@st.cache_data
def by_argument(handle):
    return handle.query({WHO!r})["me"][0]

shown("own", lambda: user.query({WHO!r})["me"][0])
shown("closure", by_closure)
shown("door", by_door)
shown("gate", by_gate)
shown("argument", lambda: by_argument(user.connection("local")))
shown("kept", lambda: user.query({WHO!r}, ttl="1h")["me"][0])
"""


@pytest.fixture
def tabs(app, logged_in, tmp_path):
    connections = {"local": {"type": "st_auth.DuckDBConnection", "path": _a_file(tmp_path), "rules": "engine"}}
    one = app(APP, connections=connections)
    return [logged_in(one, name).tab(one.url) for name in ("alice", "bob")]


def _a_file(folder):
    import duckdb

    duckdb.connect(str(folder / "local.duckdb")).close()
    return str(folder / "local.duckdb")


def test_a16_a_cached_function_never_gives_one_persons_answer_to_another(tabs):
    for tab, name in zip(tabs, ("alice", "bob"), strict=True):
        assert (tab.fact("own"), tab.fact("kept")) == (name, name)
        assert {way: tab.fact(way) for way in ("closure", "door", "gate")} == dict.fromkeys(("closure", "door", "gate"), "refused")
        assert "shown to everybody" in tab.fact("why")


def test_a16b_a_handle_is_no_argument_of_a_cached_function(tabs):
    assert [tab.fact("argument") for tab in tabs] == ["refused", "refused"]


def test_a16c_a_result_that_is_kept_for_a_while_is_kept_for_its_own_person(tabs):
    for tab in tabs:
        tab.rerun()
    assert [(tab.fact("kept"), tab.fact("closure")) for tab in tabs] == [("alice", "refused"), ("bob", "refused")]
