"""A-36: what any viewer may do to the server's caches takes nothing from anybody else."""

import pytest

from st_auth.app.doors import _Door
from tests.attacks.test_a16_caches import _a_file


def _keep_the_first_handle() -> None:
    kept = []
    own = _Door.handle.fget

    def handle(self):
        kept.append(own(self))
        return kept[0]

    _Door.handle = property(handle)


DISARM = {"A-36": _keep_the_first_handle}

WHO = "select getvariable('st_auth_user') as me"
APP = f"""\
import streamlit as st
import st_auth

user = st_auth.require_login()
st.text(f"subject={{user.subject}}")
st.button("Again")
try:
    me = st.connection("local").query({WHO!r})["me"][0]
    st.text(f"door={{me}}")
except st_auth.errors.CrossSessionError as error:
    st.text(f"door={{error.code}}")
st.text(f"raw={{id(user.connection('local').raw)}}")
kept = user.query("select random() as r", ttl="1h")["r"][0]
st.text(f"kept={{kept}}")
"""


@pytest.fixture
def tabs(app, logged_in, tmp_path):
    connections = {"local": {"type": "st_auth.DuckDBConnection", "path": _a_file(tmp_path), "rules": "engine"}}
    one = app(APP, connections=connections)
    return [logged_in(one, name).tab(one.url) for name in ("alice", "bob")]


def test_a36_a_viewer_who_clears_all_caches_leaves_others_their_connection_and_their_results(tabs):
    alice, bob = tabs
    before = (alice.fact("raw"), alice.fact("kept"))

    bob.clear_caches()
    bob.click("Again")
    alice.click("Again")

    assert (alice.fact("raw"), alice.fact("kept")) == before
    assert (alice.fact("door"), bob.fact("door")) == ("alice", "bob")
