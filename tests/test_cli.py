"""The command `st-auth`, as far as it goes without a server: the rest is in tests/browser."""

import base64
import logging
import sys

import click
import pytest

from st_auth import cli
from st_auth.keyring import Keyring
from st_auth.secret import Secret
from tests.streamlit_runtime import options, secrets_of


@pytest.fixture(autouse=True)
def kept():
    argv, logger = list(sys.argv), logging.getLogger("st_auth")
    handlers, level = list(logger.handlers), logger.level
    with options():
        yield
    sys.argv = argv
    logger.handlers, logger.level = handlers, level


@pytest.fixture
def script(tmp_path):
    path = tmp_path / "app.py"
    path.write_text("")
    return path


def test_a_new_key_opens_a_keyring(capsys):
    assert cli.main(["keys", "new"]) == 0

    text = capsys.readouterr().out.strip()
    assert len(base64.b64decode(text.partition(":")[2])) == 32
    assert Keyring.from_keys([text], cookie_secret=Secret("s" * 32))


def test_two_keys_are_two(capsys):
    cli.main(["keys", "new"])
    cli.main(["keys", "new"])

    one, two = capsys.readouterr().out.split()
    assert one != two


@pytest.mark.parametrize(
    ("arguments", "words"), [(["--help"], "keys"), (["-h"], "run"), (["--version"], "st-auth"), (["run", "--help"], "--server.port")]
)
def test_help_and_version_are_answered(capsys, arguments, words):
    assert cli.main(arguments) == 0
    assert words in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments", [["nonsense"], ["run"], ["run", "no-such-app.py"], ["keys", "old"], ["run", "--server.port", "x", "app.py"]]
)
def test_a_call_that_makes_no_sense_is_told_and_ends_with_two(capsys, arguments):
    assert cli.main(arguments) == 2
    assert "Error" in capsys.readouterr().err


def test_a_configuration_that_is_wrong_is_told_before_the_server_starts(script, capsys):
    with secrets_of({"other": 1}):
        assert cli.main(["run", str(script), "--server.port", "8599", "--", "for", "the script"]) == 2

    assert "there is no [auth] section" in capsys.readouterr().err
    assert sys.argv == [str(script.resolve()), "for", "the script"]


def test_what_is_logged_is_shown_unless_the_author_has_decided_where_it_goes(capsys):
    logger = logging.getLogger("st_auth")
    logger.handlers = []

    cli._log_to_terminal()
    cli._log_to_terminal()

    assert len(logger.handlers) == 1
    assert logger.level == logging.INFO


def test_each_mode_has_its_first_words():
    assert set(cli._FIRST_WORDS) == {"before_app", "in_script"}


@pytest.mark.parametrize(("raised", "code"), [(click.Abort(), 1), (SystemExit(3), 3), (SystemExit("words"), 1), (SystemExit(None), 1)])
def test_an_end_has_its_code(raised, code):
    @cli._commands.command("test-end")
    def end():
        raise raised

    try:
        assert cli.main(["test-end"]) == code
    finally:
        cli._commands.commands.pop("test-end")


def test_python_m_st_auth_is_the_same_command():
    import runpy

    sys.argv = ["st-auth", "--version"]
    with pytest.raises(SystemExit) as ended:
        runpy.run_module("st_auth", run_name="__main__")
    assert ended.value.code == 0
