"""One token for another: what is asked in either way, and which answers are an access token."""

import pytest

from st_auth.errors import LoginRefused, ProviderError
from st_auth.oauth.exchange import exchange_request, judge_exchange_response
from st_auth.secret import Secret
from tests.oauth.given import METADATA, NOW, a_provider

ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"
JWT = "urn:ietf:params:oauth:token-type:jwt"
ANSWER = {"access_token": "n3w", "token_type": "Bearer", "expires_in": 60, "issued_token_type": ACCESS_TOKEN}
ON_BEHALF = a_provider(exchange="jwt-bearer")


def asked(target, provider):
    request = exchange_request(Secret("subj3ct"), target, provider, METADATA, NOW)
    assert request.headers["Authorization"].reveal().startswith("Basic ")
    return request.pairs()


@pytest.mark.parametrize(
    ("target", "name"),
    [("https://api.acme.com", "resource"), ("api://0d4b", "resource"), ("api.acme.com", "audience"), ("urn:sql", "audience")],
)
def test_an_exchange_is_for_an_access_token_at_a_resource_or_an_audience(target, name):
    assert asked(target, a_provider()) == [
        ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"),
        ("subject_token", "subj3ct"),
        ("subject_token_type", ACCESS_TOKEN),
        ("requested_token_type", ACCESS_TOKEN),
        (name, target),
    ]


def test_on_behalf_of_somebody_the_target_is_the_scope():
    assert asked("https://graph.acme.com/.default", ON_BEHALF) == [
        ("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer"),
        ("assertion", "subj3ct"),
        ("requested_token_use", "on_behalf_of"),
        ("scope", "https://graph.acme.com/.default"),
    ]


@pytest.mark.parametrize("kind", [ACCESS_TOKEN, JWT])
def test_an_access_token_or_a_jwt_is_taken(kind):
    tokens = judge_exchange_response(200, {**ANSWER, "issued_token_type": kind}, a_provider(), NOW)

    assert (tokens.access_token.reveal(), tokens.scope, (tokens.expires_at - NOW).seconds) == ("n3w", (), 60)


@pytest.mark.parametrize(
    "kind", ["urn:ietf:params:oauth:token-type:refresh_token", "urn:ietf:params:oauth:token-type:id_token", "", None, 5]
)
def test_any_other_kind_of_token_is_refused(kind):
    with pytest.raises(ProviderError) as caught:
        judge_exchange_response(200, {**ANSWER, "issued_token_type": kind}, a_provider(), NOW)

    assert (caught.value.code, caught.value.parameter) == ("protocol_violation", "issued_token_type")


def test_on_behalf_of_somebody_no_answer_says_its_kind():
    answer = {name: value for name, value in ANSWER.items() if name != "issued_token_type"}

    assert judge_exchange_response(200, answer, ON_BEHALF, NOW).access_token.reveal() == "n3w"


@pytest.mark.parametrize("provider", [a_provider(), ON_BEHALF])
def test_no_id_token_is_wanted_and_a_refusal_is_one(provider):
    assert judge_exchange_response(200, ANSWER, provider, NOW).id_token is None
    with pytest.raises(LoginRefused):
        judge_exchange_response(400, {"error": "invalid_grant"}, provider, NOW)
