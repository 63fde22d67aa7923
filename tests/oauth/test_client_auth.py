"""Who asks: the one door that every request of the client itself goes through."""

import base64
import json
from dataclasses import replace
from urllib.parse import unquote_plus

import pytest

from st_auth.errors import ProviderError
from st_auth.oauth.client_auth import authenticated
from st_auth.oauth.client_key import read_client_key
from tests.oauth.given import METADATA, NOW, a_provider
from tests.oauth.keys import key_file

FORM = {"grant_type": "refresh_token", "refresh_token": "r3fresh"}


@pytest.fixture
def by_key(tmp_path):
    return a_provider(client_secret=None, client_key=read_client_key(key_file(tmp_path), "key-1"))


def sent(provider, metadata=METADATA, form=FORM):
    request = authenticated(form, provider, metadata, NOW)
    return dict(request.pairs()), request


def claims_in(form):
    return json.loads(base64.urlsafe_b64decode(form["client_assertion"].split(".")[1] + "=="))


def test_bcp14_an_assertion_has_the_issuer_as_its_only_audience_whatever_the_endpoints_are(by_key):
    elsewhere = replace(
        METADATA, token_endpoint="https://other.example/token", pushed_authorization_request_endpoint="https://x.example/par"
    )

    for metadata in (METADATA, elsewhere):
        form, request = sent(by_key, metadata)
        assert claims_in(form)["aud"] == "https://issuer.example"
        assert form["client_assertion_type"] == "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
        assert request.headers == {}
    assert form["client_id"] == "app"
    assert {"client_secret"} & form.keys() == set()


def test_bcp14_an_assertion_says_who_and_when_for_a_minute_and_is_new_each_time(by_key):
    claims = [claims_in(sent(by_key)[0]) for _ in range(20)]

    assert {(c["iss"], c["sub"]) for c in claims} == {("app", "app")}
    assert {(c["iat"], c["exp"]) for c in claims} == {(int(NOW.timestamp()), int(NOW.timestamp()) + 60)}
    assert len({c["jti"] for c in claims}) == 20
    assert min(len(c["jti"]) for c in claims) == 43
    assert claims[0].keys() == {"iss", "sub", "aud", "jti", "iat", "exp"}


def test_a_key_that_the_provider_cannot_verify_is_refused_before_anything_is_sent(by_key):
    with pytest.raises(ProviderError) as caught:
        sent(by_key, replace(METADATA, token_endpoint_auth_signing_alg_values_supported=("HS256", "RS256")))

    assert (caught.value.code, caught.value.parameter) == ("request_refused", "client_assertion")


def test_a_key_wins_over_what_the_metadata_offers(by_key):
    form, request = sent(by_key, replace(METADATA, token_endpoint_auth_methods_supported=("client_secret_post", "client_secret_basic")))

    assert "client_assertion" in form
    assert not request.headers


def test_a_request_shows_nothing_of_itself(by_key):
    form, request = sent(by_key)

    assert form["client_assertion"] not in repr(request)
    assert "r3fresh" not in repr(request)


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post", "none"])
def test_a_name_may_come_more_than_once_and_the_client_id_does_not(method):
    pairs = [("client_id", "app"), ("resource", "urn:a"), ("resource", "urn:b")]

    request = authenticated(pairs, a_provider(token_endpoint_auth_method=method), METADATA, NOW)

    names = [name for name, _ in request.pairs()]
    assert (names.count("resource"), names.count("client_id")) == (2, 1)


def test_a_client_without_secret_and_key_only_says_its_name():
    form, request = sent(a_provider(client_secret=None))

    assert form == {**FORM, "client_id": "app"}
    assert request.headers == {}


def test_basic_leaves_the_form_as_it_is():
    form, request = sent(a_provider())

    assert form == FORM
    assert unquote_plus(base64.b64decode(request.headers["Authorization"].reveal().removeprefix("Basic ")).decode()) == "app:secret"


@pytest.mark.parametrize(
    ("configured", "offered", "way"),
    [
        (None, (), "basic"),
        (None, ("client_secret_basic", "client_secret_post"), "basic"),
        (None, ("client_secret_post",), "post"),
        (None, ("private_key_jwt",), "basic"),
        ("client_secret_post", ("client_secret_basic",), "post"),
        ("client_secret_basic", ("client_secret_post",), "basic"),
        ("none", ("client_secret_basic",), "name"),
    ],
)
def test_rp04_the_configured_way_wins_then_what_the_provider_offers_then_basic(configured, offered, way):
    metadata = replace(METADATA, token_endpoint_auth_methods_supported=offered)

    form, request = sent(a_provider(token_endpoint_auth_method=configured), metadata)

    assert ("Authorization" in request.headers) == (way == "basic")
    assert form.get("client_secret") == ("secret" if way == "post" else None)
    assert form.get("client_id") == (None if way == "basic" else "app")


def test_rp04_a_client_without_secret_says_its_name_alone():
    form, request = sent(a_provider(client_secret=None, token_endpoint_auth_method="client_secret_basic"))

    assert (form, request.headers) == ({**FORM, "client_id": "app"}, {})
