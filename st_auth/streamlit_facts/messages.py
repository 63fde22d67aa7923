"""Streamlit's messages to and from the browser, and what it reads from cookies."""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.web.server.server_util import get_cookie_secret

from st_auth.streamlit_facts.server import address, files_of

__all__ = [
    "CLAIMS_COOKIES",
    "BackFacts",
    "anonymous_id",
    "auth_redirect",
    "claims_cookies",
    "finished_early",
    "is_script_finished",
    "issued_paths",
    "notice",
    "provider_of_token",
    "read_back_msg",
    "streamlit_session",
]

CLAIMS_COOKIES: Final = ("_streamlit_user", "_streamlit_user_tokens")

_EVENT_CONTAINER = 2
_ISSUED = re.compile(r"/(?:media/[\w.%-]+|_stcore/upload_file/[\w-]+/[\w-]+)")
_PERSON_ACTS = frozenset({"clear_cache", "set_run_on_save", "stop_script", "file_urls_request"})


@dataclass(frozen=True, slots=True)
class BackFacts:
    """What one message of the browser says: its kind, whether a person caused it, the tab's address, the id of a download that is to
    be made now, and whether the run that it asks for is one of the whole script.
    """

    kind: str
    by_person: bool
    url: str
    deferred: str = ""
    whole_run: bool = False


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
    if not _parses(message, data):
        return None
    kind = message.WhichOneof("type") or ""
    if kind == "rerun_script":
        state = message.rerun_script
        url = address(state.context_info.url, state.query_string)
        return BackFacts(kind, not state.is_auto_rerun, url, whole_run=not state.fragment_id)
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


def _is_of(path: str, session_id: str) -> bool:
    kind, _, rest = path.removeprefix("/").partition("/")
    if kind == "media":
        return rest.partition(".")[0] in files_of(session_id)
    return bool(session_id) and rest.split("/")[1] == session_id


def _read_forward_msg(data: bytes) -> ForwardMsg | None:
    """A message to the browser; None for what a WebSocket of the app's own sends."""
    message = ForwardMsg()
    return message if _parses(message, data) else None


def _parses(message: Any, data: bytes) -> bool:
    try:
        message.ParseFromString(data)
    except Exception:  # noqa: BLE001  # protobuf's DecodeError is another class in each of its implementations
        return False
    return True


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


def finished_early(data: bytes) -> bytes:
    """The same message, but as if the run had been stopped to begin again: then the browser keeps all that the page showed before."""
    message = ForwardMsg.FromString(data)
    if message.script_finished == ForwardMsg.FINISHED_SUCCESSFULLY:  # and not a fragment, which takes nothing from the page
        message.script_finished = ForwardMsg.FINISHED_EARLY_FOR_RERUN
    return bytes(message.SerializeToString())
