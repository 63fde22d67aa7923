"""All that we know of Streamlit's inside: private names and protobufs stand here and nowhere else.

Each function is one fact, held by one test in tests/test_streamlit_facts.py against the installed Streamlit (1.62 or newer).
"""

import contextlib
import gc
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from streamlit import config as _config, runtime as _runtime
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.runtime.scriptrunner_utils.script_run_context import ScriptRunContext, get_script_run_ctx, in_cached_function
from streamlit.runtime.secrets import secrets_singleton
from streamlit.web.server.server_util import get_cookie_secret

__all__ = [
    "CLAIMS_COOKIES",
    "LOGIN_ID_KEY",
    "BackFacts",
    "ServerFacts",
    "anonymous_id",
    "app_of_runtime",
    "auth_redirect",
    "claims_cookies",
    "core",
    "event_loop",
    "get_script_run_ctx",
    "in_cached_function",
    "is_deferred_for",
    "is_script_finished",
    "issued_paths",
    "keep_trusting",
    "notice",
    "open_sockets",
    "prepare",
    "provider_of_token",
    "read_back_msg",
    "run_app",
    "runtime_exists",
    "script_run_ctx",
    "secrets",
    "send_to",
    "server",
    "set_core",
    "socket_of",
    "stand_in",
    "streamlit_options",
    "streamlit_session",
    "tab_path",
    "trust_login_header",
    "unsafe_options",
]

LOGIN_ID_KEY: Final = "st_auth_login_id"
CLAIMS_COOKIES: Final = ("_streamlit_user", "_streamlit_user_tokens")
SOCKET_KEY: Final = "st_auth.socket"

_CORE_ATTRIBUTE = "_st_auth_core"
_TRUSTED = "server.trustedUserHeaders"
_EVENT_CONTAINER = 2
_ISSUED = re.compile(r"/(?:media/[\w.%-]+|_stcore/upload_file/[\w-]+/[\w-]+)")
_PERSON_ACTS = frozenset({"clear_cache", "set_run_on_save", "stop_script", "file_urls_request"})

# An option, the values that are safe, and what is lost otherwise.
_UNSAFE: Final[tuple[tuple[str, Callable[[Any], bool], str], ...]] = (
    ("server.enableCORS", lambda v: v is True, "any web page could open this app's sockets"),
    ("server.enableXsrfProtection", lambda v: v is True, "other web pages could upload files and act for people"),
    ("server.enableAgentApi", lambda v: not v, "it runs the app for anybody without a login"),
    ("server.scriptHealthCheckEnabled", lambda v: not v, "it runs the app for anybody without a login"),
    ("server.unsafeMetricsUserAttributes", lambda v: not v, "it publishes who uses the app"),
    ("global.developmentMode", lambda v: not v, "it opens the app to a development server on another port"),
)


@dataclass(frozen=True, slots=True)
class ServerFacts:
    """Where this Streamlit server listens and what it serves."""

    port: int
    base_path: str
    script: Path
    is_port_fixed: bool


@dataclass(frozen=True, slots=True)
class BackFacts:
    """What one message of the browser says: its kind, whether a person caused it, the tab's address, and the id of a download
    that is to be made now.
    """

    kind: str
    by_person: bool
    url: str
    deferred: str = ""


def server() -> ServerFacts:
    """The effective server options."""
    return ServerFacts(
        port=int(_config.get_option("server.port")),
        base_path=str(_config.get_option("server.baseUrlPath") or ""),
        script=Path(_config._main_script_path or "app.py"),
        is_port_fixed=bool(_config.is_manually_set("server.port")),
    )


def secrets() -> Mapping[str, Any]:
    """The whole of secrets.toml, programmatic secrets included; empty where there is none."""
    if not secrets_singleton.load_if_toml_exists() and not secrets_singleton._programmatic_secrets:
        return {}
    return secrets_singleton.to_dict()


def streamlit_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a click command all options of `streamlit run`, with their environment variables."""
    from streamlit.web.cli import configurator_options

    return configurator_options(command)


def prepare(script: Path, options: Mapping[str, Any]) -> None:
    """Read Streamlit's configuration as it will be when the app runs, so that ours can be checked before the server starts."""
    from streamlit.web import bootstrap

    _config._main_script_path = str(script)
    bootstrap.load_config_options(dict(options))


def run_app(script: Path, middleware: Callable[[Any], Any], options: Mapping[str, Any]) -> None:
    """Serve a script with our middleware in front, until the server stops."""
    from starlette.middleware import Middleware
    from streamlit import App

    App(script, middleware=[Middleware(middleware)]).run(config=dict(options))


def send_to(context: ScriptRunContext, url: str) -> None:
    """Send the tab of this run to another page of this origin."""
    message = ForwardMsg()
    message.auth_redirect.url = url
    context.enqueue(message)


def tab_path(context: ScriptRunContext) -> str:
    """Path and query of the page that this run is for, as the browser's address bar has them."""
    parts = urlsplit(_address(context.context_info.url if context.context_info else "", context.query_string))
    return f"{parts.path or '/'}{f'?{parts.query}' if parts.query else ''}"


def _address(url: str, query: str) -> str:
    """A tab's address: Streamlit sends the query of it apart."""
    return f"{url.partition('?')[0]}?{query}" if query else url


def unsafe_options() -> list[tuple[str, str]]:
    """Options whose effective value would open a way round the gate, and what each would open."""
    known = _config._config_options_template
    return [(name, lost) for name, is_safe, lost in _UNSAFE if name in known and not is_safe(_config.get_option(name))]


def trust_login_header(header: str) -> Callable[[], None]:
    """Let `header` become `st.user[LOGIN_ID_KEY]` at each handshake, beside the author's own trusted headers.

    Saving config.toml makes Streamlit read it again, which wipes the option; so it is set again each time. Returns what
    undoes that. `keep_trusting` does the same once.
    """
    keep_trusting(header)

    def again() -> None:
        keep_trusting(header)

    return _config.on_config_parsed(again, force_connect=True)


def keep_trusting(header: str) -> dict[str, str]:
    """Set the trusted header if it is not set, and return the mapping in force."""
    mapping = _config.get_option(_TRUSTED)
    if isinstance(mapping, dict) and mapping.get(header) == LOGIN_ID_KEY:
        return mapping
    mapping = {**(mapping if isinstance(mapping, dict) else {}), header: LOGIN_ID_KEY}
    _config.set_option(_TRUSTED, mapping)
    return mapping


def claims_cookies(claims: Mapping[str, Any], provider: str, origin: str, tokens: Mapping[str, str]) -> str:
    """The Cookie header's part that makes `st.user` hold these claims, as Streamlit's own login would have set it."""
    from streamlit.web.server.starlette.starlette_app_utils import create_signed_value

    values = {CLAIMS_COOKIES[0]: {**claims, "origin": origin, "is_logged_in": True, "provider": provider}, CLAIMS_COOKIES[1]: tokens}
    secret = get_cookie_secret()
    return "; ".join(f"{name}={create_signed_value(secret, name, json.dumps(value)).decode()}" for name, value in values.items())


def provider_of_token(token: str) -> str | None:
    """The provider's name in the signed token that `st.login()` puts into its redirect; None if it is not ours."""
    from streamlit.auth_util import decode_provider_token
    from streamlit.errors import StreamlitAuthError

    try:
        return decode_provider_token(token)["provider"]
    except StreamlitAuthError:
        return None


def anonymous_id(xsrf_cookie: str) -> str:
    """A handle for a browser without a login, so that nobody else resumes its Streamlit session; `""` without a cookie."""
    import hashlib

    from streamlit.web.server.starlette.starlette_app_utils import decode_xsrf_token_string

    token, _ = decode_xsrf_token_string(xsrf_cookie)
    return f"anonymous-{hashlib.sha256(token).hexdigest()[:32]}" if token else ""


def auth_redirect(url: str) -> bytes:
    """The message that sends a tab to another page of this origin."""
    message = ForwardMsg()
    message.auth_redirect.url = url
    return bytes(message.SerializeToString())


def notice(text: str, seconds: int) -> bytes:
    """The message that shows a toast in a tab, for some seconds, without running the script."""
    message = ForwardMsg()
    message.metadata.delta_path[:] = [_EVENT_CONTAINER, 0]
    toast = message.delta.new_element.toast
    toast.body, toast.icon = text, ":material/schedule:"
    if hasattr(toast, "duration"):  # since Streamlit 1.50; before, a toast stays for four seconds
        toast.duration = max(4, seconds)
    return bytes(message.SerializeToString())


def read_back_msg(data: bytes) -> BackFacts | None:
    """What a browser's message says, or None if it is no message of Streamlit's."""
    message = BackMsg()
    try:
        message.ParseFromString(data)
    except Exception:  # noqa: BLE001  # protobuf's DecodeError is another class in each of its implementations
        return None
    kind = message.WhichOneof("type") or ""
    if kind == "rerun_script":
        state = message.rerun_script
        return BackFacts(kind, not state.is_auto_rerun, _address(state.context_info.url, state.query_string))
    deferred = message.backend_operation_request.deferred_file.file_id
    return BackFacts(kind, kind in _PERSON_ACTS or bool(deferred), "", deferred)


def streamlit_session(data: bytes) -> str:
    """The Streamlit session id that a message tells the browser at the start of a run; `""` in any other message."""
    message = _read_forward_msg(data)
    return str(message.new_session.initialize.session_id) if message is not None else ""


def issued_paths(data: bytes, session_id: str) -> list[str]:
    """The paths of media files and uploads of this Streamlit session whose addresses a message gives to the browser.

    An address is not given by being written: apps show what people type. So the file must be one of this session's own, or stand
    where only Streamlit writes (an image, whose file may be replaced before the message is out, and a download made at the click).
    The message is read and not searched as bytes: in the wire format the byte behind an address can look like a part of it.
    """
    if b"/media/" not in data and b"/_stcore/upload_file/" not in data:
        return []
    message = _read_forward_msg(data)
    if message is None:
        return []
    made = [message.backend_operation_response.deferred_file.url, *(image.url for image in message.delta.new_element.imgs.imgs)]
    found = dict.fromkeys(path for text in _texts_of(message) for path in _ISSUED.findall(text))
    return [path for path in found if _is_of(path, session_id) or path in made]


def is_deferred_for(file_id: str, session_id: str) -> bool:
    """Whether a download that is made at the click is this session's; Streamlit makes it for whoever names it."""
    entry = getattr(_runtime.get_instance().media_file_mgr, "_deferred_callables", {}).get(file_id)
    return entry is None or entry.get("session_id") == session_id or file_id in _media_of(session_id)


def _is_of(path: str, session_id: str) -> bool:
    kind, _, rest = path.removeprefix("/").partition("/")
    if kind == "media":
        return rest.partition(".")[0] in _media_of(session_id)
    return bool(session_id) and rest.split("/")[1] == session_id


def _media_of(session_id: str) -> list[str]:
    """The ids of the files on a session's page now."""
    files = getattr(_runtime.get_instance().media_file_mgr, "_files_by_session_and_coord", {})
    return list(files.get(session_id, {}).values())  # a copy in one step: script threads write to it


def _read_forward_msg(data: bytes) -> ForwardMsg | None:
    """A message to the browser; None for what a WebSocket of the app's own sends."""
    message = ForwardMsg()
    try:
        message.ParseFromString(data)
    except Exception:  # noqa: BLE001  # protobuf's DecodeError is another class in each of its implementations
        return None
    return message


def _texts_of(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif hasattr(value, "ListFields"):
        for _, inner in value.ListFields():
            yield from _texts_of(inner)
    elif not isinstance(value, bytes) and hasattr(value, "__len__"):  # a list (which has no __iter__ in protobuf) or a map
        for inner in value.values() if hasattr(value, "values") else value:
            yield from _texts_of(inner)


def is_script_finished(data: bytes) -> bool:
    """Whether a message to the browser says that a script run ended."""
    message = _read_forward_msg(data)
    return message is not None and message.WhichOneof("type") == "script_finished"


def script_run_ctx() -> ScriptRunContext | None:
    """The context of this thread's script run; None outside of one. Never warns."""
    return get_script_run_ctx(suppress_warning=True)


def runtime_exists() -> bool:
    """Whether a Streamlit server runs in this process; the one that AppTest pretends to have is none."""
    return type(_runtime.Runtime._instance) is _runtime.Runtime


def core() -> Any:
    """Our core of the running server, or None. It hangs on the server's runtime, which outlives our modules' eviction."""
    instance = _runtime.Runtime._instance
    found = None if instance is None else instance.__dict__.get(_CORE_ATTRIBUTE)
    return _stand_in[-1] if found is None and _stand_in else found


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
