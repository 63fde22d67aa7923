"""One open page of an app: Streamlit's WebSocket protocol, and what a person would see there."""

import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar, cast
from urllib.parse import urljoin, urlsplit

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.Common_pb2 import UploadedFileInfo
from streamlit.proto.Delta_pb2 import Delta
from streamlit.proto.Element_pb2 import Element
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.proto.WidgetStates_pb2 import WidgetState
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Origin, Subprotocol

if TYPE_CHECKING:
    from tests.speaker import Browser

USER_AGENT = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36"
_NO_TOKEN = "PLACEHOLDER_AUTH_TOKEN"
_TEXT_FIELDS = {"markdown": "body", "text": "body", "heading": "body", "code": "code_text", "alert": "body", "json": "body", "html": "body"}
_WAIT = 30.0
T = TypeVar("T")


class HandshakeRefused(Exception):
    """The server answered the WebSocket handshake with a plain HTTP answer."""

    def __init__(self, status: int) -> None:
        super().__init__(f"HTTP {status}")
        self.status = status


@dataclass(slots=True)
class _Drawn:
    element: Element
    fragment_id: str
    run: int


class Tab:
    """A live page. Messages are read when somebody looks, so hundreds of tabs need no thread of ours."""

    def __init__(
        self,
        browser: "Browser",
        url: str,
        *,
        base: str = "",
        session_id: str | None = None,
        origin: str | None = None,
        headers: Mapping[str, str] | None = None,
        subprotocols: list[str] | None = None,
        timeout: float = _WAIT,
    ) -> None:
        self.browser = browser
        self.url = url
        self.session_id = session_id or ""
        self.redirected_to: str | None = None
        self.messages: list[ForwardMsg] = []
        self.pages: dict[str, str] = {}
        self.auto_reruns: dict[str, float] = {}
        self.runs_finished = 0
        self._base = base.strip("/")
        self._origin, self._headers, self._subprotocols = origin, dict(headers or {}), subprotocols
        self._timeout = timeout
        self._socket: ClientConnection | None = None
        self._drawn: dict[tuple[int, ...], _Drawn] = {}
        self._states: dict[str, WidgetState] = {}
        self._run = 0
        self._fragments_in_run: set[str] = set()
        self._page_hash = ""

    # What it shows

    @property
    def lines(self) -> list[str]:
        """Every text on the page, in order, one element an entry."""
        return [text for element in self.elements if (text := _text_of(element)) is not None]

    @property
    def text(self) -> str:
        """Every text on the page, one element a line."""
        return "\n".join(self.lines)

    @property
    def elements(self) -> list[Element]:
        self.read()
        return [self._drawn[path].element for path in sorted(self._drawn)]

    @property
    def exceptions(self) -> list[str]:
        """Errors that the script drew, as `Type: message`."""
        return [f"{e.exception.type}: {e.exception.message}" for e in self.elements if e.WhichOneof("type") == "exception"]

    @property
    def buttons(self) -> list[str]:
        return [e.button.label for e in self.elements if e.WhichOneof("type") == "button"]

    @property
    def media(self) -> list[str]:
        """Addresses of images and downloads on the page, made absolute."""
        images = [image.url for e in self.elements if e.WhichOneof("type") == "imgs" for image in e.imgs.imgs]
        downloads = [e.download_button.url for e in self.elements if e.WhichOneof("type") == "download_button"]
        return [self.address(url) for url in images + downloads]

    def fact(self, name: str) -> str | None:
        """Return what stands after `name=` in a line of the page (the probe app prints such lines)."""
        found = [line.partition("=")[2] for text in self.lines for line in text.splitlines() if line.startswith(f"{name}=")]
        return found[-1] if found else None

    def address(self, path: str) -> str:
        """Return a path of the app as a whole address, under its base path."""
        if "://" in path:
            return path
        inside = path if self._base and path.startswith(f"/{self._base}/") else f"/{self._base}/{path.lstrip('/')}".replace("//", "/")
        return urljoin(self.url, inside)

    # What a person does

    def rerun(self, *, wait: bool = True, **more: Any) -> None:
        """Run the script, as opening the page does. `fragment_id`, `auto`, `page_hash` as the front end would send them."""
        finished = self.runs_finished
        self.send(self._rerun_message(**more))
        if wait:
            self.wait_for(lambda t: t.runs_finished > finished or t.redirected_to or t.close_code, "the script to finish")

    def clear_caches(self) -> None:
        """Press C, as any viewer may: Streamlit then drops what it caches, for everybody."""
        self.send(BackMsg(clear_cache=True))
        self.rerun()

    def click(self, label: str, *, wait: bool = True) -> None:
        """Press the button with this label and, unless told otherwise, wait for the end of the run."""
        drawn = self._widget("button", label)
        trigger = WidgetState(id=drawn.element.button.id, trigger_value=True)
        self.rerun(wait=wait, extra=[trigger], fragment_id=drawn.fragment_id)

    def set_text(self, label: str, value: str, *, wait: bool = True) -> None:
        """Type into the text input with this label."""
        drawn = self._widget("text_input", label)
        widget_id = drawn.element.text_input.id
        self._states[widget_id] = WidgetState(id=widget_id, string_value=value)
        self.rerun(wait=wait, fragment_id=drawn.fragment_id)

    def go_to(self, title_or_path: str, *, wait: bool = True) -> None:
        """Go to another page of the app by its title or its path, without loading a document."""
        if title_or_path not in self.pages:
            raise LookupError(f"no page {title_or_path!r} among {sorted(self.pages)}")
        self._states.clear()
        self.rerun(wait=wait, page_hash=self.pages[title_or_path])

    def tick(self, *, wait: bool = True) -> int:
        """Run each `run_every` fragment once, as the front end's timers do; return how many there are."""
        self.read()
        for fragment_id in list(self.auto_reruns):
            self.rerun(wait=wait, fragment_id=fragment_id, auto=True)
        return len(self.auto_reruns)

    def upload(self, label: str, name: str, content: bytes, *, wait: bool = True) -> int:
        """Give a file to the file uploader with this label; return the status of the upload itself."""
        drawn = self._widget("file_uploader", label)
        urls = self.upload_urls(name)
        status = self.put_file(urls.upload_url, name, content)
        if status < 400:
            state = WidgetState(id=drawn.element.file_uploader.id)
            state.file_uploader_state_value.uploaded_file_info.append(
                UploadedFileInfo(name=name, size=len(content), file_id=urls.file_id, file_urls=urls)
            )
            self._states[state.id] = state
            self.rerun(wait=wait, fragment_id=drawn.fragment_id)
        return status

    def upload_urls(self, name: str) -> Any:
        """Ask the server where to put a file (a `FileURLs`)."""
        request_id = str(uuid.uuid4())
        message = BackMsg()
        message.file_urls_request.request_id = request_id
        message.file_urls_request.file_names.append(name)
        message.file_urls_request.session_id = self.session_id
        self.send(message)
        answer = self.wait_for(lambda t: t.answer_to(request_id), "upload addresses")
        return answer.file_urls[0]

    def put_file(self, path: str, name: str, content: bytes) -> int:
        """PUT a file to an upload address as the front end does; return the status."""
        boundary = uuid.uuid4().hex
        disposition = f'form-data; name="{name}"; filename="{name}"'
        head = f"--{boundary}\r\nContent-Disposition: {disposition}\r\nContent-Type: application/octet-stream\r\n\r\n"
        body = head.encode() + content + f"\r\n--{boundary}--\r\n".encode()
        headers = {"Content-Type": f"multipart/form-data; boundary={boundary}", "X-Xsrftoken": self._xsrf_token()}
        return self.browser.fetch(self.address(path), page=self.url, method="PUT", data=body, headers=headers).status

    # The wire

    def connect(self) -> None:
        """Ask what the front end asks, then open the socket. `HandshakeRefused` when it is not accepted."""
        for question in ("_stcore/health", "_stcore/host-config"):
            self.browser.fetch(self.address(question), page=self.url)
        target = urlsplit(self.address("_stcore/stream"))
        cookies = self.browser.jar.header_for(target.geturl())
        offered = self._subprotocols or ["streamlit", self._xsrf_token(), *([self.session_id] if self.session_id else [])]
        sent = {"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "websocket", "Sec-Fetch-Dest": "empty"}
        sent |= {"Cookie": cookies} if cookies else {}
        try:
            self._socket = connect(
                target._replace(scheme="ws").geturl(),
                origin=cast("Origin", self._origin or f"{target.scheme}://{target.netloc}"),
                subprotocols=[Subprotocol(entry) for entry in offered],
                additional_headers=sent | self._headers,
                user_agent_header=USER_AGENT,
                compression=None,
                proxy=None,
                ping_interval=None,
                max_size=None,
                max_queue=None,
                open_timeout=self._timeout,
                legacy=True,
                close_timeout=2,
            )
        except InvalidStatus as refused:
            raise HandshakeRefused(refused.response.status_code) from None

    def reconnect(self, *, wait: bool = True) -> None:
        """Come back as a tab does whose connection broke: same page, asking to resume its session."""
        self.close()
        self.redirected_to = None
        self.connect()
        self.rerun(wait=wait)

    def send(self, message: BackMsg) -> None:
        """Send a message; after the end of the connection nothing happens, as in the front end."""
        try:
            self._open_socket.send(message.SerializeToString())
        except ConnectionClosed:
            self.read()

    def read(self, seconds: float = 0) -> bool:
        """Take in what has arrived, waiting at most so long for the first message; return whether anything did."""
        arrived = False
        while self._socket is not None:
            try:
                data = self._socket.recv(timeout=0 if arrived else seconds)
            except (TimeoutError, ConnectionClosed):
                break
            arrived = True
            self._take(ForwardMsg.FromString(data if isinstance(data, bytes) else data.encode()))
        return arrived

    def wait_for(self, condition: Callable[["Tab"], T | None], what: str, *, seconds: float | None = None) -> T:
        """Read until the condition is true and return what it gave; `AssertionError` with the page's text when it is not in time."""
        limit = self._timeout if seconds is None else seconds
        deadline = time.monotonic() + limit
        self.read()
        while not (result := condition(self)):
            left = deadline - time.monotonic()
            if left <= 0 or (self.close_code is not None and not self.read()):
                state = f"closed ({self.close_code})" if self.close_code else "open"
                raise AssertionError(
                    f"waited {limit:g} s for {what}; the tab is {state}, redirected to {self.redirected_to}, and shows:\n{self.text}"
                )
            self.read(min(left, 0.5))
        return result

    def wait_text(self, part: str, *, seconds: float | None = None) -> None:
        """Wait until the page shows this text."""
        self.wait_for(lambda t: part in t.text, f"{part!r}", seconds=seconds)

    def wait_closed(self, *, seconds: float | None = None) -> int:
        """Wait until the server closes the connection; return the close code."""
        return self.wait_for(lambda t: t.close_code, "the connection to be closed", seconds=seconds)

    @property
    def close_code(self) -> int | None:
        """The code of the connection's end (1006: without a word), None while it is open."""
        return self._open_socket.close_code

    @property
    def is_open(self) -> bool:
        return self._socket is not None and self.close_code is None

    def close(self) -> None:
        """Close the page."""
        if self._socket is not None:
            self._socket.close()

    def answer_to(self, request_id: str) -> Any:
        """Return the answer to a question for upload addresses, or None."""
        answers = (m.file_urls_response for m in self.messages if m.WhichOneof("type") == "file_urls_response")
        return next((a for a in answers if a.response_id == request_id), None)

    @property
    def _open_socket(self) -> ClientConnection:
        if self._socket is None:
            raise RuntimeError("the tab is not connected")
        return self._socket

    def _xsrf_token(self) -> str:
        cookie = self.browser.jar.get("_streamlit_xsrf", urlsplit(self.url).hostname or "")
        return cookie.value if cookie else _NO_TOKEN

    def _rerun_message(
        self, *, extra: list[WidgetState] | None = None, fragment_id: str = "", auto: bool = False, page_hash: str | None = None
    ) -> BackMsg:
        address = urlsplit(self.url)
        message = BackMsg()
        state = message.rerun_script
        state.query_string = address.query
        state.widget_states.widgets.extend([*self._states.values(), *(extra or [])])
        state.fragment_id = fragment_id
        state.is_auto_rerun = auto
        state.page_script_hash = self._page_hash if page_hash is None else page_hash
        if not state.page_script_hash:
            state.page_name = address.path.removeprefix(f"/{self._base}" if self._base else "").strip("/")
        state.context_info.url = self.url
        state.context_info.timezone = "UTC"
        state.context_info.locale = "en-US"
        state.context_info.color_scheme = "light"
        return message

    def _widget(self, kind: str, label: str) -> _Drawn:
        self.read()
        for drawn in self._drawn.values():
            if drawn.element.WhichOneof("type") == kind and getattr(drawn.element, kind).label == label:
                return drawn
        raise LookupError(f"no {kind} {label!r} on the page, which shows:\n{self.text}\nbuttons: {self.buttons}")

    # What arrives

    def _take(self, message: ForwardMsg) -> None:
        self.messages.append(message)
        kind = message.WhichOneof("type")
        if kind == "new_session":
            self.session_id = message.new_session.initialize.session_id or self.session_id
            self._page_hash = message.new_session.page_script_hash
            self._run += 1
            self._fragments_in_run = set()
        elif kind == "delta":
            self._draw(tuple(message.metadata.delta_path), message.delta)
        elif kind == "script_finished":
            self._finish(message.script_finished)
        elif kind == "auth_redirect":
            self.redirected_to = message.auth_redirect.url
        elif kind == "navigation":
            self._page_hash = message.navigation.page_script_hash
            for page in message.navigation.app_pages:
                self.pages |= {page.page_name: page.page_script_hash, page.url_pathname: page.page_script_hash}
        elif kind == "auto_rerun":
            self.auto_reruns[message.auto_rerun.fragment_id] = message.auto_rerun.interval

    def _draw(self, path: tuple[int, ...], delta: Delta) -> None:
        if delta.fragment_id:
            self._fragments_in_run.add(delta.fragment_id)
        if delta.WhichOneof("type") == "new_element":
            self._drawn[path] = _Drawn(delta.new_element, delta.fragment_id, self._run)

    def _finish(self, how: int) -> None:
        """Take away what the run that ended did not draw again."""
        if how == ForwardMsg.FINISHED_SUCCESSFULLY:
            self._drawn = {path: d for path, d in self._drawn.items() if d.run == self._run}
            self.auto_reruns = {f: every for f, every in self.auto_reruns.items() if f in {d.fragment_id for d in self._drawn.values()}}
        elif how == ForwardMsg.FINISHED_FRAGMENT_RUN_SUCCESSFULLY:
            gone = self._fragments_in_run
            self._drawn = {path: d for path, d in self._drawn.items() if d.run == self._run or d.fragment_id not in gone}
        if how != ForwardMsg.FINISHED_EARLY_FOR_RERUN:
            self.runs_finished += 1


def _text_of(element: Element) -> str | None:
    kind = element.WhichOneof("type") or ""
    if kind in _TEXT_FIELDS:
        return str(getattr(getattr(element, kind), _TEXT_FIELDS[kind]))
    if kind == "metric":
        return f"{element.metric.label}: {element.metric.body}"
    if kind == "exception":
        return f"{element.exception.type}: {element.exception.message}"
    return None
