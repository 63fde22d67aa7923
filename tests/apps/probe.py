"""An app that says in parseable lines what it knows: the tests read `name=value` from its page."""

import json

import streamlit as st

import st_auth

user = st_auth.require_login()

PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d49444154789c63f8cfc0f01f00050001ff7a3bd6990000000049454e44ae426082"
)

st.text(f"subject={user.subject}")
st.text(f"issuer={user.issuer}")
st.text(f"name={user.name}")
st.text(f"email={user.email}")
st.text(f"groups={','.join(user.groups)}")
st.text(f"claims={json.dumps(dict(user.claims), sort_keys=True, ensure_ascii=False, default=str)}")
st.text(f"st_user={json.dumps(st.user.to_dict(), sort_keys=True, ensure_ascii=False, default=str)}")
st.text(f"login_id={st.user.get('st_auth_login_id')}")
st.text(f"expires_at={user.session.expires_at.isoformat()}")
st.text(f"idle_expires_at={user.session.idle_expires_at.isoformat()}")
st.text(f"query={json.dumps(st.query_params.to_dict(), sort_keys=True)}")

st.session_state.setdefault("count", 0)
if st.button("Count"):
    st.session_state.count += 1
st.text(f"count={st.session_state.count}")

typed = st.text_input("Note", key="note")
st.text(f"note={typed}")

given = st.file_uploader("File", key="file")
st.text(f"file={given.getvalue().decode('utf-8', 'replace') if given else ''}")

st.image(PIXEL)
st.download_button("Download", data=f"a file of {user.subject}", file_name="mine.txt")


@st.fragment(run_every=1)
def clock() -> None:
    """Count by itself, once a second: what a page does that nobody touches."""
    st.session_state["ticks"] = st.session_state.get("ticks", 0) + 1
    st.text(f"ticks={st.session_state.ticks}")


clock()

st.text(f"headers={json.dumps(dict(st.context.headers), sort_keys=True)}")
st.text(f"cookies={json.dumps(dict(st.context.cookies), sort_keys=True)}")

st.button("Log out", on_click=st_auth.logout)
if st.button("st.logout"):
    st.logout()
