"""The sales desk of a small company, written for Streamlit's own `st.login`. Nothing here knows of st_auth."""

import streamlit as st

import desk

st.set_page_config(page_title="Sales desk", page_icon=":material/storefront:")

if st.user.is_logged_in is True:
    pages = [
        st.Page("desk/overview.py", title="Overview", default=True),
        st.Page("desk/orders.py", title="Orders", url_path="orders"),
        st.Page("desk/account.py", title="Account", url_path="account"),
    ]
    with st.sidebar:
        desk.who()
else:
    pages = [st.Page("desk/welcome.py", title="Welcome", default=True)]

st.navigation(pages).run()
