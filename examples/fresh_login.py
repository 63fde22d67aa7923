"""Ask again who is there before something important: the page waits, and nothing that was typed is lost.

st-auth run examples/fresh_login.py
"""

import streamlit as st

import st_auth

user = st_auth.require_login()

st.title("Release a payment")
receiver = st.text_input("Receiver")
amount = st.number_input("Amount", min_value=0.0)

if st.toggle("Release"):
    st_auth.require_login(max_age=60)  # shown within the last minute, else they are asked in a new tab
    st.success(f"{user.name} releases {amount:.2f} to {receiver or 'nobody'}.")
