"""Who may log in: every key that is given must hold, within a key any value suffices."""

from types import SimpleNamespace

import pytest

from st_auth.access.allow import judge_allow
from st_auth.config import Allow
from st_auth.errors import LoginRefused
from tests.oauth.given import a_provider

CLAIM = a_provider()


def person(**fields):
    return SimpleNamespace(**{"email": "Ana@Acme.com", "email_verified": True, "groups": ("analysts",), "claims": {}, **fields})


def check(allow, somebody=None, provider=CLAIM):
    """The check that refuses, or an empty text."""
    try:
        judge_allow(allow, somebody or person(), provider)
    except LoginRefused as error:
        assert error.code == "not_allowed"
        assert error.hint
        assert "Ana" not in str(error)
        return error.parameter
    return ""


def test_without_any_rule_everybody_whom_the_provider_knows_may():
    assert check(Allow(), person(email="", groups=())) == ""


@pytest.mark.parametrize(
    ("allow", "refused"),
    [
        (Allow(email_domain=("acme.com",)), ""),
        (Allow(email_domain=("other.com", "acme.com")), ""),
        (Allow(email_domain=("other.com",)), "email_domain"),
        (Allow(email_domain=("me.com",)), "email_domain"),
        (Allow(email=("ana@acme.com",)), ""),
        (Allow(email=("bob@acme.com",)), "email"),
        (Allow(email=("bob@acme.com",), email_domain=("acme.com",)), "email"),
        (Allow(groups=("admins", "analysts")), ""),
        (Allow(groups=("admins",)), "groups"),
        (Allow(groups=("Analysts",)), "groups"),
        (Allow(email_domain=("acme.com",), groups=("admins",)), "groups"),
    ],
)
def test_every_key_must_hold_and_within_a_key_any_value_suffices(allow, refused):
    assert check(allow) == refused


@pytest.mark.parametrize(
    ("allow", "somebody", "said"),
    [
        (Allow(groups=("admins",)), person(), "in none of the groups that may use it."),
        (Allow(email=("ana@acme.com",)), person(email_verified=None), "does not confirm an e-mail address for it."),
        (Allow(email=("bob@acme.com",)), person(), "not on the list of those who may use it."),
        (Allow(email_domain=("other.com",)), person(), "not of a company that may use it."),
    ],
)
def test_a_refusal_tells_the_person_why(allow, somebody, said):
    with pytest.raises(LoginRefused) as refused:
        judge_allow(allow, somebody, CLAIM)
    assert refused.value.hint.endswith(said)


@pytest.mark.parametrize("verified", [False, None, "true", 1])
def test_an_address_that_is_not_verified_does_not_count(verified):
    assert check(Allow(email_domain=("acme.com",)), person(email_verified=verified)) == "email"


def test_a_provider_may_always_or_never_verify():
    unverified = person(email_verified=None)

    assert check(Allow(email_domain=("acme.com",)), unverified, a_provider(email_is_verified="always")) == ""
    assert check(Allow(email_domain=("acme.com",)), person(), a_provider(email_is_verified="never")) == "email"


def test_nobody_without_an_address_has_the_right_one():
    assert check(Allow(email_domain=("acme.com",)), person(email=""), a_provider(email_is_verified="always")) == "email"


@pytest.mark.parametrize(
    "email", ["ana@acme.com.evil.example", "ana@evil-acme.com", "acme.com", "ana@evil.example#@x", "ana@acme.com@evil.example"]
)
def test_an_address_that_only_looks_right_is_refused(email):
    assert check(Allow(email_domain=("acme.com",)), person(email=email)) == "email_domain"


@pytest.mark.parametrize("value", ["sales", ["x", "sales"], ("sales",)])
def test_a_claim_may_be_one_value_or_several(value):
    assert check(Allow(claim={"department": ("sales", "it")}), person(claims={"department": value})) == ""


@pytest.mark.parametrize("value", [None, "hr", [], [None], "Sales", {"sales": 1}, ["salesx"], 7])
def test_a_claim_that_does_not_hold_refuses_and_is_named(value):
    assert check(Allow(claim={"department": ("sales",)}), person(claims={"department": value})) == "claim department"


def test_numbers_and_truths_are_compared_as_json_writes_them():
    claims = {"level": 3, "staff": True, "score": 1.5}

    assert check(Allow(claim={"level": ("3",), "staff": ("true",), "score": ("1.5",)}), person(claims=claims)) == ""


def test_every_claim_must_hold():
    assert check(Allow(claim={"a": ("1",), "b": ("2",)}), person(claims={"a": "1"})) == "claim b"
    assert check(Allow(claim={"a": ()}), person(claims={"a": "1"})) == "claim a"
