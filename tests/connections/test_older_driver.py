"""Everything that holds of Snowflake holds with the fourth major of its driver too, in the environment that has it; there with Snowpark."""

import subprocess

import pytest

from st_auth.errors import ConfigError
from tests.connections.test_snowflake import SnowGround
from tests.servers.processes import clean_environment
from tests.servers.snowflake_server import fakesnow_command
from tests.test_conventions import ROOT

_FILES = ["tests/connections/test_snowflake.py", "tests/connections/with_older_driver.py"]


def test_snowflake_and_snowpark_with_the_older_driver(tmp_path):
    command = [fakesnow_command().with_name("python"), "-m", "pytest", "-q", "-p", "no:cacheprovider", *_FILES, "-k", "not never_cross"]
    environment = clean_environment(tmp_path, PYTHONDONTWRITEBYTECODE="1", FAKESNOW_VENV=str(fakesnow_command().parents[1]))
    done = subprocess.run(command, check=False, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    assert " passed" in done.stdout
    assert "skipped" not in done.stdout


def test_where_snowpark_is_not_installed_session_says_what_to_install(servers):
    ground = SnowGround(servers)
    ana, hers = ground.as_person("ana")
    with ground.runs.of(ana.login_id), pytest.raises(ConfigError, match=r"pip install .*snowflake-snowpark-python"):
        hers.session()
    ground.close()
