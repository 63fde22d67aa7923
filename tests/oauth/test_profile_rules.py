"""What of a profile must fit together: nothing is believed of an OpenID provider that its metadata and its ID token say."""

import pytest

from st_auth.oauth.profile_rules import addresses, contradictions
from st_auth.oauth.quirks import ISSUER_NAMES_THE_TENANT

OPENID = {"issuer": "https://{host}", "parameters": {"host": "the host"}, "scopes": ["openid"]}
PLAIN = {
    "openid": False,
    "issuer": "https://{host}",
    "parameters": {"host": "the host"},
    "scopes": ["profile"],
    "authorization_endpoint": "https://{host}/authorize",
    "token_endpoint": "https://{host}/token",
    "userinfo_endpoint": "https://{host}/me",
    "claims": {"sub": "id"},
}
MANY = {"issuer": "https://a.example/{tenantid}", "server_metadata_url": "https://a.example/m", "quirks": [ISSUER_NAMES_THE_TENANT]}


def wrong(table, **changes):
    """The keys that are named, for a table with changes; None takes a key away."""
    merged = {**table, **changes}
    found = list(contradictions({key: value for key, value in merged.items() if value is not None}))
    assert all(what and mend for _, what, mend in found)
    return [key for key, _, _ in found]


@pytest.mark.parametrize("table", [OPENID, PLAIN, MANY, {"issuer": "https://a"}])
def test_a_profile_that_fits_together_has_nothing_wrong(table):
    assert wrong(table) == []


def test_the_addresses_are_those_that_are_filled_in():
    every = {name: f"https://a/{name}" for name in ("issuer", "server_metadata_url", "token_endpoint", "revocation_endpoint")}
    every |= {
        name: f"https://a/{name}" for name in ("authorization_endpoint", "userinfo_endpoint", "emails_endpoint", "end_session_endpoint")
    }

    assert addresses({**every, "name": "A"}) == every
    assert addresses({**every, "quirks": [ISSUER_NAMES_THE_TENANT]}) == {k: v for k, v in every.items() if k != "issuer"}
    assert addresses({"issuer": "https://a", "token_endpoint": ""}) == {"issuer": "https://a"}


def test_parameters_stand_both_in_an_address_and_in_their_table():
    assert wrong(OPENID, issuer="https://{a}/{b}", optional=["a", "host"]) == [
        "parameters.a",
        "parameters.b",
        "parameters.host",
        "optional.a",
    ]
    assert wrong(OPENID, parameters=None) == ["parameters.host"]
    assert wrong(OPENID, optional=["host"]) == []
    assert wrong(PLAIN, emails_endpoint="https://{x}/e") == ["parameters.x"]


@pytest.mark.parametrize("key", ["authorization_endpoint", "token_endpoint", "userinfo_endpoint", "emails_endpoint", "revocation_endpoint"])
@pytest.mark.parametrize("openid", [True, None])
def test_of_an_openid_provider_only_the_metadata_says_where_it_is(openid, key):
    assert wrong(OPENID, openid=openid, **{key: "https://{host}/x"}) == [key]


def test_of_an_openid_provider_only_the_id_token_says_who_a_person_is():
    assert wrong(OPENID, subject_from="token_response") == ["subject_from"]
    assert wrong(OPENID, claims={"sub": "email", "name": "n"}) == ["claims.sub"]
    assert wrong(OPENID, claims={"name": "n"}, end_session_endpoint="https://{host}/bye") == []


@pytest.mark.parametrize("issuer", ["https://a.example", "https://a.example/{tenant}", "https://{host}/{tenantid}"])
def test_an_issuer_that_names_the_tenant_names_it_and_no_more(issuer):
    assert wrong(MANY, issuer=issuer) == ["issuer"]


@pytest.mark.parametrize("url", [None, ""])
def test_an_issuer_that_names_the_tenant_does_not_tell_where_the_metadata_is(url):
    assert wrong(MANY, server_metadata_url=url) == ["server_metadata_url"]


@pytest.mark.parametrize("key", ["authorization_endpoint", "token_endpoint", "userinfo_endpoint"])
@pytest.mark.parametrize("url", [None, ""])
def test_a_plain_provider_says_itself_where_it_is(key, url):
    assert wrong(PLAIN, **{key: url}) == [key]


def test_where_the_token_response_names_the_person_no_userinfo_is_needed():
    assert wrong(PLAIN, userinfo_endpoint=None, subject_from="token_response") == []
    assert wrong(PLAIN, userinfo_endpoint=None, subject_from="userinfo") == ["userinfo_endpoint"]


@pytest.mark.parametrize("claims", [None, {}, {"sub": ""}, {"sub": "access_token"}, {"sub": "refresh_token"}, {"sub": "id_token"}])
def test_a_plain_provider_says_who_a_person_is_and_no_token_is_a_person(claims):
    assert wrong(PLAIN, claims=claims) == ["claims.sub"]


def test_a_plain_provider_asks_for_no_id_token_and_for_no_metadata():
    assert wrong(PLAIN, scopes=["profile", "openid"]) == ["scopes"]
    assert wrong(PLAIN, scopes=None) == []
    assert wrong(PLAIN, server_metadata_url="https://{host}/m") == ["server_metadata_url"]


def test_the_address_of_a_person_comes_from_one_place():
    emails = {"emails_endpoint": "https://{host}/emails"}

    assert wrong(PLAIN, claims={"sub": "id", "email": "mail"}) == []
    assert wrong(PLAIN, **emails, claims={"sub": "id", "email": "mail"}) == ["claims.email"]
    assert wrong(PLAIN, **emails, claims={"sub": "id", "email": "email"}) == wrong(PLAIN, **emails) == []
