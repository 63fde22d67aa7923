"""The dashboard, and beside it a page of the person's own Snowflake. `make demo-snowflake` starts it."""

import streamlit as st

dashboard = st.Page("app.py", title="Dashboard", icon=":material/monitoring:", default=True)
warehouse = st.Page("../warehouse.py", title="Warehouse", icon=":material/ac_unit:", url_path="warehouse")
st.navigation([dashboard, warehouse]).run()
