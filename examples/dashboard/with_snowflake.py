"""The dashboard, and beside it a page of the person's own Snowflake. `make demo-snowflake` starts it."""

import streamlit as st
from menu import pages_of, sidebar

import st_auth

st.set_page_config("Sales dashboard", ":material/monitoring:", layout="wide")
user = st_auth.require_login()
warehouse = st.Page("../warehouse.py", title="Warehouse", icon=":material/ac_unit:", url_path="warehouse")
page = st.navigation([*pages_of(user), warehouse])
if page != warehouse:  # it has a button of its own to log out
    sidebar(user)
page.run()
