"""[connections.*]: whose credentials open what, and every mistake with its key and its mend."""

import sys
from pathlib import Path

import pytest
from hypothesis import example, given, strategies as some

from st_auth.config import ConnectionConfig, Host, parse
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


@pytest.mark.parametrize(
    ("path", "opened"),
    [
        ("data/x.duckdb", "/srv/app/data/x.duckdb"),
        ("/data/x.duckdb", "/data/x.duckdb"),
        ("md:sales", "md:sales"),
        ("https://acme.com/x.duckdb", "https://acme.com/x.duckdb"),
        (":memory:", ":memory:"),
    ],
)
def test_the_path_of_a_file_counts_from_the_apps_folder_and_what_is_no_file_stays(path, opened):
    connections = {"apps": {**DUCK, "path": path}}
    found = parse({"auth": {**AUTH, "okta": OIDC}, "connections": connections}, Host(port=8501, folder=Path("/srv/app")), env={})

    assert found.connections["apps"].options["path"] == opened


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


SQL = {"type": "st_auth.SQLConnection", "url": "postgresql+psycopg://{sub}@db.acme.com/sales_{tenant}", "token_from": "okta"}
APP = {"type": "st_auth.SQLConnection", "url": "postgresql+psycopg://app@db.acme.com/sales", "password": "x"}


def test_a_database_is_entered_with_the_persons_token_or_with_the_apps_login():
    own = {**APP, "set": {"app.user": "{sub}"}, "as_role": "{role}", "rules": "engine"}
    found = read(mine=SQL, apps=APP, told=own, none={**APP, "url": "sqlite:///x.db", "password": ""}).connections
    assert [(one.kind, one.token_from, one.rules) for one in found.values()] == [
        ("sql", "okta", "engine"),
        ("sql", None, "file"),
        ("sql", None, "engine"),
        ("sql", None, "file"),
    ]


def test_a_database_that_nobody_could_log_in_to_is_told():
    assert problems(mine={key: SQL[key] for key in ("type", "url")}).keys() == {"connections.mine.token_from"}
    assert problems(mine={**SQL, "password": "x"}) == {"connections.mine.password": "stands beside token_from"}


@pytest.mark.parametrize(
    "url",
    [
        "postgresql+psycopg://app:hunter2@db.acme.com/sales",
        "postgresql+psycopg://app:hun/ter?2@db.acme.com/sales",
        "postgresql+psycopg://app:@db.acme.com/sales",
        "postgresql+psycopg://app@db.acme.com/sales?password=hunter2",
    ],
)
def test_a_password_in_the_url_is_refused_and_not_shown(url):
    with pytest.raises(ConfigError) as caught:
        read(mine={**APP, "url": url})
    (problem,) = caught.value.problems
    assert (problem.key, problem.what) == ("connections.mine.url", "has a password in it")
    assert "token_from" in problem.mend
    assert "hun" not in str(caught.value)


@pytest.mark.parametrize("url", ["db.acme.com/sales", "postgresql", "postgresql+psycopg:/db", ""])
def test_a_url_that_sqlalchemy_would_not_read_is_refused(url):
    assert "connections.mine.url" in problems(mine={**APP, "url": url})


@pytest.mark.parametrize("place", ["{tenant}.acme.com/sales", "db.acme.com:{port}/sales", "db.acme.com/sales?options={sub}"])
def test_no_claim_decides_where_to_go_or_how(place):
    assert problems(mine={**SQL, "url": f"postgresql+psycopg://{{sub}}@{place}"}) == {
        "connections.mine.url": "lets a claim decide where to go or how"
    }


@pytest.mark.parametrize("host", ["127.0.0.1:5432", "localhost", "[::1]:5432"])
def test_a_token_goes_unencrypted_to_this_machine_alone(host):
    assert read(mine={**SQL, "url": f"postgresql+psycopg://{{sub}}@{host}/sales?sslmode=disable"}).connections
    assert read(mine={**SQL, "url": "postgresql+psycopg://{sub}@db.acme.com/sales?sslmode=require"}).connections
    for elsewhere in ("db.acme.com/sales?", f"{host}/sales?host=db.acme.com&", f"{host}/sales?service=db&", "/sales?"):
        url = f"postgresql+psycopg://{{sub}}@{elsewhere}sslmode=prefer"
        assert problems(mine={**SQL, "url": url}) == {"connections.mine.url": "would send the token in plain text"}


@pytest.mark.parametrize(("key", "value"), [("set", {"app.user": "{sub}"}), ("as_role", "{role}")])
def test_only_postgresql_is_told_who_the_person_is(key, value):
    for scheme in ("mysql+pymysql", "postgresql", "postgresql+psycopg2"):
        wrong = {**APP, "url": f"{scheme}://app@db.acme.com/sales", key: value}
        assert problems(mine=wrong) == {f"connections.mine.{key}": "means something to PostgreSQL alone"}


@pytest.mark.parametrize(
    ("settings", "key", "what"),
    [
        ({"app.level": 7}, "set.app.level", "must be text in quotes"),
        ({"Role": "{sub}"}, "set.Role", "would change who acts"),
        ({"session_authorization": "x"}, "set.session_authorization", "would change who acts"),
        ("app.user", "set", "must be a table"),
    ],
)
def test_settings_are_texts_and_leave_the_role_alone(settings, key, what):
    assert problems(mine={**APP, "set": settings})[f"connections.mine.{key}"] == what


OWN = {"type": "st_auth.SQLConnection", "url": "postgresql+psycopg://db.acme.com/erp", "login": "own"}


def test_each_person_may_log_in_to_a_database_as_themselves():
    one = read(erp={**OWN, "url": "postgresql+psycopg://db.acme.com:5433/erp_{tenant}?application_name=x"}).connections["erp"]
    assert (one.own_login, one.token_from, one.rules, one.server) == (True, None, "engine", "db.acme.com:5433")
    assert "login" not in one.options
    assert read(erp={**OWN, "url": "postgresql+psycopg:///erp?host=db.acme.com"}).connections["erp"].server == ""
    assert not read(mine=SQL).connections["mine"].own_login


@pytest.mark.parametrize(
    ("section", "key", "what"),
    [
        ({**OWN, "token_from": "okta"}, "token_from", "stands beside login"),
        ({**OWN, "password": "x"}, "password", "stands beside login"),
        ({**OWN, "password": ""}, "password", "stands beside login"),
        ({**OWN, "resource": "x"}, "resource", "needs token_from"),
        ({**OWN, "login": "mine"}, "login", "says nothing that is known"),
        ({**OWN, "login": True}, "login", "says nothing that is known"),
        ({**OWN, "login": ""}, "login", "says nothing that is known"),
        ({**OWN, "url": "postgresql+psycopg://app@db.acme.com/erp"}, "url", "has a user in it beside login"),
        ({**OWN, "url": "postgresql+psycopg://@db.acme.com/erp"}, "url", "has a user in it beside login"),
        ({**OWN, "url": "postgresql+psycopg://{sub}@db.acme.com/erp"}, "url", "has a user in it beside login"),
        ({**OWN, "url": "postgresql+psycopg://db.acme.com/erp?user=app"}, "url", "has a user in it beside login"),
        ({**OWN, "url": "postgresql+psycopg://db.acme.com/erp?passfile=x"}, "url", "has a user in it beside login"),
        ({**OWN, "url": "mssql+pyodbc://?odbc_connect=UID%3Dapp"}, "url", "has a user in it beside login"),
        ({**OWN, "url": "postgresql+psycopg://db.acme.com/erp?password=x"}, "url", "has a password in it"),
        ({**OWN, "url": "postgresql+psycopg://db.acme.com/erp?sslmode=prefer"}, "url", "would send the password in plain text"),
        ({**OWN, "url": "sqlite:///erp.db"}, "login", "means nothing to a file, which asks nobody for a password"),
        ({**SNOW, "login": "own"}, "login", "means nothing to a snowflake connection"),
        ({**DUCK, "login": "own"}, "login", "means nothing to a duckdb connection"),
    ],
)
def test_a_login_of_their_own_stands_alone_and_where_it_means_something(section, key, what):
    assert problems(erp=section)[f"connections.erp.{key}"] == what


def test_a_password_goes_unencrypted_to_this_machine_alone():
    assert read(erp={**OWN, "url": "postgresql+psycopg://127.0.0.1:5432/erp?sslmode=disable"}).connections


@given(some.text())
@example("postgresql://user:secret@db.acme.com/x")
@example("mongodb+srv://a:1,b:2/x?y=z@w")
def test_the_server_that_people_are_shown_holds_no_user_path_or_query(url):
    shown = ConnectionConfig("erp", "sql", {"url": url}).server
    assert not set("@/?") & set(shown)
    assert shown in url


LAKE = {"type": "st_auth.FilesConnection", "url": "s3://acme-lake/{sub}", "role_arn": "arn:aws:iam::1:role/{team}", "token_from": "okta"}
BUCKET = {"type": "st_auth.FilesConnection", "url": "gs://acme-lake", "token_from": "okta"}
POOL = {**BUCKET, "workload_identity": "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/o"}


def test_files_are_opened_with_the_id_token_where_iam_asks_and_with_the_access_token_at_google():
    local = {**LAKE, "endpoint": "http://127.0.0.1:8333", "sts_endpoint": "http://localhost:9000", "region": "eu-central-1"}
    found = read(a=LAKE, b=BUCKET, c=POOL, d={**LAKE, "token": "access"}, e={**POOL, "service_account": "x@y.iam"}, f=local).connections
    assert [one.token for one in found.values()] == ["id", "access", "id", "access", "id", "id"]
    assert {one.kind for one in found.values()} == {"files"}


@pytest.mark.parametrize(
    ("section", "key"),
    [
        ({**LAKE, "url": "s3://{tenant}/x"}, "url"),
        ({**LAKE, "url": "s3://acme-{tenant}/x"}, "url"),
        ({**LAKE, "url": "https://acme-lake.s3.amazonaws.com"}, "url"),
        ({**LAKE, "url": "s3://acme-lake/../other"}, "url"),
        ({**LAKE, "url": "s3://acme-lake//x"}, "url"),
        ({**LAKE, "url": "s3://acme-lake/a%2fb"}, "url"),
        ({**LAKE, "url": "s3://acme-lake/x?versions"}, "url"),
        ({**LAKE, "role_arn": "Analyst"}, "role_arn"),
        ({**LAKE, "endpoint": "http://s3.acme.com"}, "endpoint"),
        ({**LAKE, "endpoint": "https://s3.acme.com/{sub}"}, "endpoint"),
        ({**LAKE, "sts_endpoint": "https://ana:x@sts.acme.com"}, "sts_endpoint"),
        ({**LAKE, "workload_identity": "x"}, "workload_identity"),
        ({**LAKE, "token": "refresh"}, "token"),
        ({**LAKE, "resource": "urn:x"}, "resource"),
        ({**LAKE, "rules": "engine"}, "rules"),
        ({**LAKE, "password": "x"}, "password"),
        ({**BUCKET, "region": "eu"}, "region"),
        ({**BUCKET, "role_arn": "arn:aws:iam::1:role/x"}, "role_arn"),
        ({**BUCKET, "token": "id"}, "token"),
        ({**BUCKET, "sts_endpoint": "https://sts.acme.com"}, "sts_endpoint"),
        ({**BUCKET, "service_account": "x@y"}, "service_account"),
        ({name: value for name, value in BUCKET.items() if name != "token_from"}, "token_from"),
    ],
)
def test_what_is_wrong_with_files_is_told_with_its_key(section, key):
    assert set(problems(mine=section)) == {f"connections.mine.{key}"}


@pytest.mark.parametrize(("driver", "key"), [("fsspec", "type"), ("s3fs", "url")])
def test_what_files_need_and_is_not_installed_is_told_at_start_up(monkeypatch, driver, key):
    monkeypatch.setitem(sys.modules, driver, None)
    with pytest.raises(ConfigError) as caught:
        read(mine=LAKE)
    assert [(problem.key, problem.mend) for problem in caught.value.problems] == [
        (f"connections.mine.{key}", 'pip install "st-auth[files]"')
    ]
