"""A dashboard that shows each person their own rows. `make demo` starts it."""

from zoneinfo import ZoneInfo

import streamlit as st
from data import monthly, orders_for, regions_of

import st_auth

st.set_page_config("Sales dashboard", ":material/monitoring:", layout="wide")
user = st_auth.require_login()

with st.sidebar:
    zone = ZoneInfo(st.context.timezone or "UTC")
    until, idle = (time.astimezone(zone) for time in (user.session.expires_at, user.session.idle_expires_at))
    st.subheader(user.name, divider="gray")
    st.text(f"{user.email}\nGroups: {', '.join(user.groups) or 'none'}")
    st.caption(f"You stay logged in until {until:%H:%M}, or until {idle:%H:%M} if you are away.")
    st.button("Log out", on_click=st_auth.logout, icon=":material/logout:", width="stretch")

st.title(f"Hello, {user.name}")
if not (regions := regions_of(user)):
    st.info("You have no role yet, so there is nothing to show. Ask the sales team for access to your region.", icon=":material/lock:")
    st.stop()

orders = orders_for(user)
*_, before, now = monthly(orders)
st.caption(f"{', '.join(regions)} · {len(orders)} rows · {now.month:%B %Y} against the month before")
measures = {"Revenue, €": "revenue", "Orders": "orders", "€ per order": "per_order"}
for column, (label, measure) in zip(st.columns(3), measures.items(), strict=True):
    new, old = getattr(now, measure), getattr(before, measure)
    column.metric(label, f"{new:,.0f}", f"{new / old - 1:+.1%}", border=True)

by = "region" if len(regions) > 1 else "product"
st.subheader(f"Revenue by {by}")
chart = orders.pivot_table("revenue", "month", by, "sum")
st.bar_chart(chart.set_index(chart.index.strftime("%b")), sort=False, x_label="", y_label="€")
money, month = st.column_config.NumberColumn(format="euro"), st.column_config.DateColumn(format="MMM YYYY")
st.dataframe(orders, hide_index=True, column_config={"month": month, "revenue": money})
if user.can("sales:export"):
    st.download_button("Export", orders.to_csv(index=False), "orders.csv", "text/csv", icon=":material/download:")
