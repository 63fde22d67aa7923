"""What somebody without a role sees."""

import streamlit as st

import st_auth

user = st_auth.require_login()
st.title(f"Hello, {user.name}")
st.info("You have no role yet, so there is nothing to show. Ask the sales team for access to your region.", icon=":material/lock:")
