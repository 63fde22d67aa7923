"""`profile = "dev"`: the whole protocol against a provider in this process."""

import sys

import pytest

from st_auth.client import Client
from st_auth.dev_provider import PERSONAS, DevProvider, Persona, load_personas
from st_auth.errors import ConfigError, ProviderError
from st_auth.http import Http
from st_auth.oauth.profile import resolve

CALLBACK = "http://localhost:8501/oauth2callback"


@pytest.fixture(scope="module")
def dev():
    return DevProvider()


@pytest.fixture
def client(dev):
    return Client(resolve("dev", {"profile": "dev"}, file="secrets.toml"), Http(dev.transport))


@pytest.mark.parametrize("persona", PERSONAS, ids=lambda p: p.subject)
def test_every_persona_logs_in_with_state_nonce_pkce_and_a_signed_id_token(dev, client, persona):
    url, pending = client.begin(CALLBACK, "/")

    callback = dev.choose(url, persona.subject)
    login = client.finish(pending, callback.partition("?")[2])

    assert callback.startswith(CALLBACK + "?")
    assert (login.issuer, login.subject, login.name) == (dev.issuer, persona.subject, persona.name)
    assert login.email == persona.claims["email"]
    assert login.email_verified
    assert list(login.groups) == persona.claims["groups"]
    assert login.claims.get("region") == persona.claims.get("region")


def test_the_personas_are_an_analyst_of_one_region_an_admin_and_somebody_without_a_role():
    assert [(p.role, p.claims.get("region")) for p in PERSONAS] == [("analyst", "eu"), ("admin", "all"), ("", None)]


def test_the_browser_is_not_sent_to_its_logout_which_has_no_door(client):
    client.metadata()

    assert client.logout_url(id_token=None, logout_hint=None, post_logout_redirect_uri=None, state=None) is None


def test_only_a_persona_can_be_chosen(dev, client):
    with pytest.raises(ValueError):
        dev.choose(client.begin(CALLBACK, "/")[0], "dev-eve")


@pytest.mark.parametrize("change", [("response_type=code", "response_type=token"), ("redirect_uri=", "redirect=")])
def test_a_request_that_it_does_not_take_is_an_error(dev, client, change):
    url = client.begin(CALLBACK, "/")[0].replace(*change)

    with pytest.raises(ProviderError):
        dev.choose(url, "dev-ana")


def test_personas_come_from_a_file(tmp_path):
    path = tmp_path / "personas.toml"
    path.write_text('[[persona]]\nsub = "eva"\nname = "Eva"\nrole = "boss"\nregion = "us"\n[[persona]]\nsub = "x"\n', "utf-8")

    personas = load_personas(path)

    assert personas == (Persona("eva", "Eva", "boss", {"region": "us"}), Persona("x", "x", "", {}))
    dev = DevProvider(personas)
    client = Client(resolve("dev", {"profile": "dev"}, file="secrets.toml"), Http(dev.transport))
    url, pending = client.begin(CALLBACK, "/")
    claims = client.finish(pending, dev.choose(url, "eva").partition("?")[2]).claims
    assert (claims["region"], claims["roles"], claims["name"]) == ("us", ["boss"], "Eva")


def test_without_a_file_there_are_three_of_ours():
    assert load_personas(None) == PERSONAS


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("= 1", "persona"),
        ("", "persona"),
        ("persona = 5", "persona"),
        ("persona = [5]", "persona 1.sub"),
        ("[[persona]]\nname = 'x'", "persona 1.sub"),
        ("[[persona]]\nsub = 'x'\nrole = 5", "persona 1.role"),
        ("[[persona]]\nsub = 'x'\n[[persona]]\nsub = 'x'", "persona 2.sub"),
    ],
)
def test_a_file_that_is_wrong_is_a_config_error_that_says_where(tmp_path, text, key):
    path = tmp_path / "personas.toml"
    path.write_text(text, "utf-8")

    with pytest.raises(ConfigError) as caught:
        load_personas(path)

    assert [problem.key for problem in caught.value.problems] == [key]
    with pytest.raises(ConfigError):
        load_personas(tmp_path / "nothing.toml")


def test_without_its_package_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "oidc_provider_mock", None)

    with pytest.raises(ConfigError) as caught:
        DevProvider()

    assert caught.value.problems[0].mend == 'pip install "st-auth[dev-provider]"'
