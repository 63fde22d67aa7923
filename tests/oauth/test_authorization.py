from dataclasses import replace
from datetime import timedelta
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from hypothesis import given, strategies as st

from st_auth.errors import LoginRefused, ProviderError, StAuthError, Unavailable
from st_auth.oauth.authorization import authorization_parameters, authorization_url, judge_response, new_code_verifier, new_token
from tests.oauth.given import METADATA, NOW, PENDING, a_provider, with_iss_advertised

ISS = "https://issuer.example"


def asked(url):
    return {name: values[0] for name, values in parse_qs(urlsplit(url).query, keep_blank_values=True).items()}


def authorization_request(metadata, provider, pending, **asked):
    return authorization_url(metadata, authorization_parameters(provider, pending, **asked))


def judge(metadata=METADATA, pending=PENDING, now=NOW, **parameters):
    return judge_response(urlencode({"state": PENDING.state, **parameters}), metadata, pending, now)


def test_the_request_holds_state_nonce_and_s256_of_the_verifier_rfc_7636_appendix_b():
    sent = asked(authorization_request(METADATA, a_provider(), PENDING))

    assert sent == {
        "response_type": "code",
        "client_id": "app",
        "redirect_uri": PENDING.redirect_uri,
        "scope": "openid email",
        "state": PENDING.state,
        "nonce": "n0nce",
        "code_challenge": "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
        "code_challenge_method": "S256",
    }


def test_x19_pkce_02_s256_is_sent_even_where_the_metadata_does_not_offer_it():
    assert asked(authorization_request(METADATA, a_provider(), PENDING))["code_challenge_method"] == "S256"


def test_prompt_max_age_and_login_hint_are_sent_and_the_query_of_the_endpoint_is_kept():
    metadata = replace(METADATA, authorization_endpoint="https://issuer.example/authorize?tenant=1")
    provider = a_provider(authorization_parameters={"prompt": "select_account", "domain_hint": "acme", "empty": ""})

    sent = asked(authorization_request(metadata, provider, replace(PENDING, max_age=0), prompt="login", login_hint="ana@example.com"))

    assert (sent["tenant"], sent["prompt"], sent["max_age"], sent["login_hint"]) == ("1", "login", "0", "ana@example.com")
    assert sent["domain_hint"] == "acme"
    assert "empty" not in sent


def test_a_provider_without_openid_is_sent_nothing_of_openids():
    plain = a_provider(openid=False, scopes=("user",), authorization_parameters={"prompt": "select_account"})

    sent = asked(authorization_request(METADATA, plain, PENDING, prompt="login"))

    assert (sent["prompt"], sent["scope"]) == ("select_account", "user")
    assert "nonce" not in sent


def test_the_prompt_that_is_configured_is_sent_where_the_login_wants_none():
    provider = a_provider(authorization_parameters={"prompt": "select_account"})

    assert asked(authorization_request(METADATA, provider, PENDING))["prompt"] == "select_account"
    assert "prompt" not in asked(authorization_request(METADATA, provider, PENDING, prompt=""))


def test_the_levels_of_a_login_that_are_asked_for_go_along_and_win_over_the_configured_ones():
    configured = a_provider(authorization_parameters={"acr_values": "urn:low", "ui_locales": "de"})

    sent = asked(authorization_request(METADATA, configured, replace(PENDING, acr=("urn:gold", "urn:silver"))))

    assert (sent["acr_values"], sent["ui_locales"]) == ("urn:gold urn:silver", "de")
    assert asked(authorization_request(METADATA, configured, PENDING))["acr_values"] == "urn:low"


def test_no_configured_parameter_replaces_ours():
    """The configuration refuses them by name; here they come to nothing all the same."""
    ours = asked(authorization_request(METADATA, a_provider(), PENDING))

    assert asked(authorization_request(METADATA, a_provider(authorization_parameters=dict.fromkeys(ours, "x")), PENDING)) == ours


def test_res01_bcp11_each_resource_goes_along_once_and_in_its_order():
    provider = a_provider(resource=("https://api.acme.com/", "urn:snowflake"))

    query = urlsplit(authorization_request(METADATA, provider, PENDING)).query

    assert parse_qs(query)["resource"] == ["https://api.acme.com/", "urn:snowflake"]


def test_res02_a_resource_that_the_provider_does_not_know_is_refused_with_a_hint():
    with pytest.raises(ProviderError) as caught:
        judge(error="invalid_target")

    assert (caught.value.code, caught.value.error) == ("request_refused", "invalid_target")
    assert "resource" in caught.value.hint


def test_pkce_01_bcp05_every_verifier_is_new_and_of_64_unreserved_characters():
    verifiers = {new_code_verifier().reveal() for _ in range(10_000)}

    assert len(verifiers) == 10_000
    assert all(len(v) == 64 and v.replace("-", "").replace("_", "").isalnum() for v in verifiers)


def test_bcp08_state_is_opaque_and_random():
    assert len({new_token() for _ in range(100)}) == 100
    assert len(new_token()) == 43


def test_rp02_a_code_for_our_question_is_a_grant():
    grant = judge(code="c0de", iss=ISS)

    assert (grant.code.reveal(), grant.redirect_uri) == ("c0de", PENDING.redirect_uri)
    assert grant.code_verifier == PENDING.code_verifier
    assert "c0de" not in repr(grant)


@pytest.mark.parametrize("state", ["", "other", PENDING.state + "x"])
def test_f2_06_x22_another_state_is_refused(state):
    with pytest.raises(LoginRefused) as caught:
        judge(code="c0de", state=state)

    assert (caught.value.code, caught.value.parameter) == ("response_mismatch", "state")


def test_f2_06_a_missing_state_is_refused():
    with pytest.raises(LoginRefused, match="another attempt"):
        judge_response("code=c0de", METADATA, PENDING, NOW)


@pytest.mark.parametrize("iss", ["https://evil.example", "https://issuer.example/", ""])
@pytest.mark.parametrize("metadata", [METADATA, with_iss_advertised()])
def test_iss01_iss03_f2_04_bcp04_another_iss_is_refused_advertised_or_not(iss, metadata):
    with pytest.raises(LoginRefused) as caught:
        judge(metadata, code="c0de", iss=iss)

    assert (caught.value.code, caught.value.parameter) == ("response_mismatch", "iss")


def test_iss02_f2_05_a_missing_iss_is_refused_where_the_metadata_promises_one():
    with pytest.raises(LoginRefused) as caught:
        judge(with_iss_advertised(), code="c0de")

    assert caught.value.parameter == "iss"
    assert judge(METADATA, code="c0de")


def test_iss04_the_issuer_is_judged_before_an_error_is_shown():
    with pytest.raises(LoginRefused) as caught:
        judge(with_iss_advertised(), error="access_denied")

    assert (caught.value.code, caught.value.parameter) == ("response_mismatch", "iss")


def test_iss01_iss_is_decoded_once():
    with pytest.raises(LoginRefused):
        judge_response(f"state={PENDING.state}&code=c&iss=https%253A%252F%252Fissuer.example", METADATA, PENDING, NOW)


@pytest.mark.parametrize("twice", ["code=a&code=a", "code=a&state=st4te-st4te-st4te-st4te", "code=a&x=1&x=2"])
def test_x20_a_parameter_that_comes_twice_is_refused(twice):
    with pytest.raises(LoginRefused) as caught:
        judge_response(f"state={PENDING.state}&{twice}", METADATA, PENDING, NOW)

    assert caught.value.parameter == "query"


def test_x20_a_code_and_an_error_together_are_refused():
    with pytest.raises(LoginRefused) as caught:
        judge(code="c0de", error="access_denied")

    assert caught.value.parameter == "code"


@pytest.mark.parametrize("parameters", [{}, {"code": ""}])
def test_neither_code_nor_error_is_refused(parameters):
    with pytest.raises(LoginRefused) as caught:
        judge(**parameters)

    assert caught.value.parameter == "code"


@pytest.mark.parametrize(
    "error", ["access_denied", "login_required", "consent_required", "interaction_required", "account_selection_required"]
)
def test_rp06_an_error_that_the_person_can_mend_is_a_refusal_with_its_code(error):
    with pytest.raises(LoginRefused) as caught:
        judge(error=error, error_description="secret words")

    assert caught.value.code == error
    assert "secret words" not in str(caught.value)


@pytest.mark.parametrize("error", ["server_error", "temporarily_unavailable"])
def test_an_error_that_passes_is_unavailable(error):
    with pytest.raises(Unavailable) as caught:
        judge(error=error)

    assert caught.value.code == "provider"


def test_any_other_error_is_the_providers_with_its_words_made_printable():
    with pytest.raises(ProviderError) as caught:
        judge(error='invalid_"scope\n', error_description="bad\x1b[31m scope " + "x" * 500)

    assert caught.value.error == "invalid_scope"
    assert caught.value.description.startswith("bad[31m scope")
    assert len(caught.value.description) <= 200
    assert "scope x" not in str(caught.value)


@pytest.mark.parametrize("late", [timedelta(minutes=10, seconds=1), timedelta(seconds=-61), timedelta(days=400)])
def test_an_answer_after_ten_minutes_is_expired(late):
    with pytest.raises(LoginRefused) as caught:
        judge(code="c0de", now=NOW + late)

    assert caught.value.code == "expired"


def test_an_answer_within_ten_minutes_is_taken():
    assert judge(code="c0de", now=NOW + timedelta(minutes=10))
    assert judge(code="c0de", now=NOW - timedelta(seconds=59))  # another replica's clock


@pytest.mark.parametrize("query", ["x=" + "1" * 20_000, "state=ä", "&".join(f"p{n}=1" for n in range(99)), "state=%ED%A0%80"])
def test_a_query_that_is_too_long_or_no_text_is_refused(query):
    with pytest.raises(LoginRefused) as caught:
        judge_response(query, METADATA, PENDING, NOW)

    assert caught.value.parameter == "query"


@given(st.text() | st.text("state=code&iss%3A4", max_size=60) | st.dictionaries(st.text(), st.text()).map(urlencode))
def test_no_query_raises_anything_but_our_errors(query):
    for full in (query, f"state={PENDING.state}&{query}"):
        try:
            judge_response(full, METADATA, PENDING, NOW)
        except StAuthError as error:
            assert error.code


def test_a_query_of_16_kib_and_50_parameters_is_read_and_no_longer_one():
    right = urlencode({"state": PENDING.state, "code": "c0de"})
    longest, most = f"{right}&x={'y' * (16 * 1024 - len(right) - 3)}", right + "".join(f"&x{n}=" for n in range(48))

    for query in (longest, most):
        assert judge_response(query, METADATA, PENDING, NOW).code.reveal() == "c0de"
    for query in (longest + "y", most + "&z="):
        with pytest.raises(LoginRefused) as caught:
            judge_response(query, METADATA, PENDING, NOW)
        assert caught.value.parameter == "query"


def test_an_attempt_may_have_begun_in_a_minute_by_another_clock():
    query = urlencode({"state": PENDING.state, "code": "c0de"})

    assert judge_response(query, METADATA, PENDING, NOW - timedelta(seconds=60)).code
    with pytest.raises(LoginRefused) as caught:
        judge_response(query, METADATA, PENDING, NOW - timedelta(seconds=61))
    assert caught.value.code == "expired"
