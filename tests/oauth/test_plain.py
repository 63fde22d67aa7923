"""Who logged in where there is no ID token: whatever a provider answers is a person, or our own error."""

import pytest
from hypothesis import given, strategies as st

from st_auth.errors import ProviderError
from st_auth.oauth.dialect import in_standard_words
from st_auth.oauth.plain import judge_emails, judge_person
from st_auth.oauth.quirks import SCOPE_WITH_COMMAS
from tests.oauth.given import a_provider

ISSUER = "https://sso.acme.com"


def plain(**fields):
    return a_provider(**{"openid": False, "scopes": ("profile",), "claims": {"sub": "user.id", "name": "name"}, **fields})


def test_a_path_leads_to_the_subject_and_a_name_with_dots_goes_before_it():
    assert judge_person({"user": {"id": 7}}, plain(), ISSUER)["sub"] == "7"
    assert judge_person({"user": {"id": 7}, "user.id": "u-8"}, plain(), ISSUER)["sub"] == "u-8"


@pytest.mark.parametrize("subject", [1, 2**63, "0", "x" * 255])
def test_a_subject_is_a_number_above_zero_or_a_text_of_a_length_that_fits(subject):
    assert judge_person({"user": {"id": subject}}, plain(), ISSUER)["sub"] == str(subject)


@pytest.mark.parametrize("subject", [0, -1, True, 1.5, "", " ", "x" * 256, 10**255, None, ["u"]])
def test_what_identifies_nobody_is_refused(subject):
    with pytest.raises(ProviderError) as caught:
        judge_person({"user": {"id": subject}}, plain(), ISSUER)

    assert caught.value.parameter == "sub"


def test_what_only_an_id_token_can_vouch_for_is_not_taken_from_an_api():
    answer = {"user": {"id": "u"}, "iss": "https://evil.example", "sub": "somebody", "aud": "x", "auth_time": 1, "sid": "s", "name": "Ana"}

    claims = judge_person(answer, plain(), ISSUER)

    assert claims == {"iss": ISSUER, "sub": "u", "user": {"id": "u"}, "name": "Ana"}


def test_where_to_ask_for_more_claims_is_not_kept_as_it_may_hold_a_token():
    sources = {"_claim_names": {"salary": "s"}, "_claim_sources": {"s": {"endpoint": "https://evil.example", "access_token": "x"}}}

    assert judge_person({"user": {"id": "u"}, **sources}, plain(), ISSUER) == {"iss": ISSUER, "sub": "u", "user": {"id": "u"}}


def test_of_a_token_response_the_branch_that_a_path_walks_into_is_kept():
    answer = {"access_token": "a", "session": "secret", "user": {"id": "u"}}

    assert judge_person(answer, plain(subject_from="token_response"), ISSUER) == {"iss": ISSUER, "sub": "u", "user": {"id": "u"}}


def test_no_token_is_a_claim_even_where_a_profile_names_one():
    answer = {"access_token": "a", "refresh_token": "r", "id_token": "i", "user": {"id": "u"}}
    claims = {"sub": "user.id", "name": "access_token", "email": "refresh_token", "groups": "id_token.groups"}

    assert judge_person(answer, plain(subject_from="token_response", claims=claims), ISSUER) == {
        "iss": ISSUER,
        "sub": "u",
        "user": {"id": "u"},
    }


PRIMARY = {"email": "ana@acme.com", "primary": True, "verified": True}


@pytest.mark.parametrize(
    ("emails", "email", "is_verified"),
    [
        (
            [{"email": "old@acme.com", "primary": False, "verified": True}, PRIMARY, {**PRIMARY, "email": "b@acme.com"}],
            "ana@acme.com",
            True,
        ),
        ([{**PRIMARY, "verified": False}], "ana@acme.com", False),
        ([{**PRIMARY, "verified": "true"}], "ana@acme.com", False),
        ([{"email": "ana@acme.com", "primary": True}], "ana@acme.com", False),
        ([{**PRIMARY, "primary": 1}, {**PRIMARY, "email": None}, {"email": "a@acme.com", "verified": True}, "x", None], "", False),
        ([], "", False),
    ],
)
def test_a_persons_address_is_the_primary_one_and_verified_only_if_the_provider_says_true(emails, email, is_verified):
    assert judge_emails(emails) == {"email": email, "email_verified": is_verified}


@pytest.mark.parametrize(("words", "scope"), [("a,b", "a b"), ("a b", "a b"), ("a, b", "a  b"), (None, None), (["a"], ["a"])])
def test_commas_in_a_scope_are_spaces_only_where_the_profile_says_so(words, scope):
    assert in_standard_words({"scope": words}, plain(quirks=(SCOPE_WITH_COMMAS,))).get("scope") == scope
    assert in_standard_words({"scope": words}, plain()).get("scope") == words


def test_error_codes_that_the_profile_knows_are_those_of_the_specification():
    provider = plain(error_codes={"bad_verification_code": "invalid_grant"})

    assert in_standard_words({"error": "bad_verification_code", "x": 1}, provider) == {"error": "invalid_grant", "x": 1}
    assert in_standard_words({"error": "other"}, provider) == {"error": "other"}
    assert in_standard_words({"error": ["bad_verification_code"]}, provider) == {"error": ["bad_verification_code"]}


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(), lambda c: st.lists(c) | st.dictionaries(st.text(), c), max_leaves=5
)


@given(st.dictionaries(st.sampled_from(["user", "user.id", "name", "sub"]), ANYTHING | st.fixed_dictionaries({"id": ANYTHING})))
def test_no_answer_raises_anything_but_our_error(answer):
    try:
        claims = judge_person(answer, plain(), ISSUER)
    except ProviderError as error:
        assert error.parameter == "sub"
    else:
        assert claims["iss"] == ISSUER
        assert 0 < len(claims["sub"]) <= 255


@given(st.lists(ANYTHING | st.fixed_dictionaries({"email": ANYTHING, "primary": ANYTHING, "verified": ANYTHING})))
def test_no_list_of_addresses_raises_and_only_true_is_true(emails):
    found = judge_emails(emails)

    assert isinstance(found["email"], str)
    assert found["email_verified"] in (True, False)
    if found["email_verified"]:
        assert any(isinstance(e, dict) and e.get("verified") is True and e.get("primary") is True for e in emails)
