"""What everybody sees at the side, and which pages somebody may open: .streamlit/rules.toml decides, by permissions."""

from zoneinfo import ZoneInfo

import data
import streamlit as st
from streamlit.navigation.page import StreamlitPage

import st_auth


def sidebar(user: st_auth.User) -> None:
    """Who is here, until when, and the way out."""
    zone = ZoneInfo(st.context.timezone or "UTC")
    until, idle = (time.astimezone(zone) for time in (user.session.expires_at, user.session.idle_expires_at))
    with st.sidebar:
        st.subheader(user.name, divider="gray")
        st.text(f"{user.email}\nGroups: {', '.join(user.groups) or 'none'}")
        st.caption(f"You stay logged in until {until:%H:%M}, or until {idle:%H:%M} if you are away.")
        st.button("Log out", on_click=st_auth.logout, icon=":material/logout:", width="stretch")


def pages_of(user: st_auth.User) -> list[StreamlitPage]:
    """The pages that somebody may open; a page asks again by itself, as an address can be typed."""
    data.build()
    pages = [
        (st.Page("sales.py", title="Sales", icon=":material/monitoring:", default=True), "sales:read"),
        (st.Page("customers.py", title="Customers", icon=":material/group:"), "sales:read"),
        (st.Page("look_as.py", title="Look as somebody else", icon=":material/visibility:"), "rules:preview"),
    ]
    return [page for page, needs in pages if user.can(needs)] or [st.Page("nothing.py", title="Nothing yet", icon=":material/lock:")]
