from dataclasses import replace
from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given, strategies as st

from st_auth.errors import ProviderError, StAuthError
from st_auth.oauth.authorization import authorization_parameters
from st_auth.oauth.pushed import is_pushed, judge_pushed, pushed_request, pushed_url
from tests.oauth.given import METADATA, NOW, PENDING, a_provider

ENDPOINT = "https://issuer.example/par"
OFFERED = replace(METADATA, pushed_authorization_request_endpoint=ENDPOINT)
DEMANDED = replace(OFFERED, require_pushed_authorization_requests=True)
URI = "urn:ietf:params:oauth:request_uri:6esc_11ACC5bwc014ltc14eY22c"


@pytest.mark.parametrize(
    ("metadata", "configured", "pushed"),
    [
        (METADATA, None, False),
        (METADATA, False, False),
        (METADATA, True, True),
        (OFFERED, None, True),
        (OFFERED, False, False),
        (OFFERED, True, True),
        (DEMANDED, None, True),
        (DEMANDED, False, True),
        (DEMANDED, True, True),
    ],
)
def test_par04_requests_are_pushed_where_demanded_and_else_where_offered_unless_the_configuration_says_otherwise(
    metadata, configured, pushed
):
    assert is_pushed(a_provider(pushed_authorization_requests=configured), metadata) is pushed


@pytest.mark.parametrize("metadata", [METADATA, replace(METADATA, require_pushed_authorization_requests=True)])
def test_par04_a_push_that_is_demanded_without_an_endpoint_is_refused(metadata):
    with pytest.raises(ProviderError) as caught:
        pushed_request([], a_provider(pushed_authorization_requests=True), metadata, NOW)

    assert caught.value.parameter == "pushed_authorization_request_endpoint"


def test_par01_f2_19_what_is_pushed_is_the_whole_question_with_client_authentication():
    asked = authorization_parameters(a_provider(), PENDING)

    endpoint, request = pushed_request(asked, a_provider(), OFFERED, NOW)

    assert endpoint == ENDPOINT
    assert request.pairs() == asked
    assert dict(asked).keys() >= {"client_id", "state", "nonce", "code_challenge", "redirect_uri"}
    assert dict(asked)["code_challenge_method"] == "S256"
    assert "request_uri" not in dict(asked)
    assert request.headers["Authorization"].reveal().startswith("Basic ")


def test_par02_the_browser_carries_the_client_id_and_the_number_and_nothing_else():
    metadata = replace(OFFERED, authorization_endpoint="https://issuer.example/authorize?tenant=1")

    sent = parse_qsl(urlsplit(pushed_url(metadata, a_provider(), URI)).query)

    assert sent == [("tenant", "1"), ("client_id", "app"), ("request_uri", URI)]


@pytest.mark.parametrize("status", [200, 201])
@pytest.mark.parametrize("lifetime", [1, 60, 599.5])
def test_par03_an_answer_with_a_number_and_its_lifetime_is_taken(status, lifetime):
    assert judge_pushed(status, {"request_uri": URI, "expires_in": lifetime}) == URI


@pytest.mark.parametrize("uri", ["x", "!", "~", "x" * 2048])
def test_par03_a_number_may_be_of_any_printable_letters_up_to_its_limit(uri):
    assert judge_pushed(201, {"request_uri": uri, "expires_in": 60}) == uri


@pytest.mark.parametrize("uri", [None, "", 5, ["x"], "a b", "a\nb", "ä", "x" * 2049])
def test_par03_a_number_that_is_none_is_refused(uri):
    with pytest.raises(ProviderError) as caught:
        judge_pushed(201, {"request_uri": uri, "expires_in": 60})

    assert (caught.value.code, caught.value.parameter) == ("protocol_violation", "request_uri")


@pytest.mark.parametrize("lifetime", [None, 0, -1, "60", True, [60], float("nan")])
def test_par03_a_lifetime_that_is_none_is_refused(lifetime):
    with pytest.raises(ProviderError) as caught:
        judge_pushed(201, {"request_uri": URI, "expires_in": lifetime})

    assert caught.value.parameter == "request_uri.expires_in"


@pytest.mark.parametrize(
    ("error", "hint"), [("invalid_client", "client_key"), ("invalid_target", "resource"), ("invalid_request", ""), (None, ""), (["x"], "")]
)
def test_par05_a_refusal_is_the_providers_with_its_words_made_printable(error, hint):
    with pytest.raises(ProviderError) as caught:
        judge_pushed(400, {"error": error, "error_description": "no\x1b[31m", "request_uri": URI, "expires_in": 60})

    assert (caught.value.code, caught.value.description) == ("request_refused", "no[31m")
    assert caught.value.error == (error if isinstance(error, str) else "")
    assert hint in caught.value.hint


def test_par05_an_error_beside_a_number_is_an_error():
    with pytest.raises(ProviderError):
        judge_pushed(201, {"error": "x", "request_uri": URI, "expires_in": 60})


@given(
    st.sampled_from([200, 201, 204, 400, 401]),
    st.dictionaries(st.sampled_from(["error", "request_uri", "expires_in", "x"]), st.text() | st.floats() | st.none()),
)
def test_no_answer_raises_anything_but_our_errors(status, answer):
    try:
        assert judge_pushed(status, answer)
    except StAuthError as error:
        assert error.code
