"""A database that each person enters with their own name and password, between widgets that keep what was typed."""

import streamlit as st

import st_auth

user = st_auth.require_login()
erp = user.connection("erp")
st.text(f"subject={user.subject}")
st.text_input("Above")
st.button("Again")
st.button("Log out of erp", on_click=erp.forget_login)
ME = "select session_user::text as me"


def in_a_thread():
    try:
        return str(erp.query(ME)["me"][0])
    except st_auth.errors.LoginRequired as error:
        return error.code


if st.toggle("Thread"):
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(1) as threads:
        st.text(f"thread={threads.submit(user.bind(in_a_thread)).result()}")


@st.fragment
def part():
    st.button("Quietly", on_click=lambda: st.session_state.update(quietly=in_a_thread()))
    st.text(f"quietly={st.session_state.get('quietly')}")
    if st.toggle("Inside"):
        st.text(f"inside={erp.query(ME)['me'][0]}")


part()
if st.toggle("Orders"):
    st.text(f"me={erp.query(ME)['me'][0]}")
    st.text(f"orders={list(erp.query('select id from orders order by id')['id'])}")
if st.toggle("State"):
    st.text(f"state={dict(st.session_state)!r}")
st.text_input("Below")
