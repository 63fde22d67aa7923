"""A dashboard that shows each person their own rows, columns and pages. `make demo` starts it."""

import streamlit as st
from menu import pages_of, sidebar

import st_auth

st.set_page_config("Sales dashboard", ":material/monitoring:", layout="wide")
user = st_auth.require_login()
sidebar(user)
st.navigation(pages_of(user)).run()
