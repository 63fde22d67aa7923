"""The smallest app with a login: `st-auth run examples/hello.py`."""

import streamlit as st

import st_auth

user = st_auth.require_login()
st.title(f"Hello, {user.name}")
st.button("Log out", on_click=st_auth.logout)
