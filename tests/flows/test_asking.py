"""How the client asks, at the certified provider over real HTTP: five ways to be a client, pushed requests, resources, levels of login."""

import base64
import json
from contextlib import ExitStack
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest

from st_auth.client import Client
from st_auth.errors import ProviderError
from st_auth.http import Http
from st_auth.oauth.profile import resolve
from st_auth.testing.loopback import server_for
from tests.servers.openid_provider import OpenIdProvider
from tests.servers.streamlit_app import COOKIE_SECRET

CLIENTS = ("web", "webpost", "pkjwt", "par", "es")


def part_of(token, number):
    """A part of a JWT, unverified."""
    return json.loads(base64.urlsafe_b64decode(token.split(".")[number] + "=="))


def asked_by(page):
    """The queries that a browser brought to the authorization endpoint."""
    urls = [urlsplit(step.url) for step in page.steps]
    return [parse_qs(url.query) for url in urls if url.path == "/auth"]


@pytest.fixture
def landing():
    """Where a login comes back to: a server that answers everything with 200."""
    with server_for(lambda _: httpx2.Response(200, text="back")) as server:
        yield f"http://localhost:{server.server_port}"


@pytest.fixture
def log_in(person, landing):
    """`log_in(provider, section, …)` logs alice in without an app, and returns the login and the URL that she was sent to."""
    with ExitStack() as closing:

        def go(provider, section, **asked):
            provider.add_app(landing)
            client = Client(resolve("test", section, file="secrets.toml"), Http())
            closing.callback(client.close)
            url, pending = client.begin(f"{landing}/oauth2callback", "/", **asked)
            browser = person()
            page = browser.answer_provider(browser.open(url), "alice")
            return client.finish(pending, urlsplit(page.url).query), url

        yield go


def test_five_kinds_of_client_log_in_at_one_app(app, provider, person):
    sections = {client: provider.auth_section(client=client, label=f"As {client}") for client in CLIENTS}
    secrets = {"auth": {"redirect_uri": "http://localhost:{port}/oauth2callback", "cookie_secret": COOKIE_SECRET, **sections}}
    one = app(secrets=secrets)
    provider.counts(reset=True)

    for number, client in enumerate(CLIENTS, start=1):
        alice = person()
        page = alice.login(one.url, provider=f"As {client}")
        assert page.is_streamlit, (client, page.text)
        assert alice.tab(one.url).fact("subject") == "alice", client
        assert provider.counts()["/request"] == number, client

    assert '"event": "login_refused"' not in one.output


def test_par02_the_browser_carries_nothing_of_the_question(app, provider, person):
    one = app()
    alice = person()
    alice.login(one.url)

    (asked,) = [parse_qs(urlsplit(step.url).query) for step in alice.log if urlsplit(step.url).path == "/auth"]

    assert asked.keys() == {"client_id", "request_uri"}


def test_par04_a_provider_that_takes_nothing_else_is_asked_by_push_whatever_the_configuration_says(tmp_path, log_in):
    with OpenIdProvider(tmp_path, REQUIRE_PAR="1") as strict:
        section = strict.auth_section(pushed_authorization_requests=False)

        login, url = log_in(strict, section)

        assert login.subject == "alice"
        assert parse_qs(urlsplit(url).query).keys() == {"client_id", "request_uri"}


def test_par04_a_client_that_must_push_is_refused_by_the_address_bar(provider, person, landing):
    """What the provider asks of this one client is not in its metadata: the default serves it, and nothing makes up for a `false`."""
    provider.add_app(landing)
    section = provider.auth_section(client="par", pushed_authorization_requests=False)
    client = Client(resolve("test", section, file="secrets.toml"), Http())
    url, pending = client.begin(f"{landing}/oauth2callback", "/")

    page = person().open(url)

    with pytest.raises(ProviderError) as caught:
        client.finish(pending, urlsplit(page.url).query)
    assert (caught.value.code, caught.value.error) == ("request_refused", "invalid_request")
    client.close()


def test_par03_a_number_serves_one_login(provider, person, landing):
    provider.add_app(landing)
    client = Client(resolve("test", provider.auth_section(), file="secrets.toml"), Http())
    url, pending = client.begin(f"{landing}/oauth2callback", "/")
    alice = person()
    page = alice.answer_provider(alice.open(url), "alice")
    assert client.finish(pending, urlsplit(page.url).query).subject == "alice"

    again = alice.open(url)

    assert again.status == 400
    assert "invalid_request_uri" in again.text
    assert client.begin(f"{landing}/oauth2callback", "/")[0] != url
    client.close()


def test_par05_a_provider_that_refuses_the_push_is_a_page_with_a_reference_and_one_request(app, provider, person):
    one = app()
    provider.fault("/request", status=400, body='{"error": "invalid_request", "error_description": "not today"}', type="application/json")
    provider.counts(reset=True)

    page = person().open(f"{one.origin}/auth/login?provider=default")

    assert page.status == 502
    assert "not today" not in page.text
    assert provider.counts()["/request"] == 1
    assert provider.counts().get("/auth", 0) == 0
    assert "request_refused" in one.output


def test_f2_01_bcp14_par_pkce_and_private_key_jwt_end_in_a_login(provider, log_in):
    provider.events(reset=True)

    login, url = log_in(provider, provider.auth_section(client="pkjwt"))

    assert login.subject == "alice"
    assert parse_qs(urlsplit(url).query).keys() == {"client_id", "request_uri"}
    assert [e["client"] for e in provider.events() if e["name"] == "grant.success"] == ["pkjwt"]


def test_a_key_that_the_provider_does_not_know_is_refused(provider, log_in, tmp_path):
    stranger = OpenIdProvider(tmp_path)
    section = {**provider.auth_section(client="pkjwt"), "client_key": str(stranger.client_key)}

    with pytest.raises(ProviderError) as caught:
        log_in(provider, section)

    assert (caught.value.code, caught.value.error) == ("request_refused", "invalid_client")


def test_a_client_whose_id_tokens_are_es256_is_served(provider, log_in):
    login, _ = log_in(provider, provider.auth_section(client="es"))

    assert part_of(login.tokens.id_token.reveal(), 0)["alg"] == "ES256"


@pytest.mark.parametrize("pushed", [True, False])
def test_res01_bcp11_a_token_is_for_the_api_that_was_asked_for(provider, log_in, pushed):
    section = provider.auth_section(resource="urn:snowflake", pushed_authorization_requests=pushed)
    section["client_kwargs"] = {"scope": "openid session:role-any"}

    login, _ = log_in(provider, section)

    claims = part_of(login.tokens.access_token.reveal(), 1)
    assert (claims["aud"], claims["scope"]) == ("urn:snowflake", "session:role-any")


@pytest.mark.parametrize("pushed", [True, False])
def test_res02_an_api_that_the_provider_does_not_know_is_its_error(provider, log_in, pushed):
    section = provider.auth_section(resource="https://unknown.example/", pushed_authorization_requests=pushed)

    with pytest.raises(ProviderError) as caught:
        log_in(provider, section)

    assert (caught.value.code, caught.value.error) == ("request_refused", "invalid_target")
    assert "resource" in caught.value.hint


def test_x25_a_level_that_the_provider_does_not_reach_is_no_login(provider, log_in):
    assert log_in(provider, provider.auth_section(), acr=("urn:test:gold", "urn:test:pwd"))[0].claims["acr"] == "urn:test:pwd"

    with pytest.raises(ProviderError) as caught:
        log_in(provider, provider.auth_section(), acr=("urn:test:gold",))

    assert caught.value.parameter == "acr"


def test_x25_a_max_age_is_asked_and_kept(provider, log_in):
    login, _ = log_in(provider, provider.auth_section(authorization_parameters={"max_age": 300}))

    assert login.claims["auth_time"]


def test_a_client_may_be_without_secret(provider, log_in):
    section = {k: v for k, v in provider.auth_section(client="public").items() if k != "client_secret"}

    assert log_in(provider, section)[0].subject == "alice"
