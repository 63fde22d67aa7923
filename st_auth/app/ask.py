"""What a page asks of a person who is logged in: to show again who they are, or to link an account at a second provider."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import streamlit as st

from st_auth import streamlit_facts as facts
from st_auth.errors import ConfigError, LoginRequired, Problem
from st_auth.user import User
from st_auth.web.step_up import Asked

if TYPE_CHECKING:
    from st_auth.core import Core

__all__ = ["confirm", "link", "shows"]

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
    url = _url(user.session.login_id, user.provider, max_age, acr)
    with st.container(border=True):
        st.markdown("**Please confirm that it is you.** This page needs a fresh login. It stays as it is meanwhile.")
        st.link_button("Confirm in a new tab", url, type="primary")
    st.stop()


def link(provider: str, label: str | None = None) -> bool:
    """Show a button with which the person links their account at another provider; True once that is done.

        if st_auth.link("snowflake"):
            token = user.token("snowflake")

    `provider` names an `[auth.NAME]` section; `label` is what the button says. The link lasts as long as this login.
    Raises LoginRequired (`no_session`) where nobody is logged in, ConfigError for a name that is not configured.
    """
    from st_auth.app.gate import current_user

    user, core = current_user(), facts.core()
    if user is None or core is None:
        raise LoginRequired("Nobody is logged in here.", code="no_session", hint="Call st_auth.require_login() first.")
    if provider not in core.clients:
        known = ", ".join(core.clients)
        raise ConfigError([Problem(".streamlit/secrets.toml", f"auth.{provider}", "is not there", f"name one of: {known}")])
    if user.is_linked(provider):
        return True
    text = label or f"Connect {core.clients[provider].provider.label}"
    st.link_button(text, _url(user.session.login_id, provider, None, ()))
    return False


def acr_of(acr: str | Sequence[str] | None) -> tuple[str, ...]:
    """The ways of logging in that a page accepts, as a tuple."""
    return () if acr is None else (acr,) if isinstance(acr, str) else tuple(acr)


def _url(login_id: str, provider: str, max_age: int | None, acr: tuple[str, ...]) -> str:
    """A link that only this login may follow; the tab that shows it waits for what comes of it."""
    context: Any = facts.script_run_ctx()
    core: Core | None = facts.core()
    socket = facts.socket_of(context.session_id) if context is not None else None
    if core is None or socket is None:
        raise LoginRequired("This page needs a login that is fresher or stronger.", code="step_up_required", hint=_HERE)
    socket.wait_for_person()
    asked = Asked(login_id, provider, max_age, acr)
    return f"{core.config.base_path}/auth/login?ask={quote(core.sign('ask', asked.to_list()), safe='')}"
