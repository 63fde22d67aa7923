"""From a running Streamlit server to a Core: read what it is configured with, refuse what would open a way round."""

from pathlib import Path
from urllib.parse import urlsplit

from st_auth import streamlit_facts as facts
from st_auth.config import Config, Host, parse
from st_auth.core import Core, build
from st_auth.errors import ConfigError, Problem

__all__ = ["app_name", "host", "read_config", "start_core"]

_DEFAULT_PORT = 8501
_NAMELESS = frozenset({"app", "main", "streamlit_app", "home", "asgi_app", "index", "asgi"})


def start_core() -> Core:
    """Build the Core of the server that runs in this process. Raises ConfigError, with all problems at once."""
    return build(read_config())


def read_config() -> Config:
    """The configuration of the server in this process, checked together with Streamlit's own options."""
    problems = [
        Problem(".streamlit/config.toml", name, f"is set so that {lost}", "take the line out") for name, lost in facts.unsafe_options()
    ]
    try:
        config = parse(facts.secrets(), host())
    except ConfigError as error:
        raise ConfigError([*problems, *error.problems]) from None
    problems += _moved_port(config)
    if problems:
        raise ConfigError(problems)
    return config


def host() -> Host:
    """Where this server listens, and where files of its app stand."""
    server = facts.server()
    folders = (server.script.parent, Path.cwd())
    folder = next((f for f in folders if (f / ".streamlit" / "secrets.toml").is_file()), folders[0])
    return Host(port=server.port, base_path=server.base_path, folder=folder.resolve())


def _moved_port(config: Config) -> list[Problem]:
    """8501 was taken, so Streamlit moved on; the provider would send people to whatever answers at 8501."""
    server = facts.server()
    asked = urlsplit(config.redirect_uri).port
    if server.is_port_fixed or server.port == _DEFAULT_PORT or asked != _DEFAULT_PORT or not config.is_loopback:
        return []
    return [
        Problem(
            ".streamlit/secrets.toml",
            "auth.redirect_uri",
            f"names port {asked}, which another program has; this app listens on {server.port}",
            f'stop the other program, or write redirect_uri = "{config.redirect_uri.replace(str(asked), "{port}", 1)}"',
        )
    ]


def app_name() -> str:
    """What our pages call the app: its file's name, or its folder's where the file has none of its own."""
    script = facts.server().script.resolve()
    name = script.parent.name if script.stem.lower() in _NAMELESS else script.stem
    return name.replace("_", " ").replace("-", " ").strip().capitalize() or "This app"
