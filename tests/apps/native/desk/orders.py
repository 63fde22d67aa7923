import streamlit as st

ORDERS = [("eu", "Lamp", 40), ("eu", "Chair", 120), ("us", "Desk", 310), ("ap", "Shelf", 75)]

st.title("Orders")
status = st.query_params.get("status", "all")
st.text(f"Status: {status}")

mine = [(what, price) for region, what, price in ORDERS if region == st.user.region]
st.text(f"Orders: {', '.join(what for what, _ in mine) or 'none'}")
st.text(f"Total: {sum(price for _, price in mine)}")

st.session_state.setdefault("looked_at", 0)
if st.button("Look again"):
    st.session_state.looked_at += 1
st.text(f"Looked at: {st.session_state.looked_at}")
