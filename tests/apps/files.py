"""One page of a person's own files, in every way that an app may ask for them."""

from concurrent.futures import ThreadPoolExecutor

import polars as pl
import pyarrow.dataset as ds
import streamlit as st

import st_auth

user = st_auth.require_login()
st.text(f"subject={user.subject}")
st.button("Log out", on_click=st_auth.logout)
st.button("Again")

lake = user.connection("lake")
st.text(f"own={lake.read_bytes('me').decode()}")
st.text(f"door={st.connection('lake').read_bytes('me').decode()}")
st.text(f"same={st.connection('lake').handle.raw is lake.raw}")

with lake.open("rows.parquet", "wb") as file:
    pl.DataFrame({"who": [user.subject] * 3}).write_parquet(file)
st.text(f"polars={set(pl.read_parquet(lake.open('rows.parquet'))['who'])}")
rows = ds.dataset("rows.parquet", filesystem=lake.filesystem).to_table()
st.text(f"arrow={set(rows.column('who').to_pylist())}")

files = lake.filesystem
kept = st.session_state.setdefault("kept", files)
with ThreadPoolExecutor(2) as threads:
    st.text(f"threads={set(threads.map(lambda _: kept.cat_file('me').decode(), range(4)))}")
    try:
        list(threads.map(lambda _: lake.read_bytes("me"), range(2)))
    except st_auth.errors.CrossSessionError as error:
        st.text(f"unbound={error.code}")


@st.cache_data
def shared():
    return kept.cat_file("me")


@st.cache_data
def given(it):
    return it


for name, act in (("cached", shared), ("hashed", lambda: given(files))):
    try:
        act()
    except TypeError as error:
        st.text(f"{name}={str(error)[:31]}")


@st.cache_resource
def box():
    return []


for other in box():
    if other[0] != user.subject:
        try:
            other[1].cat_file("me")
        except st_auth.errors.CrossSessionError as error:
            st.text(f"others={error.code}")
box().append((user.subject, files))
