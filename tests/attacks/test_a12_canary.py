"""A-12: the app's code never holds our cookies, so nothing that it shows, logs or raises can hold them."""

from st_auth.web import gate


def _leave_cookies_in() -> None:
    read = gate.read_cookies

    def reading(headers, names, hidden):
        ours, _ = read(headers, names, hidden)
        return ours, b"; ".join(v for k, v in headers if k == b"cookie")

    gate.read_cookies = reading


DISARM = {"A-12": _leave_cookies_in}

APP = """\
import streamlit as st
import st_auth

user = st_auth.require_login()
st.write(st.context.cookies.to_dict(), st.context.headers.to_dict(), st.user.to_dict(), user, user.session, repr(user.claims))
st.json(st.context.cookies.to_dict())
print(st.context.cookies.to_dict(), st.context.headers.to_dict(), flush=True)
if st.button("Break"):
    everything = dict(st.context.cookies), dict(st.context.headers)
    raise RuntimeError(f"{everything}")
"""


def test_a12_no_cookie_of_ours_is_in_any_message_log_or_traceback(app, logged_in):
    one = app(APP)
    alice = logged_in(one, "alice")
    alice.open(f"{one.origin}/auth/login?provider=default", follow=False)
    ours = [c for c in alice.jar.for_host() if "st_auth-" in c.name]
    assert {c.name.rpartition("-a-")[1] for c in ours} == {"", "-a-"}, "the session's, and one of a login that was begun"
    tab = alice.tab(one.url)
    tab.click("Break")
    assert tab.exceptions

    said = b"".join(m.SerializeToString() for m in tab.messages).decode("latin-1") + one.output

    assert "_streamlit_xsrf" in said, "the app does see its own cookies"
    assert [c.name for c in ours if c.value in said or c.name in said] == []
