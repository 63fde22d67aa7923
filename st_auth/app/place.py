"""Where app code stands: in whose run of the script, in which thread, in a cached function or not."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from contextvars import ContextVar
from functools import wraps
from typing import Any, Final, NoReturn, TypeVar

import streamlit as st

from st_auth import streamlit_facts as facts
from st_auth.errors import CrossSessionError, PermissionDenied
from st_auth.personal import SHARED

__all__ = ["PLACE", "ScriptPlace"]

T = TypeVar("T")

_BIND: Final = "Give the thread user.bind(function) in place of the function."
_OWN: Final = "Take user = st_auth.require_login() and user.connection(…) in the run that uses them, and keep them out of what is shared."
_is_bound: ContextVar[bool] = ContextVar("st_auth_is_bound", default=False)  # of this thread alone: set and reset around one call


class ScriptPlace:
    """The run of the script that this thread belongs to. Whose it is comes from Streamlit's context of this run, and from nowhere else."""

    def is_shared(self) -> bool:
        """Whether this is a function whose result Streamlit caches for everybody."""
        return facts.in_cached_function.get()

    def require(self, login_id: str) -> None:
        """Raise unless this is a run of that login's, and no function that is cached for everybody."""
        if self.is_shared():
            raise TypeError(SHARED)
        context = facts.script_run_ctx()
        if context is None or not (_is_bound.get() or facts.is_own_thread(context)):
            message = "This thread belongs to nobody's page, so it may not use anybody's connection."
            raise CrossSessionError(message, code="no_run", hint=_BIND)
        if context.user_info.get(facts.LOGIN_ID_KEY) != login_id:
            raise CrossSessionError("This connection belongs to another login.", code="other_session", hint=_OWN)

    def wait(self, text: str) -> AbstractContextManager[object]:
        """Show a spinner on the page, from the script's own thread; others would draw where they do not belong."""
        return nullcontext() if _is_bound.get() or facts.script_run_ctx() is None else st.spinner(text)

    def refuse(self, denied: PermissionDenied) -> NoReturn:
        """Say on the page what is missing, and stop; raise it where nothing is drawn."""
        if _is_bound.get() or not facts.is_for_drawing():
            raise denied
        st.subheader("You may not open this", anchor=False)
        st.warning(f"{denied} {denied.hint}", icon=":material/lock:")
        st.stop()

    def ask_for_login(self, login_id: str, name: str, server: str) -> None:
        """Ask the person for their own login to a connection where the page is drawn; elsewhere return."""
        from st_auth.app.ask import ask_for_login

        if facts.is_for_drawing() and not _is_bound.get():
            ask_for_login(login_id, name, server)

    def bind(self, act: Callable[..., T]) -> Callable[..., T]:
        """Return `act` for another thread, where it runs as a part of this run; in a run of somebody else's it refuses."""
        run = facts.script_run_ctx()
        if run is None:
            message = "This thread belongs to nobody's page, so there is nothing to bind to."
            raise CrossSessionError(message, code="no_run", hint="Call user.bind(function) in the script and give that to the thread.")
        login_id = run.user_info.get(facts.LOGIN_ID_KEY)

        @wraps(act)
        def bound(*arguments: Any, **named: Any) -> T:
            here = facts.script_run_ctx()
            if here is not None and here.user_info.get(facts.LOGIN_ID_KEY) != login_id:
                raise CrossSessionError("This function is bound to another login.", code="other_session", hint=_OWN)
            token = _is_bound.set(True)
            try:
                with facts.in_run(run):
                    return act(*arguments, **named)
            finally:
                _is_bound.reset(token)

        return bound


PLACE: Final = ScriptPlace()
