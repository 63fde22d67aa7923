import streamlit as st

st.title("Account")
st.text(f"E-mail: {st.user.email} (verified: {st.user.email_verified is True})")
st.text(f"Provider: {st.user.provider}")
st.text(f"Claims: {', '.join(sorted(st.user.to_dict()))}")
st.text(f"Tokens: {', '.join(sorted(st.user.tokens))}")
st.text(f"ID token parts: {len(st.user.tokens['id'].split('.'))}")
