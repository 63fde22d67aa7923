"""What a page asks of a person who is logged in: to show again who they are, to link an account at a second provider, or to log in to a
database of their own.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import streamlit as st

from st_auth import streamlit_facts as facts
from st_auth.errors import LoginRequired
from st_auth.user import User
from st_auth.web.connect import connect_url
from st_auth.web.step_up import Asked

if TYPE_CHECKING:
    from st_auth.core import Core

__all__ = ["acr_of", "ask_for_login", "confirm", "shows", "url_of"]

_HERE = "Start the app with `st-auth run app.py`: only a browser's tab can be asked."


def shows(user: User, max_age: int | None, acr: tuple[str, ...], now: float) -> bool:
    """Whether the person showed who they are within `max_age` seconds and in one of the ways of `acr` (OpenID Connect Core 2)."""
    authenticated: Any = user.claims.get("auth_time")
    way = user.claims.get("acr")
    if max_age is not None and (type(authenticated) not in (int, float) or now - authenticated > max_age):
        return False
    return not acr or way in acr


def confirm(user: User, max_age: int | None, acr: tuple[str, ...]) -> None:
    """Ask the person to show again who they are, in a new tab, and stop this run; the page stays and runs again when it is done."""
    url = url_of(user.session.login_id, user.provider, max_age, acr, stopped=True)
    with st.container(border=True):
        st.markdown("**Please confirm that it is you.** This page needs a fresh login. Nothing that you typed is lost.")
        st.link_button("Confirm in a new tab", url, type="primary")
    st.stop()


def acr_of(acr: str | Sequence[str] | None) -> tuple[str, ...]:
    """The ways of logging in that a page accepts, as a tuple."""
    return () if acr is None else (acr,) if isinstance(acr, str) else tuple(acr)


def ask_for_login(login_id: str, name: str, server: str) -> None:
    """Ask the person for their own login to a connection, on a page of ours in a new tab, and stop this run, as `confirm` does.

    Returns where no browser can be asked. Neither name nor password comes by here: this shows a link.
    """
    core = _waiting(stopped=True)
    if core is None:
        return
    where = f" at `{server}`" if server else ""
    with st.container(border=True):
        text = f"**Please log in to `{name}`**{where} with your own name and password. They are asked for once in each login here."
        st.markdown(f"{text} Nothing that you typed is lost.")
        st.link_button("Log in to it in a new tab", connect_url(core, login_id, name), type="primary")
    st.stop()


def url_of(login_id: str, provider: str, max_age: int | None, acr: tuple[str, ...], *, stopped: bool) -> str:
    """A link that only this login may follow; the tab that shows it waits for what comes of it."""
    core = _waiting(stopped=stopped)
    if core is None:
        raise LoginRequired("This page needs a login that is fresher or stronger.", code="step_up_required", hint=_HERE)
    asked = Asked(login_id, provider, max_age, acr)
    return f"{core.config.base_path}/auth/login?ask={quote(core.sign('ask', asked.to_list()), safe='')}"


def _waiting(*, stopped: bool) -> "Core | None":
    """Let this run's tab wait for what the person does in another one; our core, or None where there is no tab."""
    context: Any = facts.script_run_ctx()
    core: Core | None = facts.core()
    socket = facts.socket_of(context.session_id) if context is not None else None
    if core is None or socket is None:
        return None
    socket.wait_for_person(stopped=stopped)
    return core
