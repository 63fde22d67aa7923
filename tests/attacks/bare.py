"""The same page as tests/apps/probe.py as far as it goes, as a team has it today: `st.login` alone. Attacks marked "native" meet this."""

import json

import streamlit as st

if not st.user.is_logged_in:
    st.button("Log in", on_click=st.login)
    st.stop()

PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d49444154789c63f8cfc0f01f00050001ff7a3bd6990000000049454e44ae426082"
)

st.text(f"subject={st.user.sub}")
st.text(f"issuer={st.user.iss}")
st.text(f"name={st.user.get('name')}")
st.text(f"email={st.user.get('email')}")
st.text(f"st_user={json.dumps(st.user.to_dict(), sort_keys=True, ensure_ascii=False, default=str)}")

st.session_state.setdefault("count", 0)
if st.button("Count"):
    st.session_state.count += 1
st.text(f"count={st.session_state.count}")

st.text(f"note={st.text_input('Note', key='note')}")

given = st.file_uploader("File", key="file")
st.text(f"file={given.getvalue().decode('utf-8', 'replace') if given else ''}")

st.image(PIXEL)
st.download_button("Download", data=f"a file of {st.user.sub}", file_name="mine.txt")


@st.fragment(run_every=1)
def clock() -> None:
    """Count by itself, once a second."""
    st.session_state["ticks"] = st.session_state.get("ticks", 0) + 1
    st.text(f"ticks={st.session_state.ticks}")


clock()

st.text(f"headers={json.dumps(dict(st.context.headers), sort_keys=True)}")
st.text(f"cookies={json.dumps(dict(st.context.cookies), sort_keys=True)}")

st.button("Log out", on_click=st.logout)
if st.button("st.logout"):
    st.logout()
