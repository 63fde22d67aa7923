"""The person's customers. Who may not see addresses finds *** there, and no margin: rules.toml says so, not this page."""

import streamlit as st

import st_auth

user = st_auth.require_login()
user.require("sales:read")

st.title("Customers")
least = st.slider("Revenue of at least, €", 0, 90_000, 0, step=5_000)
customers = user.query("select * from customers where revenue >= ? order by revenue desc", [least])
st.caption(f"{len(customers)} of the customers that you may see")
money = st.column_config.NumberColumn(format="euro")
st.dataframe(customers, hide_index=True, column_config={"revenue": money, "margin": money})
if customers.email.eq("***").all():
    st.caption("Addresses and margins are for people with the permissions “people:read” and “margins:read”.", text_alignment="left")
