"""Streamlit's options, secrets and command line, and how a server is started with us in front."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from streamlit import config as _config
from streamlit.runtime.secrets import secrets_singleton

__all__ = [
    "LOGIN_ID_KEY",
    "ServerFacts",
    "keep_trusting",
    "leave_unwatched",
    "prepare",
    "run_app",
    "secrets",
    "server",
    "streamlit_options",
    "trust_login_header",
    "unsafe_options",
]

LOGIN_ID_KEY: Final = "st_auth_login_id"

_TRUSTED = "server.trustedUserHeaders"
_UNWATCHED = "server.folderWatchBlacklist"

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


def unsafe_options() -> list[tuple[str, str]]:
    """Options whose effective value would open a way round the gate, and what each would open."""
    known = _config._config_options_template
    return [(name, lost) for name, is_safe, lost in _UNSAFE if name in known and not is_safe(_config.get_option(name))]


def trust_login_header(header: str, tell: Callable[[Mapping[str, str]], None]) -> Callable[[], None]:
    """Let `header` become `st.user[LOGIN_ID_KEY]` at each handshake, beside the author's own trusted headers.

    Saving config.toml makes Streamlit read it again, which wipes the option; so it is set again each time, and `tell` is told of
    the mapping in force. Returns what undoes that. `keep_trusting` does the same once.
    """

    def again() -> None:
        tell(keep_trusting(header))

    again()
    return _config.on_config_parsed(again, force_connect=True)


def leave_unwatched(folder: Path) -> Callable[[], None]:
    """Keep Streamlit's file watcher out of a folder: it unloads watched modules at a save, ours in the middle of a run.

    Only matters where our own folder is watched at all, as an editable one is. Returns what undoes that.
    """

    def again() -> None:
        folders = list(_config.get_option(_UNWATCHED) or ())
        if str(folder) not in folders:
            _config.set_option(_UNWATCHED, [*folders, str(folder)])

    again()
    return _config.on_config_parsed(again, force_connect=True)


def keep_trusting(header: str) -> dict[str, str]:
    """Set the trusted header if it is not set, and return the mapping in force."""
    mapping = _config.get_option(_TRUSTED)
    if isinstance(mapping, dict) and mapping.get(header) == LOGIN_ID_KEY:
        return mapping
    mapping = {**(mapping if isinstance(mapping, dict) else {}), header: LOGIN_ID_KEY}
    _config.set_option(_TRUSTED, mapping)
    return mapping
