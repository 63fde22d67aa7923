"""What a person may use in their own name: fresh tokens, a page that asks again who they are, and a second account."""

import hashlib
import json
import urllib.request

import streamlit as st

import st_auth

user = st_auth.require_login()


def whose(token: str, issuer: str) -> str:
    """Ask the provider whom a token speaks for."""
    request = urllib.request.Request(f"{issuer}{st.query_params.get('userinfo', '/me')}", headers={"Authorization": f"Bearer {token}"})
    with urllib.request.urlopen(request, timeout=10) as answer:
        return str(json.load(answer)["sub"])


st.text(f"subject={user.subject}")
st.text_input("Above")
st.button("Again")
if st.toggle("Tokens"):
    token = user.token()
    st.text(f"token={hashlib.sha256(token.encode()).hexdigest()[:12]}")
    st.text(f"speaks_for={whose(token, user.issuer)}")
    sales = user.token(resource="https://api.example/sales", exchange=True)
    st.text(f"sales={hashlib.sha256(sales.encode()).hexdigest()[:12]}")
if st.toggle("Lake") and st_auth.link("lake", "Connect the lake"):
    st.text(f"lake={whose(user.token('lake'), user.claims['lake_issuer']) if 'lake_issuer' in user.claims else 'linked'}")
if st.toggle("Careful"):
    st_auth.require_login(max_age=60)
    st.text(f"careful={user.claims['auth_time']}")
st.text_input("Below")
