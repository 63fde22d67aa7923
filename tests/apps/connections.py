"""One page of a person's own warehouse, in every way that an app may ask for it."""

from concurrent.futures import ThreadPoolExecutor

import streamlit as st

import st_auth

user = st_auth.require_login()
st.text(f"subject={user.subject}")
st.button("Log out", on_click=st_auth.logout)
st.button("Again")

ME = "select current_user() as me"
st.text(f"own={user.connection('warehouse').query(ME)['ME'][0]}")
st.text(f"default={user.query(ME)['ME'][0]}")
st.text(f"door={st.connection('warehouse').query(ME)['ME'][0]}")
st.text(f"kept={user.query(ME, ttl='10m')['ME'][0]}")
st.text(f"same={st.connection('warehouse').handle.raw is user.connection('warehouse').raw}")


def in_a_thread(_):
    return user.connection("warehouse").query(ME)["ME"][0]


with ThreadPoolExecutor(4) as threads:
    st.text(f"threads={sorted(set(threads.map(user.bind(in_a_thread), range(8))))}")
    try:
        list(threads.map(in_a_thread, range(2)))
    except st_auth.errors.CrossSessionError as error:
        st.text(f"unbound={error.code}")


@st.fragment(run_every=0.5)
def ticking():
    st.text(f"tick={user.query(ME)['ME'][0]}")


if "tick" in st.query_params:
    ticking()
