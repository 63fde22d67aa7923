"""The scripts that are measured: the same page with our gate, with Streamlit's own login, and without any."""

from textwrap import dedent

_PAGE = """
st.title("Sales")
st.text_input("Region", "EMEA")
st.slider("Year", 2000, 2030, 2026)
left, right = st.columns(2)
left.metric("Orders", 1204, 3)
right.metric("Returns", 17, -2)
for name in ("north", "east", "south", "west"):
    st.write(f"**{name}**: 12")
st.button("Again")
"""

NO_LOGIN = f"import streamlit as st\n{_PAGE}"

WITH_ST_AUTH = f"import streamlit as st\nimport st_auth\n\nuser = st_auth.require_login()\n{_PAGE}st.text(user.name)\n"

_NATIVE_GATE = """
import streamlit as st

if not st.user.is_logged_in:
    st.button("Log in", on_click=st.login)
    st.stop()
"""

WITH_ST_LOGIN = f"{_NATIVE_GATE}{_PAGE}st.text(st.user.name)\n"


def native(body: str) -> str:
    """A script that lets nobody on without `st.login`."""
    return f"{_NATIVE_GATE}{dedent(body)}"


def gated(body: str) -> str:
    """The same behind `require_login()`."""
    return f"import streamlit as st\nimport st_auth\n\nuser = st_auth.require_login()\n{dedent(body)}"
