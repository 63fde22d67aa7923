"""Streamlit's own runtime in this process, without a server: what a started server would have, for as long as a test wants it."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from streamlit import config
from streamlit.components.v2.component_manager import BidiComponentManager
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.runtime import Runtime, RuntimeConfig
from streamlit.runtime.memory_media_file_storage import MemoryMediaFileStorage
from streamlit.runtime.memory_uploaded_file_manager import MemoryUploadedFileManager
from streamlit.runtime.scriptrunner_utils.script_run_context import SCRIPT_RUN_CONTEXT_ATTR_NAME, ScriptRunContext
from streamlit.runtime.secrets import secrets_singleton


class NoComponents(BidiComponentManager):
    """Streamlit looks through all installed packages for components, which takes a second."""

    def discover_and_register_components(self, *_: Any, **__: Any) -> None:
        """Find none."""


@contextmanager
def a_runtime(script: Path | None = None) -> Iterator[Runtime]:
    """Make the process's one runtime, not started; gone afterwards."""
    before = Runtime._instance
    Runtime._instance = None
    uploads = MemoryUploadedFileManager("/_stcore/upload_file")
    settings = RuntimeConfig(str(script or "app.py"), MemoryMediaFileStorage("/media"), uploads, bidi_component_registry=NoComponents())
    runtime = Runtime(settings)
    try:
        yield runtime
    finally:
        Runtime._instance = before


@contextmanager
def a_loop() -> Iterator[asyncio.AbstractEventLoop]:
    """An event loop that runs in a thread of its own, as a server's does."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield loop
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


@contextmanager
def secrets_of(content: dict[str, Any]) -> Iterator[None]:
    """Let `st.secrets` hold this."""
    kept = secrets_singleton._secrets
    secrets_singleton._secrets = content
    try:
        yield
    finally:
        secrets_singleton._secrets = kept


@contextmanager
def options(**values: Any) -> Iterator[None]:
    """Set options of Streamlit's (`server_port=1`), and all of them back afterwards."""
    kept, script = dict(config.get_config_options()), config._main_script_path
    saved = {name: (option.value, option.where_defined) for name, option in kept.items()}
    try:
        for name, value in values.items():
            config.set_option(name.replace("_", ".", 1), value)
        yield
    finally:
        config._main_script_path = script
        for name, (value, where) in saved.items():
            config._config_options[name].set_value(value, where)


@contextmanager
def a_run(
    user_info: dict[str, Any], url: str = "http://localhost:8501/", query: str = ""
) -> Iterator[tuple[ScriptRunContext, list[ForwardMsg]]]:
    """Let this thread be a script run of a tab; what it would send is in the list."""
    from streamlit.proto.ClientState_pb2 import ContextInfo
    from streamlit.runtime.fragment import MemoryFragmentStorage
    from streamlit.runtime.pages_manager import PagesManager
    from streamlit.runtime.scriptrunner_utils.exceptions import StopException
    from streamlit.runtime.scriptrunner_utils.script_requests import ScriptRequests
    from streamlit.runtime.state import SafeSessionState, SessionState

    sent: list[ForwardMsg] = []
    requests = ScriptRequests()

    def pause() -> None:
        """Where a run may end: `st.stop()` waits for it."""
        if requests.on_scriptrunner_yield() is not None:
            raise StopException

    def enqueue(message: ForwardMsg) -> None:
        pause()
        sent.append(message)

    context = ScriptRunContext(
        session_id="session-1",
        _enqueue=enqueue,
        query_string=query,
        session_state=SafeSessionState(SessionState(), pause),
        uploaded_file_mgr=MemoryUploadedFileManager("/_stcore/upload_file"),
        main_script_path="app.py",
        user_info=user_info,
        fragment_storage=MemoryFragmentStorage(),
        pages_manager=PagesManager("app.py"),
        context_info=ContextInfo(url=url) if url else None,
        script_requests=requests,
    )
    thread = threading.current_thread()
    before = getattr(thread, SCRIPT_RUN_CONTEXT_ATTR_NAME, None)
    setattr(thread, SCRIPT_RUN_CONTEXT_ATTR_NAME, context)
    context.reset(query_string=query, context_info=context.context_info)
    try:
        yield context, sent
    finally:
        setattr(thread, SCRIPT_RUN_CONTEXT_ATTR_NAME, before)


def a_session(runtime: Runtime, session_id: str, scope: dict[str, Any] | None) -> None:
    """Let the runtime have an active session, behind a WebSocket with this scope."""
    client = SimpleNamespace(_websocket=None if scope is None else SimpleNamespace(scope=scope))
    info = SimpleNamespace(client=client, session=SimpleNamespace(id=session_id))
    runtime._session_mgr._active_session_info_by_id[session_id] = info
