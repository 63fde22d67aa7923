"""The rows that the person may see, month by month. Nothing here says which: the rules are put into the statement."""

import streamlit as st
from data import MONTHLY, monthly

import st_auth

user = st_auth.require_login()
user.require("sales:read")

orders = user.query(MONTHLY)
regions = sorted(orders.region.unique())
st.title(f"Hello, {user.name}")
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
