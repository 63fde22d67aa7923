"""A-17: a thread that has once worked for one person does not act as that person for another."""

import pytest

from st_auth.app.place import ScriptPlace
from tests.attacks.test_a16_caches import _a_file


def _any_thread() -> None:
    ScriptPlace.require = lambda self, login_id: None


DISARM = {"A-17": _any_thread, "A-17.b": _any_thread}

WHO = "select getvariable('st_auth_user') as me"
SHARED = """\
from concurrent.futures import ThreadPoolExecutor

threads = ThreadPoolExecutor(1)
kept = {}
"""
APP = f"""\
import threading
import streamlit as st
from streamlit.runtime.scriptrunner import add_script_run_ctx, get_script_run_ctx
import st_auth
import shared

user = st_auth.require_login()
st.text(f"subject={{user.subject}}")
shared.kept.setdefault("handle", user.connection("local"))
here = get_script_run_ctx()

def sticks():
    add_script_run_ctx(threading.current_thread(), here)
    return ask()

def ask():
    try:
        return st_auth.current_user().query({WHO!r})["me"][0]
    except (st_auth.errors.CrossSessionError, AttributeError) as error:
        return f"refused by {{getattr(error, 'code', 'nobody')}}"

def given():
    try:
        return shared.kept["handle"].query({WHO!r})["me"][0]
    except st_auth.errors.CrossSessionError as error:
        return f"refused by {{error.code}}"

def bound():
    return user.query({WHO!r})["me"][0]

if user.subject == "alice":
    st.text(f"stuck={{shared.threads.submit(sticks).result()}}")
else:
    st.text(f"stuck={{shared.threads.submit(ask).result()}}")
st.text(f"given={{given()}}")
st.text(f"bound={{shared.threads.submit(user.bind(bound)).result() if user.subject == 'alice' else bound()}}")
"""


@pytest.fixture
def tabs(app, logged_in, tmp_path):
    connections = {"local": {"type": "st_auth.DuckDBConnection", "path": _a_file(tmp_path), "rules": "engine"}}
    one = app(APP, connections=connections, begin=False)
    (one.folder / "shared.py").write_text(SHARED)
    one.start()
    return [logged_in(one, name).tab(one.url) for name in ("alice", "bob")]


def test_a17_a_pools_thread_that_keeps_one_persons_run_shows_another_nothing_of_theirs(tabs):
    alice, bob = tabs
    assert bob.fact("subject") == "bob"
    assert bob.fact("stuck") == "refused by no_run"
    assert alice.fact("bound") == "alice"


def test_a17b_a_handle_that_was_left_where_others_find_it_refuses_them(tabs):
    alice, bob = tabs
    assert (alice.fact("given"), bob.fact("given")) == ("alice", "refused by other_session")
