"""[connections.*] of MongoDB: an address that nothing can be smuggled into, and whose login opens it."""

import sys

import pytest

from st_auth.config import Host, parse
from st_auth.errors import ConfigError
from st_auth.mongo_url import is_plain

OIDC = {"client_id": "x", "client_secret": "x", "server_metadata_url": "https://issuer.example/.well-known/openid-configuration"}
AUTH = {"redirect_uri": "https://sales.acme.com/oauth2callback", "cookie_secret": "x" * 32, **OIDC}
MINE = {"type": "st_auth.MongoDBConnection", "url": "mongodb+srv://cluster.acme.com/", "database": "crm", "token_from": "default"}
APPS = {**{key: MINE[key] for key in ("type", "url", "database")}, "user": "app", "password": "hunter2-hunter2"}

OWN = {**{key: MINE[key] for key in ("type", "url", "database")}, "login": "own"}


def read(section):
    return parse({"auth": AUTH, "connections": {"it": section}}, Host(port=8501), env={})


def problems(section):
    with pytest.raises(ConfigError) as caught:
        read(section)
    assert "hunter2" not in str(caught.value)
    return {problem.key.removeprefix("connections.it."): problem.what for problem in caught.value.problems}


def test_the_persons_own_login_leaves_rows_to_the_engine_and_the_apps_own_to_the_rule_file():
    assert [(one.kind, one.rules) for one in (read(MINE).connections["it"], read(APPS).connections["it"])] == [
        ("mongodb", "engine"),
        ("mongodb", "file"),
    ]
    assert "hunter2" not in repr(read(APPS))
    own = read(OWN).connections["it"]
    assert (own.own_login, own.rules, own.server) == (True, "engine", "cluster.acme.com")


@pytest.mark.parametrize(
    "url",
    [
        "mongodb+srv://cluster.acme.com",
        "mongodb+srv://cluster0.abcde.mongodb.net/?retryWrites=true&w=majority&appName=Cluster0",
        "mongodb://a.acme.com:27017,b.acme.com:27018/?replicaSet=rs0&readPreference=secondary&readPreferenceTags=dc:ny&readPreferenceTags=",
        "mongodb://db.acme.com/?tls=true&tlsCAFile=/etc/ssl/acme.pem",
        "mongodb://127.0.0.1:27017",
        "mongodb://[::1]:27017/?directConnection=false",
        "mongodb://localhost:27017,127.0.0.1:27018/?tls=true",
    ],
)
def test_addresses_as_administrators_give_them_are_taken(url):
    assert read({**MINE, "url": url.removesuffix("&readPreferenceTags=")}).connections["it"].options["url"]


@pytest.mark.parametrize(
    ("url", "what"),
    [
        ("mongodb://app:hunter2@db.acme.com/", "has a user or a password in it"),
        ("mongodb://app@db.acme.com/", "has a user or a password in it"),
        ("mongodb://{tenant}.acme.com/", "lets a claim decide where to go or how"),
        ("mongodb://db.acme.com/?replicaSet={tenant}", "lets a claim decide where to go or how"),
        ("mongodb://db.acme.com/crm", "has more than a host before the “?”"),
        ("https://db.acme.com/", "is no address of a MongoDB"),
        ("mongodb://", "is no address of a MongoDB"),
        ("mongodb:///?w=1", "is no address of a MongoDB"),
        ("mongodb://%2Ftmp%2Fmongodb.sock/", "is no address of a MongoDB"),
        ("mongodb://db.acme.com,,x/", "is no address of a MongoDB"),
        ("mongodb://db.acme.com/#x", "is no address of a MongoDB"),
        ("mongodb://db.acme.com\n/", "is no address of a MongoDB"),
        ("mongodb+srv://a.acme.com,b.acme.com/", "is no address of a MongoDB"),
        ("mongodb+srv://a.acme.com:27017/", "is no address of a MongoDB"),
    ],
)
def test_an_address_that_says_more_or_less_than_where_is_a_problem(url, what):
    assert problems({**MINE, "url": url}) == {"url": what}


@pytest.mark.parametrize(
    "option",
    [
        "tlsInsecure=true",
        "tlsAllowInvalidCertificates=true",
        "tlsallowinvalidhostnames=true",
        "tlsDisableOCSPEndpointCheck=true",
        "tlsCertificateKeyFile=/etc/key.pem",
        "tlsCertificateKeyFilePassword=hunter2",
        "tlsCRLFile=/etc/x",
        "authMechanism=MONGODB-AWS",
        "authMechanismProperties=ENVIRONMENT:azure",
        "authSource=admin",
        "AUTHSOURCE=admin",
        "srvServiceName=evil",
        "srvAllowedHostsSuffix=com",
        "proxyHost=evil.example",
        "serverMonitoringMode=stream",
        "timeoutMS=0",
        "socketTimeoutMS=0",
        "maxPoolSize=0",
        "minPoolSize=100",
        "connect=false",
        "driver=x",
        "server_api=1",
        "unicode_decode_error_handler=ignore",
        "nonsense=1",
        "tls%49nsecure=true",
        "w",
        "w=",
        "w=1;tlsInsecure=true",
        "w=1=2",
        "w=1&&journal=true",
    ],
)
def test_an_option_that_would_weaken_it_or_lead_elsewhere_is_a_problem(option):
    found = problems({**MINE, "url": f"mongodb://db.acme.com/?{option}"})
    assert found.keys() == {"url"}
    assert found["url"].startswith("has an option that is not taken here")


@pytest.mark.parametrize("option", ["tls=false", "ssl=false", "TLS=false", "tls=0", "tls=False", "tls=%66alse", "tls=no", "tls=True"])
@pytest.mark.parametrize(
    "host", ["mongodb://db.acme.com", "mongodb+srv://db.acme.com", "mongodb://127.0.0.1,db.acme.com", "mongodb://0.0.0.0"]
)
def test_tls_cannot_be_turned_off_but_to_this_machine(host, option):
    assert problems({**MINE, "url": f"{host}/?{option}"}) == {"url": "would send what it logs in with in plain text"}


@pytest.mark.parametrize("option", ["loadBalanced=true", "replicaSet=rs0", "directConnection=%66alse"])
def test_without_tls_no_option_leads_to_further_machines(option):
    assert problems({**MINE, "url": f"mongodb://127.0.0.1/?{option}"}) == {"url": "could lead to other machines in plain text"}


@pytest.mark.parametrize("query", ["tls=true&TLS=true", "ssl=true&tls=true", "w=1&w=2"])
def test_an_option_is_said_once(query):
    assert problems({**MINE, "url": f"mongodb://db.acme.com/?{query}"}) == {"url": "says an option twice"}


@pytest.mark.parametrize(
    ("url", "plain"),
    [
        ("mongodb://127.0.0.1:1", True),
        ("mongodb://localhost/?tls=false", True),
        ("mongodb://[::1]/", True),
        ("mongodb://localhost/?tls=true", False),
        ("mongodb://localhost/?w=1&ssl=true", False),
        ("mongodb://localhost,db.acme.com/", False),
        ("mongodb://localhost.acme.com/", False),
        ("mongodb://0.0.0.0/", False),
        ("mongodb://2130706433/", False),
        ("mongodb+srv://localhost/", False),
        ("nonsense", False),
    ],
)
def test_plain_text_is_for_one_host_that_is_this_machine(url, plain):
    assert is_plain(url) is plain


@pytest.mark.parametrize(
    ("changed", "key", "what"),
    [
        ({**MINE, "user": "app"}, "user", "stands beside token_from"),
        ({**OWN, "user": "app"}, "user", "stands beside login"),
        ({**OWN, "password": "hunter2"}, "password", "stands beside login"),
        ({**OWN, "url": "mongodb://ana@db.acme.com/"}, "url", "has a user or a password in it"),
        ({**MINE, "password": "hunter2"}, "password", "stands beside token_from"),
        ({**APPS, "user": ""}, "user", "is missing"),
        ({**APPS, "password": ""}, "password", "is missing"),
        ({key: value for key, value in APPS.items() if key != "user"}, "user", "is missing"),
        ({key: value for key, value in APPS.items() if key not in ("user", "password")}, "token_from", "is missing, and there is no other"),
        ({**MINE, "database": ""}, "database", "is missing"),
        ({**MINE, "database": "$external"}, "database", "is no name of a database"),
        ({**MINE, "url": ""}, "url", "is missing"),
        ({**MINE, "url": 7}, "url", "must be text in quotes"),
        ({**MINE, "timeout": 0}, "timeout", "must be above zero"),
        ({**MINE, "timeout": "30"}, "timeout", "must be a whole number"),
        ({**MINE, "collection": "orders"}, "collection", "is no key of a mongodb connection"),
    ],
)
def test_what_a_section_may_not_say_is_a_problem(changed, key, what):
    found = problems(changed)
    assert list(found) == [key]
    assert found[key].startswith(what)


def test_the_apps_own_login_may_name_the_database_that_knows_its_user():
    assert read({**APPS, "url": "mongodb://db.acme.com/?authSource=crm"}).connections["it"].options["user"] == "app"


def test_a_driver_that_is_not_installed_is_told_at_start_up_with_what_installs_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "pymongo", None)
    with pytest.raises(ConfigError) as caught:
        read(MINE)
    assert [(problem.key, problem.mend) for problem in caught.value.problems] == [("connections.it.type", 'pip install "st-auth[mongo]"')]
