"""The running server: its runtime, its applications, sockets and files, and the run of a script."""

import contextlib
import gc
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from streamlit import runtime as _runtime
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.runtime.scriptrunner_utils import script_run_context as _runs
from streamlit.runtime.scriptrunner_utils.script_run_context import ScriptRunContext, get_script_run_ctx, in_cached_function

from st_auth.streamlit_facts.options import LOGIN_ID_KEY

__all__ = [
    "SOCKET_KEY",
    "address",
    "app_of_runtime",
    "core",
    "event_loop",
    "files_of",
    "in_cached_function",
    "in_run",
    "is_authors_route",
    "is_deferred_for",
    "is_for_drawing",
    "is_own_thread",
    "login_and_core",
    "open_sockets",
    "run_again",
    "runtime_exists",
    "script_of",
    "script_run_ctx",
    "send_to",
    "set_core",
    "socket_of",
    "stand_in",
    "tab_path",
]

SOCKET_KEY: Final = "st_auth.socket"

_CORE_ATTRIBUTE = "_st_auth_core"  # as `core` has it
_Runtime = _runtime.Runtime
_SCRIPT_THREAD = "ScriptRunner.scriptThread"
_RUN = _runs.SCRIPT_RUN_CONTEXT_ATTR_NAME  # type: ignore[attr-defined]  # it moved since 1.62 and is still found here


def script_run_ctx() -> ScriptRunContext | None:
    """The context of this thread's script run; None outside of one. Never warns."""
    return get_script_run_ctx(suppress_warning=True)


def login_and_core() -> tuple[str, Any]:
    """The login id of this thread's script run, and our core: what the gate asks at each call, by the shortest way.

    `("", None)` where there is no run, or one of nobody.
    """
    try:
        login_id = getattr(threading.current_thread(), _RUN).user_info[LOGIN_ID_KEY]
    except (AttributeError, KeyError):
        return "", None
    try:
        return login_id, _Runtime._instance._st_auth_core  # type: ignore[union-attr]  # as `core` has it
    except AttributeError:
        return login_id, core()


@contextlib.contextmanager
def in_run(context: ScriptRunContext) -> Iterator[None]:
    """Let this thread be a part of a script's run while the block lasts; what it was a part of before comes back."""
    thread = threading.current_thread()
    before = getattr(thread, _RUN, None)
    setattr(thread, _RUN, context)
    try:
        yield
    finally:
        setattr(thread, _RUN, before)


def is_own_thread(context: ScriptRunContext) -> bool:
    """Whether this thread is a run's own: the script's, or that of a parallel fragment. One that was given the context by hand keeps it
    when its work for that run is done, and may be working for somebody else by now.
    """
    thread = threading.current_thread()
    if thread.name == _SCRIPT_THREAD:
        return True
    executor = getattr(getattr(context, "parallel_coordinator", None), "_executor", None)
    return thread in getattr(executor, "_threads", ())


def is_for_drawing() -> bool:
    """Whether this is a script's own thread, where the page is drawn, and no callback of a fragment's widget, which has no place there."""
    if threading.current_thread().name != _SCRIPT_THREAD:
        return False
    try:
        return not _runs.ThreadState.get().in_fragment_callback
    except (AttributeError, RuntimeError):  # an older Streamlit, whose context says so; or a thread that is no run's
        return not getattr(script_run_ctx(), "in_fragment_callback", False)


def send_to(context: ScriptRunContext, url: str) -> None:
    """Send the tab of this run to another page of this origin."""
    message = ForwardMsg()
    message.auth_redirect.url = url
    context.enqueue(message)


def tab_path(context: ScriptRunContext) -> str:
    """Path and query of the page that this run is for, as the browser's address bar has them."""
    parts = urlsplit(address(context.context_info.url if context.context_info else "", context.query_string))
    return f"{parts.path or '/'}{f'?{parts.query}' if parts.query else ''}"


def address(url: str, query: str) -> str:
    """A tab's address: Streamlit sends the query of it apart."""
    return f"{url.partition('?')[0]}?{query}" if query else url


def runtime_exists() -> bool:
    """Whether a Streamlit server runs in this process; the one that AppTest pretends to have is none."""
    return type(_runtime.Runtime._instance) is _runtime.Runtime


def core() -> Any:
    """Our core of the running server, or None. It hangs on the server's runtime, which outlives our modules' eviction."""
    try:
        return _Runtime._instance._st_auth_core  # type: ignore[union-attr]  # no server is an AttributeError too
    except AttributeError:  # no server, or one without us
        return _stand_in[-1] if _stand_in else None


def script_of(app_test: Any) -> Path:
    """The file of the script that an AppTest runs."""
    return Path(app_test._script_path)


@contextlib.contextmanager
def stand_in(core: Any) -> Iterator[None]:
    """For tests without a server: let `core` be found while the block runs."""
    _stand_in.append(core)
    try:
        yield
    finally:
        _stand_in.remove(core)


_stand_in: list[Any] = []


def set_core(core: Any) -> None:
    """Hang our core on the running server."""
    setattr(_runtime.get_instance(), _CORE_ATTRIBUTE, core)


def event_loop() -> Any:
    """The running server's event loop."""
    return _runtime.get_instance()._get_async_objs().eventloop


def socket_of(session_id: str) -> Any:
    """Our socket object of a Streamlit session, put into its scope by the middleware; None if there is none."""
    if not runtime_exists():
        return None
    info = _runtime.get_instance()._session_mgr.get_active_session_info(session_id)
    websocket = getattr(getattr(info, "client", None), "_websocket", None)
    return None if websocket is None else websocket.scope.get(SOCKET_KEY)


def open_sockets() -> list[Any]:
    """The Starlette WebSockets of all tabs that are connected now."""
    infos = _runtime.get_instance()._session_mgr.list_active_sessions()
    return [socket for info in infos if (socket := getattr(info.client, "_websocket", None)) is not None]


def is_deferred_for(file_id: str, session_id: str) -> bool:
    """Whether a download that is made at the click is this session's; Streamlit makes it for whoever names it."""
    entry = getattr(_runtime.get_instance().media_file_mgr, "_deferred_callables", {}).get(file_id)
    return entry is None or entry.get("session_id") == session_id or file_id in files_of(session_id)


def files_of(session_id: str) -> list[str]:
    """The ids of the files on a session's page now."""
    files = getattr(_runtime.get_instance().media_file_mgr, "_files_by_session_and_coord", {})
    return list(files.get(session_id, {}).values())  # a copy in one step: script threads write to it


def is_authors_route(scope: Mapping[str, Any]) -> bool:
    """Whether the app's author made the route that answers this request, with `st.App(routes=…)`, and not Streamlit."""
    for route in getattr(scope.get("app"), "routes", ()):
        match, _ = route.matches(scope)
        if match.value:
            made_by = getattr(route, "endpoint", None) or getattr(route, "app", None)
            return not (getattr(made_by, "__module__", "") or type(made_by).__module__).startswith("streamlit.")
    return False


def app_of_runtime() -> Any:
    """The Starlette application whose routes belong to the running server, for `streamlit run` without a launcher of ours.

    Streamlit keeps no reference to it, so the heap is walked once (35 ms).
    """
    from starlette.applications import Starlette

    runtime = _runtime.get_instance()
    for candidate in gc.get_objects():
        if isinstance(candidate, Starlette) and _serves(candidate, runtime):
            return candidate
    return None


def _serves(app: Any, runtime: Any) -> bool:
    for route in app.routes:
        if getattr(route, "path", "").endswith("/_stcore/stream"):
            cells = getattr(route.endpoint, "__closure__", None) or ()
            return any(cell.cell_contents is runtime for cell in cells)
    return False


def run_again(session_id: str) -> None:
    """Run the script of a Streamlit session as it ran last, with every widget as it was. To be called in the server's event loop."""
    info = _runtime.get_instance()._session_mgr.get_active_session_info(session_id) if runtime_exists() else None
    if info is not None:
        info.session.request_rerun(info.session._client_state)
