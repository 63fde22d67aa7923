import streamlit as st

st.title("Sales desk")
st.write("Orders and customers of all regions. Please log in.")

if st.button("Log in as staff"):
    st.login("staff")
if st.button("Log in as a partner"):
    st.login("partners")
