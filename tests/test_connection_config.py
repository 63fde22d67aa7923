"""[connections.*]: whose credentials open what, and every mistake with its key and its mend."""

import sys

import pytest

from st_auth.config import Host, parse
from st_auth.errors import ConfigError

OIDC = {"client_id": "x", "client_secret": "x", "server_metadata_url": "https://issuer.example/.well-known/openid-configuration"}
AUTH = {"redirect_uri": "https://sales.acme.com/oauth2callback", "cookie_secret": "x" * 32}
SNOW = {"type": "st_auth.SnowflakeConnection", "account": "acme", "token_from": "okta"}
DUCK = {"type": "st_auth.DuckDBConnection", "path": "x.duckdb"}


def read(**connections):
    return parse({"auth": {**AUTH, "okta": OIDC, "github": OIDC}, "connections": connections}, Host(port=8501), env={})


def problems(**connections):
    with pytest.raises(ConfigError) as caught:
        read(**connections)
    return {problem.key: problem.what for problem in caught.value.problems}


def test_a_persons_own_connection_leaves_rows_to_the_engine_and_the_apps_own_to_the_rule_file():
    found = read(mine=SNOW, apps=DUCK).connections
    assert (found["mine"].kind, found["mine"].token_from, found["mine"].rules) == ("snowflake", "okta", "engine")
    assert (found["apps"].kind, found["apps"].token_from, found["apps"].rules) == ("duckdb", None, "file")


def test_what_a_kind_is_told_is_kept_without_what_is_ours_and_never_shown():
    one = read(mine={**SNOW, "role": "{role}", "session_parameters": {"TIMEZONE": "UTC"}}).connections["mine"]
    assert dict(one.options) == {"account": "acme", "role": "{role}", "session_parameters": {"TIMEZONE": "UTC"}}
    own = read(apps={"type": "st_auth.SnowflakeConnection", "account": "acme", "user": "app", "password": "hunter2-hunter2"})
    assert "hunter2" not in repr(own)


def test_other_peoples_connections_are_left_alone():
    assert read(pets={"type": "sql", "url": "sqlite://"}, snow={"account": "x"}, odd="text").connections == {}


@pytest.mark.parametrize("credential", ["password", "private_key_file", "token"])
def test_a_credential_of_the_apps_beside_token_from_is_refused(credential):
    assert problems(mine={**SNOW, credential: "x"}) == {f"connections.mine.{credential}": "stands beside token_from"}


def test_every_mistake_is_told_at_once_with_its_key():
    wrong = {
        "type": "st_auth.SnowflakeConnection",
        "acount": "acme",
        "token_from": "okto",
        "port": "443",
        "rules": "mine",
        "exchange": True,
    }
    assert problems(mine=wrong, more={"type": "st_auth.SnowflakConnection"}) == {
        "connections.mine.account": "is missing",
        "connections.mine.acount": "is no key of a snowflake connection",
        "connections.mine.port": "must be a whole number",
        "connections.mine.token_from": "names no provider of [auth]",
        "connections.mine.exchange": "needs resource",
        "connections.mine.rules": 'is neither "engine" nor "file"',
        "connections.more.type": "is no connection of st_auth",
    }


def test_a_misspelt_key_or_type_is_told_the_nearest_one():
    with pytest.raises(ConfigError) as caught:
        read(mine={**SNOW, "wharehouse": "BI"}, more={"type": "st_auth.SnowflakConnection"})
    assert [problem.mend for problem in caught.value.problems] == [
        "did you mean 'warehouse'?",
        "did you mean 'st_auth.SnowflakeConnection'?",
    ]


@pytest.mark.parametrize(
    ("key", "value"), [("account", 7), ("port", True), ("session_parameters", "x"), ("resource", 1), ("default", "yes"), ("exchange", "no")]
)
def test_a_value_of_another_type_is_a_problem_of_its_key(key, value):
    assert f"connections.mine.{key}" in problems(mine={**SNOW, key: value})


def test_a_connection_that_nothing_opens_is_told_about_token_from():
    assert problems(mine={"type": "st_auth.SnowflakeConnection", "account": "acme"}).keys() == {"connections.mine.token_from"}


def test_token_from_means_nothing_to_a_file():
    assert problems(mine={**DUCK, "token_from": "okta"}) == {"connections.mine.token_from": "means nothing to a duckdb connection"}


def test_a_resource_is_for_somebodys_token():
    assert problems(mine={**DUCK, "resource": "x"}) == {"connections.mine.resource": "needs token_from"}


def test_plain_http_is_for_this_machine_alone():
    assert read(mine={**SNOW, "host": "127.0.0.1", "protocol": "http"}).connections
    assert problems(mine={**SNOW, "host": "acme.example", "protocol": "http"}) == {
        "connections.mine.protocol": "would send the token in plain text"
    }


def test_there_is_one_default():
    assert problems(a={**SNOW, "default": True}, b={**DUCK, "default": True}) == {"connections.b.default": "is true, and so is that of a"}


def test_a_section_that_streamlit_would_not_give_us_starts_with_a_warning():
    assert "connections.snowflake" in " ".join(read(snowflake=SNOW).warnings)


@pytest.mark.parametrize("name", ["a b", "x" * 65, "ä"])
def test_a_name_that_is_not_plain_is_refused(name):
    assert list(problems(**{name: SNOW})) == [f"connections.{name}"]


def test_a_driver_that_is_not_installed_is_told_at_start_up_with_what_installs_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "duckdb", None)
    with pytest.raises(ConfigError) as caught:
        read(mine=DUCK)
    assert [(problem.key, problem.mend) for problem in caught.value.problems] == [
        ("connections.mine.type", 'pip install "st-auth[duckdb]"')
    ]


def test_how_many_there_may_be_is_a_whole_number():
    with pytest.raises(ConfigError, match="max_connections"):
        parse({"auth": {**AUTH, "okta": OIDC}, "st_auth": {"max_connections": 0}}, Host(port=8501), env={})
