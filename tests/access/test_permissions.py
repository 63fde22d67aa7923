"""What somebody may do follows from their claims by the file alone: denied by default, and no word of a claim can grant more."""

import pytest
from hypothesis import given, strategies as some

from st_auth.access.permissions import Roles, covers

GRANTS = {"analysts": frozenset({"sales:read"}), "leads": frozenset({"sales:*", "people:read"}), "admins": frozenset({"*"})}


def granted(claims=None, groups=(), claim="groups"):
    return Roles(claim, GRANTS).granted(claims or {}, groups)


def test_a_role_grants_what_the_file_says_and_nothing_else():
    somebody = granted(groups=["analysts"])

    assert somebody.roles == ("analysts",)
    assert somebody.permissions == {"sales:read"}
    assert somebody.allows("sales:read")
    assert [
        wanted for wanted in ("sales", "sales:write", "sales:read:eu", "people:read", "Sales:read", "sale") if somebody.allows(wanted)
    ] == []


def test_several_roles_grant_what_each_of_them_does_in_the_order_of_the_file():
    somebody = granted(groups=["leads", "unknown", "analysts"])

    assert somebody.roles == ("analysts", "leads")
    assert somebody.permissions == {"sales:read", "sales:*", "people:read"}
    assert [somebody.allows(wanted) for wanted in ("people:read", "sales:write", "people:write")] == [True, True, False]


@pytest.mark.parametrize("groups", [(), ["unknown"], ["Analysts"], ["analysts "], ["analyst"]])
def test_whoever_has_no_role_may_nothing(groups):
    somebody = granted(groups=groups)
    assert (somebody.roles, somebody.permissions, somebody.allows("sales:read")) == ((), frozenset(), False)


@pytest.mark.parametrize(
    ("claim", "claims", "roles"),
    [
        ("roles", {"roles": ["admins"]}, ("admins",)),
        ("roles", {"roles": "admins"}, ("admins",)),
        ("roles", {"roles": "admins analysts"}, ()),
        ("roles", {"roles": ["admins", 7, None, {"admins": 1}, ["leads"]]}, ("admins",)),
        ("roles", {"roles": {"admins": True}}, ()),
        ("roles", {"roles": True}, ()),
        ("roles", {}, ()),
        ("realm_access.roles", {"realm_access": {"roles": ["leads"]}}, ("leads",)),
        ("realm_access.roles", {"realm_access": ["leads"]}, ()),
        ("realm_access.roles", {"realm_access": None}, ()),
        ("https://acme.com/roles", {"https://acme.com/roles": ["leads"]}, ("leads",)),
        ("https://acme.com/roles", {"https://acme": {"com/roles": ["admins"]}}, ("admins",)),
        ("a.b", {"a.b": ["leads"], "a": {"b": ["admins"]}}, ("leads",)),
        ("groups", {"groups": ["admins"]}, ()),  # the profile says what the groups are, not the raw claim
    ],
)
def test_roles_come_from_a_claim_by_its_name_or_by_a_path(claim, claims, roles):
    assert granted(claims, claim=claim).roles == roles


@pytest.mark.parametrize(
    ("have", "want", "is_covered"),
    [
        ("*", "sales", True),
        ("*", "sales:read", True),
        ("sales:*", "sales:read", True),
        ("sales:*", "sales:read:eu", True),
        ("sales:*", "sales", False),
        ("sales:*", "salesman:read", False),
        ("sales", "sales:read", False),
        ("sales:read", "sales", False),
        ("*:read", "sales:read", True),
        ("*:read", "sales:write", False),
        ("*:read", "sales:eu:read", False),
        ("*:*", "sales", False),
        ("sales:*:eu", "sales:read:eu", True),
        ("sales:*:eu", "sales:read:us", False),
        ("sales:*:eu", "sales:read:write:eu", False),
    ],
)
def test_a_star_stands_for_one_part_and_at_the_end_for_all_that_follow(have, want, is_covered):
    assert covers(have, want) is is_covered


@pytest.mark.parametrize("wanted", ["", "*", "sales:*", "sales:", ":read", "sales: ", " "])
def test_what_is_asked_for_is_one_exact_thing(wanted):
    with pytest.raises(ValueError, match="exact name"):
        granted(groups=["admins"]).allows(wanted)


@pytest.mark.parametrize("wanted", [None, 7, b"sales:read", ["sales:read"]])
def test_what_is_asked_for_is_a_text(wanted):
    with pytest.raises(TypeError, match="a text such as"):
        granted(groups=["admins"]).allows(wanted)


PARTS = some.sampled_from(["sales", "people", "read", "write", "eu"])
NAMES = some.lists(PARTS, min_size=1, max_size=4).map(":".join)


@given(NAMES, NAMES)
def test_without_a_star_a_permission_covers_itself_alone(have, want):
    assert covers(have, want) is (have == want)


@given(some.dictionaries(some.text(max_size=8), some.recursive(some.none() | some.text() | some.integers(), some.lists, max_leaves=5)))
def test_whatever_stands_in_the_claims_no_more_is_granted_than_the_named_roles_have(claims):
    for claim in ("groups", "roles", "a.b", *claims):
        if not claim:
            continue
        somebody = Roles(claim, GRANTS).granted(claims, ())
        assert set(somebody.roles) <= set(GRANTS)
        assert somebody.permissions == frozenset().union(*(GRANTS[role] for role in somebody.roles))
