"""The gate as the script calls it: who is here, log in, log out."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

import streamlit as st

from st_auth import streamlit_facts as facts
from st_auth.app.place import PLACE
from st_auth.errors import ConfigError, LoginRequired, Problem, Unavailable
from st_auth.personal import SHARED
from st_auth.streamlit_facts import LOGIN_ID_KEY, in_cached_function, login_and_core
from st_auth.user import User

if TYPE_CHECKING:
    from st_auth.core import Core
    from st_auth.live import LiveSession

__all__ = ["current_user", "link", "login", "logout", "require_login"]

_NOBODY: Final = "Nobody is logged in here."
_OUTSIDE: Final = "Start the app with `st-auth run app.py`; in a test use st_auth.testing.logged_in_as(...)."


def require_login(provider: str | None = None, *, max_age: int | None = None, acr: str | Sequence[str] | None = None) -> User:
    """Return the person who is logged in, or send the browser to log in and stop the script.

    Call it at the top of the script and of each page. `provider` names one `[auth.NAME]` section, where there are several;
    a person who is logged in with another one is asked to log in with that.

    `max_age` asks for a person who showed who they are within so many seconds, `acr` for one of these ways of doing so, as the
    provider names them (OpenID Connect Core 1.0 section 2). Otherwise the page asks for it with a button and stops; the login opens
    in a new tab, and when it is done the page runs again with every widget as it was.

    Raises LoginRequired (`no_session`) where no browser can be sent anywhere: outside of a server, in Streamlit's script health
    check, in AppTest without `st_auth.testing`.
    """
    user = current_user()
    if user is None:
        _ask(provider)
    elif provider is not None and user.provider != provider:
        _ask_for_another(provider)
    elif max_age is not None or acr is not None:
        _require_confirmed(user, max_age, acr)
    return user  # type: ignore[return-value]  # _ask stops the script or raises


def current_user() -> User | None:
    """Return the person who is logged in, or None. Never redirects; costs no I/O."""
    login_id, core = login_and_core()
    if core is None:
        return None
    live: LiveSession | None = core.live.by_login.get(login_id)
    if live is None or live.ended or core.clock.monotonic() >= live.over_at:
        return None
    if in_cached_function.get():
        raise TypeError(SHARED)
    user = live.anchor
    if type(user) is not User:
        user = live.anchor = User(live, PLACE, core.grants, core.pool)
    return user


def login(provider: str | None = None) -> None:
    """Send the browser to log in, and come back to this page. Does nothing for somebody who is logged in, or just was.

    `provider` names one `[auth.NAME]` section; without it a single provider is gone to directly, and several are offered.
    """
    context = facts.script_run_ctx()
    if context is None or _began_with_login(context):
        return
    facts.send_to(context, _login_url(context, provider))


def logout() -> None:
    """End this login: here, in every other open tab of it, and at the provider where it has an address for that.

    Works as a callback: `st.button("Log out", on_click=st_auth.logout)`.
    """
    context = facts.script_run_ctx()
    core: Core | None = facts.core()
    if context is None or core is None:
        return
    live = core.live.by_login.get(str(context.user_info.get(LOGIN_ID_KEY) or ""))
    if live is None:
        return
    try:
        core.grants.finish(live.stored, "logout", farewell=True)
    except Unavailable:
        core.live.unfinished[live.stored.record_key] = (live.stored, "logout")
    here = facts.socket_of(context.session_id)
    core.live.end(live, "logout", keep=here)
    if here is not None:
        here.leave_to(f"{core.config.base_path}/auth/logout")


def link(provider: str, label: str | None = None) -> bool:
    """Show a button with which the person links their account at another provider; True once that is done.

        if st_auth.link("snowflake"):
            token = user.token("snowflake")

    `provider` names an `[auth.NAME]` section; `label` is what the button says. The link lasts as long as this login.
    Raises LoginRequired (`no_session`) where nobody is logged in, ConfigError for a name that is not configured.
    """
    from st_auth.app.ask import url_of

    user, core = current_user(), facts.core()
    if user is None or core is None:
        raise LoginRequired(_NOBODY, code="no_session", hint="Call st_auth.require_login() first.")
    if provider not in core.clients:
        known = ", ".join(core.clients)
        raise ConfigError([Problem(".streamlit/secrets.toml", f"auth.{provider}", "is not there", f"name one of: {known}")])
    if user.is_linked(provider):
        return True
    text = label or f"Connect {core.clients[provider].provider.label}"
    st.link_button(text, url_of(user.session.login_id, provider, None, (), stopped=False))
    return False


def _ask(provider: str | None) -> None:
    """Send the tab to log in and stop; fail closed where there is no tab."""
    context = facts.script_run_ctx()
    if context is None or not facts.runtime_exists():
        raise LoginRequired(_NOBODY, code="no_session", hint=_OUTSIDE)
    if facts.core() is None:
        _attach()
    elif not _is_tab(context):
        raise LoginRequired(_NOBODY, code="no_session", hint=_OUTSIDE)
    if not _began_with_login(context):
        facts.send_to(context, _login_url(context, provider))
    st.stop()


def _require_confirmed(user: User, max_age: int | None, acr: str | Sequence[str] | None) -> None:
    from st_auth.app import ask

    ways, core = ask.acr_of(acr), facts.core()
    if not ask.shows(user, max_age, ways, core.clock.now().timestamp()):
        ask.confirm(user, max_age, ways)


def _ask_for_another(provider: str) -> None:
    context = facts.script_run_ctx()
    st.info(f"This page needs a login with “{provider}”.")
    st.link_button("Log in", _login_url(context, provider))
    st.stop()


def _attach() -> None:
    """Plain `streamlit run`: put the middleware in front of the running server, once."""
    from st_auth.app.attach import attach

    try:
        attach()
    except ConfigError as error:
        st.error("The login of this app is not set up.")
        st.code(str(error), language=None)
        st.stop()


def _began_with_login(context: Any) -> bool:
    """Whether this run began with a login: then its socket sends the tab where it belongs, and no login is pushed over that."""
    login_id = context.user_info.get(LOGIN_ID_KEY)
    return bool(login_id) and not str(login_id).startswith("anonymous-")


def _is_tab(context: Any) -> bool:
    """Whether a browser's tab is behind this run: only then the middleware has said so, if only that nobody is logged in."""
    return LOGIN_ID_KEY in context.user_info


def _login_url(context: Any, provider: str | None) -> str:
    core: Core | None = facts.core()
    base = core.config.base_path if core is not None else ""
    wanted = f"provider={quote(provider)}&" if provider else ""
    return f"{base}/auth/login?{wanted}next={quote(facts.tab_path(context), safe='')}"
