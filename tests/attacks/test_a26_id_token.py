"""A-26: what st.login does not check of a login, we check: where it does not hold, nobody is in."""

from contextlib import closing

import pytest

from st_auth import client
from st_auth.oauth import authorization, id_token, jwks, metadata
from tests.web.inprocess import Browser, House

ALGORITHMS = ["none", "HS256", "RS256"]


def _as_the_metadata_says() -> None:
    """As Authlib does: a token may be signed with what the provider's metadata lists, with nothing where that is "none"."""
    judge, verify = jwks.parse_jws, jwks.verified_payload

    def parse(compact, algorithms, types=("jwt",)):
        header = jwks.parse_object(jwks.base64.urlsafe_b64decode(compact.partition(".")[0] + "=="))
        return jwks.Jws(compact, "RS256", None) if header["alg"] == "none" else judge(compact, algorithms, types)

    def payload(signed, keys):
        if signed.compact.endswith("."):
            return jwks.base64.urlsafe_b64decode(signed.compact.split(".")[1] + "==")
        return verify(signed, keys)

    jwks.parse_jws, jwks.verified_payload = parse, payload


def _any_issuer() -> None:
    metadata._issuer = lambda document, provider: document["issuer"]


def _any_answer() -> None:
    authorization._require_issuer = lambda *_: None


def _any_userinfo() -> None:
    client.judge_userinfo = lambda claims, subject: dict(claims)


def _any_audience() -> None:
    id_token.require_audience = lambda *_: None


DISARM = {
    "A-26": _as_the_metadata_says,
    "A-26.b": _any_issuer,
    "A-26.c": _any_answer,
    "A-26.d": _any_userinfo,
    "A-26.e": _any_audience,
}


@pytest.fixture
def house():
    with closing(House()) as one:
        yield one


def _is_in(house):
    """Whether a login ends with a session."""
    ana = Browser(house)
    away = ana.go_to_provider()
    if away.location.startswith(f"{house.issuer.issuer}/authorize?"):
        ana.come_back(away)
    return house.gate.names.session in ana.cookies


def test_a26_a_token_that_nobody_signed_is_none_even_where_the_metadata_lists_none(house):
    house.issuer.metadata = {"id_token_signing_alg_values_supported": ALGORITHMS}
    assert _is_in(house)

    house.issuer.header = {"alg": "none"}
    house.issuer.claims = {"groups": ["admins"]}

    assert not _is_in(house)


def test_a26b_metadata_of_another_issuer_is_not_the_providers(house):
    """Somebody who can write one file at the provider's host, or its other tenant, becomes nobody's issuer."""
    assert house.config.providers["okta"].issuer is None
    other = "https://issuer.example/other-tenant"
    house.issuer.metadata = {"issuer": other}
    house.issuer.claims = {"iss": other}
    house.issuer.response = {"iss": other}

    assert not _is_in(house)


def test_a26c_an_answer_of_another_provider_never_reaches_the_token_endpoint(house):
    """Mix-up (RFC 9207 section 1): the code of one provider is not brought to another."""
    assert _is_in(house)
    calls = house.issuer.token_calls

    house.issuer.response = {"iss": "https://evil.example"}

    assert not _is_in(house)
    assert house.issuer.token_calls == calls


def test_a26d_userinfo_about_somebody_else_adds_nothing_to_anybody(house):
    assert _is_in(house)

    house.issuer.userinfo = {"sub": "bob", "department": "board"}

    assert not _is_in(house)


def test_a26e_a_token_for_another_app_is_none_here(house):
    assert _is_in(house)

    house.issuer.claims = {"aud": "another-app", "azp": "another-app"}

    assert not _is_in(house)
