"""The command `st-auth`: run an app behind the gate, make keys, look after the rules."""

import base64
import logging
import os
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from st_auth import streamlit_facts as facts
from st_auth.cli_rules import rules_commands
from st_auth.errors import ConfigError

__all__ = ["main"]

_FIRST_WORDS = {
    "before_app": '\n  st_auth: everybody logs in before the app opens. [st_auth] require_login = "in_script" leaves that to the script.',
    "in_script": "\n  st_auth: anybody reaches the script; pages call st_auth.require_login() where a login is needed.",
}


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="st-auth", prog_name="st-auth")
def _commands() -> None:
    """Login, sessions and per-user data for Streamlit apps."""


@_commands.command("run")
@facts.streamlit_options
@click.argument("script", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("args", nargs=-1)
def _run(script: Path, args: tuple[str, ...], **options: Any) -> None:
    """Run a Streamlit app with everybody logged in before it opens.

    Takes the options of `streamlit run`, such as --server.port 8502. What follows `--` goes to the script.
    """
    from st_auth.web.middleware import Middleware
    from st_auth.web.start import read_config

    path = script.resolve()
    sys.argv = [str(path), *args]  # App.run takes argv[0] as the launcher, and looks for config and secrets beside it
    given = {name.replace("_", ".", 1): value for name, value in options.items() if value is not None and value != ()}
    try:
        facts.prepare(path, given)
        config = read_config()
    except ConfigError as error:
        raise SystemExit(_said(error)) from None
    _log_to_terminal()
    click.echo(_FIRST_WORDS[config.require_login])
    facts.run_app(path, Middleware, given)


@_commands.group("keys")
def _keys() -> None:
    """Master keys, which seal what the vault keeps."""


@_keys.command("new")
def _new_key() -> None:
    """Print a new key for `[st_auth] keys`; put it first, and keep the old ones behind it until their logins have ended."""
    click.echo(f"{datetime.now(UTC):%Y-%m-%d}:{base64.b64encode(os.urandom(32)).decode()}")


_commands.add_command(rules_commands)


def _log_to_terminal() -> None:
    """Show what st_auth logs, the audit lines included, unless the app's author has decided where it goes."""
    logger = logging.getLogger("st_auth")
    if logger.handlers:
        return
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(name)s: %(message)s"))
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)


def _said(error: ConfigError) -> int:
    click.echo(str(error), err=True)
    return 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code: 0 done, 1 aborted, 2 something in the call or the configuration is wrong."""
    try:
        _commands(args=arguments, prog_name="st-auth", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return 2
    except click.Abort:
        return 1
    except SystemExit as exit_:
        return exit_.code if isinstance(exit_.code, int) else 1
    return 0
