"""A page of the person's own Snowflake: their role, their rows. Needs `[connections.warehouse]`; see docs/connections.md."""

import streamlit as st

import st_auth

user = st_auth.require_login()
st.title("Warehouse")
st.sidebar.button("Log out", on_click=st_auth.logout)

warehouse = user.connection("warehouse")
try:
    me = warehouse.query("select current_user() as me, current_role() as role", ttl="10m")
    least = st.slider("Orders of at least", 0, 1000, 0)
    orders = warehouse.query("select region, amount from orders where amount >= %s order by amount", params=(least,))
except st_auth.errors.ConnectionFailed as error:
    st.error(f"{error}\n\n{error.hint}")
    st.stop()

st.caption(f"{me['ME'][0]} as {me['ROLE'][0]}")
st.dataframe(orders, hide_index=True)
st.metric("Total", int(orders["AMOUNT"].sum()))
