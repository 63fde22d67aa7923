"""From a running Streamlit server to a Core: what it is configured with, and what would open a way round."""

import os
from pathlib import Path

import pytest
from streamlit import config

from st_auth.errors import ConfigError
from st_auth.web import start
from tests.streamlit_runtime import options, secrets_of
from tests.web.inprocess import SECRET

PROVIDER = {"client_id": "x", "client_secret": "x", "server_metadata_url": "https://issuer.example/.well-known/openid-configuration"}
AUTH = {"redirect_uri": "http://localhost:8501/oauth2callback", "cookie_secret": SECRET, **PROVIDER}


@pytest.fixture(autouse=True)
def server(tmp_path):
    with options(server_port=8501):
        config._config_options["server.port"].set_value(8501, "<default>")
        config._main_script_path = str(tmp_path / "app.py")
        yield


def read(auth=None, **own):
    with secrets_of({"auth": {**AUTH, **(auth or {})}, "st_auth": {"store": "memory://", **own}}):
        return start.read_config()


def test_the_configuration_is_read_from_secrets_and_the_server(tmp_path):
    config.set_option("server.baseUrlPath", "team")
    settings = read({"redirect_uri": "http://localhost:8501/team/oauth2callback"})

    assert settings.base_path == "/team"
    assert start.host().folder == tmp_path.resolve()


def test_a_core_is_built_of_it():
    with secrets_of({"auth": AUTH, "st_auth": {"store": "memory://"}}):
        core = start.start_core()

    assert list(core.clients) == ["default"]
    core.close()


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("server.enableCORS", False),
        ("server.enableXsrfProtection", False),
        ("server.scriptHealthCheckEnabled", True),
        ("global.developmentMode", True),
    ],
)
def test_a08_an_option_that_would_open_a_way_round_is_refused_beside_everything_else(option, value):
    config.set_option(option, value)

    with pytest.raises(ConfigError) as caught:
        read(idle_timeout="soon")

    assert [p.key for p in caught.value.problems] == [option, "st_auth.idle_timeout"]
    with pytest.raises(ConfigError, match=option):
        read()


def test_a_port_that_another_program_has_is_told_with_both_ways_out():
    config._config_options["server.port"].set_value(8502, "<default>")

    with pytest.raises(ConfigError) as caught:
        read()

    (problem,) = caught.value.problems
    assert "8501" in problem.what and "8502" in problem.what
    assert "stop the other program" in problem.mend
    assert 'redirect_uri = "http://localhost:{port}/oauth2callback"' in problem.mend


def test_a_port_that_was_chosen_or_may_move_is_fine():
    config._config_options["server.port"].set_value(8502, "<default>")
    assert read({"redirect_uri": "http://localhost:{port}/oauth2callback"}).origin == "http://localhost:8502"
    assert read({"redirect_uri": "https://sales.acme.com/oauth2callback"}).origin == "https://sales.acme.com"

    config._config_options["server.port"].set_value(8502, "command-line argument")
    assert read().origin == "http://localhost:8501"


@pytest.mark.parametrize(
    ("script", "name"),
    [
        ("sales_report.py", "Sales report"),
        ("app.py", "The team"),
        ("streamlit_app.py", "The team"),
        ("2024-plan.py", "2024 plan"),
        ("_.py", "This app"),
    ],
)
def test_an_app_is_called_by_its_file_or_its_folder(tmp_path, script, name):
    folder = tmp_path / "the-team"
    folder.mkdir()
    config._main_script_path = str(folder / script)

    assert start.app_name() == name


def test_files_stand_where_the_secrets_are(tmp_path):
    here = Path.cwd()
    (tmp_path / "root" / ".streamlit").mkdir(parents=True)
    (tmp_path / "root" / ".streamlit" / "secrets.toml").write_text("")
    (tmp_path / "root" / "pages").mkdir()
    config._main_script_path = str(tmp_path / "root" / "pages" / "app.py")
    os.chdir(tmp_path / "root")
    try:
        assert start.host().folder == (tmp_path / "root").resolve()
    finally:
        os.chdir(here)
