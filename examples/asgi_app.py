"""The same as an ASGI application: `streamlit run examples/asgi_app.py`."""

from pathlib import Path

import streamlit as st
from starlette.middleware import Middleware

import st_auth

app = st.App(str(Path(__file__).with_name("hello.py")), middleware=[Middleware(st_auth.Middleware)])
