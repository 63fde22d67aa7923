import pytest
from hypothesis import given, strategies as st

from st_auth.oauth.login import judge_login
from st_auth.oauth.tokens import TokenSet
from st_auth.secret import Secret
from tests.oauth.given import a_provider

TOKENS = TokenSet(Secret("acc3ss"), "Bearer", None, None, Secret("a.b.c"), ("openid",))


def login(given, /, **fields):
    return judge_login(a_provider(**fields), "https://issuer.example", {"sub": "ana", **given}, TOKENS)


def test_a_login_is_read_from_its_claims():
    one = login({"name": "Ana", "email": "a@example.com", "email_verified": True, "groups": ["x", "y"], "sid": "s1"})

    assert (one.subject, one.name, one.email, one.email_verified, one.groups, one.sid) == (
        "ana",
        "Ana",
        "a@example.com",
        True,
        ("x", "y"),
        "s1",
    )
    assert "acc3ss" not in repr(one)


@pytest.mark.parametrize(
    ("claims", "name"),
    [({}, "ana"), ({"email": "a@b"}, "a@b"), ({"email": "a@b", "preferred_username": "anna"}, "anna"), ({"name": 5}, "ana")],
)
def test_somebody_without_a_name_is_called_by_what_there_is(claims, name):
    assert login(claims).name == name


def test_each_claim_is_read_by_the_providers_own_name_for_it():
    said = {
        "handle": "anna",
        "contact": {"mail": "a@b", "checked": True},
        "teams": ["x"],
        "preferred_username": "no",
        "email_verified": False,
    }
    ours = {"preferred_username": "handle", "email": "contact.mail", "email_verified": "contact.checked", "groups": "teams"}

    one = login(said, claims=ours)

    assert (one.name, one.email, one.email_verified, one.groups) == ("anna", "a@b", True, ("x",))
    assert login({"title": "Dr Ana"}, claims={"name": "title"}).name == "Dr Ana"


@pytest.mark.parametrize(
    ("rule", "claim", "expected"),
    [
        ("claim", True, True),
        ("claim", "true", True),
        ("claim", False, False),
        ("claim", "false", False),
        ("claim", 1, False),
        ("claim", None, None),
        ("always", False, True),
        ("never", True, False),
    ],
)
def test_an_email_counts_as_the_profile_says_that_its_provider_shows_it(rule, claim, expected):
    assert login({"email": "a@b", "email_verified": claim}, email_is_verified=rule).email_verified is expected


@pytest.mark.parametrize("rule", ["claim", "always", "never"])
def test_an_email_that_is_not_there_is_not_verified(rule):
    assert login({"email_verified": True}, email_is_verified=rule).email_verified is None


@pytest.mark.parametrize(
    ("path", "claims", "groups"),
    [
        ("https://acme.com/roles", {"https://acme.com/roles": ["a"]}, ("a",)),
        ("realm_access.roles", {"realm_access": {"roles": ["a", "b", 5, ""]}}, ("a", "b")),
        ("realm_access.roles", {"realm_access": "x"}, ()),
        ("roles", {"roles": "a"}, ("a",)),
        ("roles", {"roles": {"a": 1}}, ()),
        ("roles", {}, ()),
    ],
)
def test_groups_come_from_where_the_profile_says(path, claims, groups):
    assert login(claims, claims={"groups": path}).groups == groups


def test_claims_cannot_be_changed():
    with pytest.raises(TypeError):
        login({}).claims["sub"] = "bob"


@given(
    st.dictionaries(
        st.sampled_from(["name", "email", "email_verified", "groups", "sid"]),
        st.none() | st.integers() | st.text() | st.lists(st.integers() | st.text()),
    )
)
def test_any_claims_make_a_login(claims):
    one = login(claims)

    assert all(isinstance(value, str) for value in (one.name, one.email, one.sid, *one.groups))


def test_name_and_email_may_have_other_names_at_the_provider():
    one = login({"title": "Ana", "mail": "a@example.com", "name": "x", "email": "y"}, claims={"name": "title", "email": "mail"})

    assert (one.name, one.email) == ("Ana", "a@example.com")
