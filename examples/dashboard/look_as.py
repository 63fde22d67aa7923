"""For whoever looks after the rules: what would somebody else see? Each look is a line of the audit log, with both names."""

import streamlit as st

import st_auth

user = st_auth.require_login()
user.require("rules:preview")

st.title("Look as somebody else")
left, right = st.columns(2)
groups = left.pills("Groups", ["analysts", "admins"], selection_mode="multi", default=["analysts"])
region = right.segmented_control("Region", ["am", "ap", "eu", "all"], default="eu")
seen = user.preview(groups, region=region or "")
statement = st.radio("Statement", ["select * from sales", "select * from customers", "select * from products"], horizontal=True)
try:
    st.dataframe(seen.query(statement), hide_index=True)
    st.code(seen.explain(statement).sql, language="sql", wrap_lines=True)
except st_auth.errors.PermissionDenied as denied:
    st.warning(f"{denied} {denied.hint}", icon=":material/lock:")
