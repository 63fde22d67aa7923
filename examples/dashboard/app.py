"""A dashboard that shows each person their own rows. `make demo` starts it."""

from zoneinfo import ZoneInfo

import streamlit as st
from data import orders_for, regions_of

import st_auth

st.set_page_config("Sales dashboard", ":material/monitoring:", layout="wide")
user = st_auth.require_login()

zone = ZoneInfo(st.context.timezone or "UTC")
with st.sidebar:
    st.subheader(user.name, divider="gray")
    st.text(f"{user.email}\nGroups: {', '.join(user.groups) or 'none'}")
    st.caption(f"You stay logged in until {user.session.expires_at.astimezone(zone):%H:%M}, or {user.session.idle_expires_at.astimezone(zone):%H:%M} if you are away.")
    st.button("Log out", on_click=st_auth.logout, icon=":material/logout:", width="stretch")

st.title(f"Hello, {user.name}")
if not regions_of(user):
    st.info("You have no role yet, so there is nothing to show. Ask the sales team for access to your region.", icon=":material/waving_hand:")
    st.stop()

orders = orders_for(user)
latest, before = orders[orders.month == orders.month.max()], orders[orders.month < orders.month.max()]
previous = before[before.month == before.month.max()]
st.caption(f"{', '.join(regions_of(user))} · {latest.month.max():%B %Y} against the month before")

for column, (label, measure, style) in zip(st.columns(3), (("Revenue", "revenue", "€{:,.0f}"), ("Orders", "orders", "{:,.0f}"), ("Rows you may see", None, "{:,}")), strict=True):
    now, then = (latest[measure].sum(), previous[measure].sum()) if measure else (len(orders), None)
    column.metric(label, style.format(now), f"{now / then - 1:+.1%}" if then else None, border=True)

by = "region" if orders.region.nunique() > 1 else "product"
st.subheader(f"Revenue by {by}")
st.bar_chart(orders.pivot_table("revenue", "month", by, "sum"), x_label="", y_label="€")
st.dataframe(orders, hide_index=True, column_config={"month": st.column_config.DateColumn(format="MMM YYYY"), "revenue": st.column_config.NumberColumn(format="euro")})
