import desk
import streamlit as st

st.title("Overview")
st.text(f"Good morning, {st.user.name}")
st.text(f"Region: {desk.REGIONS.get(st.user.get('region'), 'none')}")

for group in desk.groups():
    st.text(f"Group: {group}")
if "admins" in desk.groups():
    st.text("You may close the month.")
