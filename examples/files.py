"""A page of the person's own files in a bucket: look, open, upload. Needs `[connections.lake]`; see docs/files.md."""

import pandas as pd
import streamlit as st

import st_auth

user = st_auth.require_login()
st.title("Your files")
st.sidebar.button("Log out", on_click=st_auth.logout)
lake = user.connection("lake")

with st.form("upload", clear_on_submit=True, border=False):
    upload = st.file_uploader("Add a table", type=["csv", "parquet"])
    is_sent = st.form_submit_button("Upload")

try:
    if is_sent and upload is not None:
        lake.write_bytes(f"uploads/{upload.name}", upload.getvalue())
        st.toast(f"{upload.name} is in your folder.")
    tables = [path for path in lake.glob("**") if path.endswith((".csv", ".parquet"))]
    if not tables:
        st.info("There is no table in your folder yet.")
        st.stop()
    chosen = st.selectbox("Table", tables)
    with lake.open(chosen) as file:
        table = pd.read_parquet(file) if chosen.endswith(".parquet") else pd.read_csv(file)
except st_auth.errors.ConnectionFailed as error:
    st.error(f"{error}\n\n{error.hint}")
    st.stop()

about = lake.info(chosen)
st.caption(f"{about['size']:,} bytes, written {about['mtime']:%d %B %Y, %H:%M} UTC")
st.dataframe(table, hide_index=True)
