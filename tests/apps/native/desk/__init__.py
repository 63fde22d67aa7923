"""What the desk's pages share."""

import streamlit as st

REGIONS = {"eu": "Europe", "us": "Americas", "ap": "Asia and Pacific"}


@st.fragment
def who() -> None:
    """Name the person and let them log out: a fragment, so that the page's own work is not done again."""
    st.text(f"Logged in as {st.user.name}")
    if st.button("Log out"):
        st.logout()


def groups() -> list[str]:
    """Return the person's groups; the provider sends a list."""
    return sorted(st.user.get("groups") or [])
