"""A-35: a provider's words send the server nowhere: no redirect, no address in a token or an answer, no service of this machine."""

import base64
import json
from contextlib import closing

import httpx2
import pytest

from st_auth import client as clients
from st_auth.client import Client
from st_auth.errors import StAuthError
from st_auth.http import Http
from st_auth.oauth import id_token, metadata
from st_auth.oauth.profile import resolve
from st_auth.testing import FakeIssuer
from st_auth.testing.loopback import server_for

CALLBACK = "https://app.example/oauth2callback"


def _follow() -> None:
    """As HTTP clients do by themselves."""
    make = Http.__init__

    def following(self, *args, **more):
        make(self, *args, **more)
        self._client.follow_redirects = True

    Http.__init__ = following


def _fetch(url: object) -> None:
    if isinstance(url, str) and url.startswith("http"):
        httpx2.get(url, trust_env=False)


def _look_up() -> None:
    """As libraries do that fetch a key where the header says, and claims where the token says."""
    verified, read = Client._verified, id_token.claims_of

    def fetching_key(self, signed):
        header = json.loads(base64.urlsafe_b64decode(signed.compact.partition(".")[0] + "=="))
        for name in ("jku", "x5u"):
            _fetch(header.get(name))
        return verified(self, signed)

    def fetching_claims(payload):
        claims = read(payload)
        for name in ("picture", "profile", "website"):
            _fetch(claims.get(name))
        for source in claims.get("_claim_sources", {}).values():
            _fetch(source["endpoint"])
        return claims

    Client._verified, id_token.claims_of, clients.claims_of = fetching_key, fetching_claims, fetching_claims


def _any_address() -> None:
    metadata.is_secure = lambda url: isinstance(url, str)
    metadata._is_https = lambda url: True


DISARM = {"A-35": _follow, "A-35.b": _look_up, "A-35.c": _any_address, "A-35.d": _any_address}


class Trap:
    """A service that only this machine reaches. `seen` is what came to it."""

    def __init__(self):
        self.seen = []
        self._server = server_for(self._answer).start()
        self.url = f"{self._server.origin}/latest/meta-data"

    def _answer(self, request):
        self.seen.append((request.method, request.content.decode(), request.headers.get("authorization")))
        return httpx2.Response(200, json={})

    def close(self):
        self._server.stop()


@pytest.fixture
def trap():
    with closing(Trap()) as one:
        yield one


@pytest.fixture
def issuer():
    """A provider on real HTTP that has turned against us; what it notes of our requests is not judged here."""
    with FakeIssuer() as one:
        yield one
        one.violations.clear()


def _log_in(issuer, http=None, **section):
    """Try a whole login, and return it, or the error that it ended with."""
    with closing(Client(resolve("x", {**issuer.section(), **section}, file="f"), http or Http())) as client:
        try:
            url, pending = client.begin(CALLBACK, "/")
            return client.finish(pending, issuer.authorize(url).partition("?")[2])
        except StAuthError as error:
            return error


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("path", ["/.well-known/openid-configuration", "/jwks", "/token", "/userinfo", "/par"])
def test_a35_no_endpoint_sends_us_on_to_another_address(issuer, trap, path, status):
    if path == "/par":
        issuer.metadata = {"pushed_authorization_request_endpoint": f"{issuer.issuer}/par"}
    issuer.answers[path] = httpx2.Response(status, headers={"Location": trap.url})

    ended = _log_in(issuer)

    assert trap.seen == []
    assert isinstance(ended, StAuthError)
    assert issuer.calls[path] == 1


@pytest.mark.parametrize("where", ["header", "ID token", "userinfo"])
def test_a35b_no_address_in_a_token_or_in_userinfo_is_fetched(issuer, trap, where):
    """`jku` and `x5u`, aggregated and distributed claims, and pictures of people."""
    sources = {"_claim_names": {"salary": "s"}, "_claim_sources": {"s": {"endpoint": trap.url, "access_token": "x"}}}
    if where == "header":
        issuer.header = {"jku": trap.url, "x5u": trap.url, "jwk": {"kty": "oct", "k": "eA"}}
    elif where == "ID token":
        issuer.claims = {**sources, "picture": trap.url, "profile": trap.url, "website": trap.url}
    else:
        issuer.userinfo = lambda claims: issuer.sign(
            {**claims, **sources, "picture": trap.url, "iss": issuer.issuer, "aud": issuer.client_id}
        )

    ended = _log_in(issuer)

    assert trap.seen == []
    assert ended.subject == "ana"
    assert "_claim_sources" not in ended.claims


class _Both(httpx2.BaseTransport):
    """The provider by its https name, and everything else on the wire, as a server inside a company has it."""

    def __init__(self, issuer):
        self._issuer, self._wire = issuer, httpx2.HTTPTransport()

    def handle_request(self, request):
        return (self._issuer.transport if request.url.host == "issuer.example" else self._wire).handle_request(request)

    def close(self):
        self._wire.close()


@pytest.fixture
def company():
    with FakeIssuer(serve=False) as one:
        yield one
        one.violations.clear()


ENDPOINTS = ("jwks_uri", "token_endpoint", "userinfo_endpoint", "pushed_authorization_request_endpoint")


@pytest.mark.parametrize("name", ENDPOINTS)
def test_a35c_metadata_of_a_company_provider_cannot_name_a_service_of_this_machine(company, trap, name):
    company.metadata = {name: trap.url}

    ended = _log_in(company, Http(_Both(company)))

    assert trap.seen == []
    assert (ended.code, ended.parameter) == ("protocol_violation", name)


@pytest.mark.parametrize("name", ENDPOINTS)
def test_a35d_nor_one_behind_another_scheme_or_a_trick_of_spelling(company, trap, name):
    host = trap.url.removeprefix("http://")
    for url in (
        f"HTTP://{host}",
        f"http://issuer.example@{host}",
        f"http:/{host}",
        f"http://{host}#https://issuer.example/",
        "file:///etc/hosts",
    ):
        company.metadata = {name: url}
        ended = _log_in(company, Http(_Both(company)))
        assert (getattr(ended, "code", ""), getattr(ended, "parameter", "")) == ("protocol_violation", name), url

    assert trap.seen == []
