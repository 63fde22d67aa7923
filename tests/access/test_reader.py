"""What a name in a rule means for somebody who reads, and what they may do."""

from types import SimpleNamespace
from typing import Any

import pytest

from st_auth.access.permissions import Granted
from st_auth.access.reader import Reader, own_values
from st_auth.access.rules import ColumnRule, Rules, TableRule, allows_any, only, require_table, said, scalars
from st_auth.errors import PermissionDenied

ANALYST = Granted(("analyst",), frozenset({"sales:read", "people:*"}))


def reader(**fields: Any) -> Reader:
    return Reader(**{"granted": ANALYST, "claims": {}, "own": {}, **fields})


def refusal(ask: Any) -> PermissionDenied:
    with pytest.raises(PermissionDenied) as caught:
        ask()
    return caught.value


def test_what_st_auth_knows_of_a_login_has_five_names() -> None:
    card = SimpleNamespace(subject="ada", issuer="https://issuer.example")
    profile = {"email": "ada@acme.com", "email_verified": True, "groups": ["finance"]}

    assert own_values(card, profile, ANALYST) == {
        "subject": "ada",
        "issuer": "https://issuer.example",
        "email": "ada@acme.com",
        "groups": ["finance"],
        "roles": ["analyst"],
    }


@pytest.mark.parametrize("verified", [False, None, "true", 1])
def test_an_address_that_the_provider_does_not_confirm_is_no_value_of_a_rule(verified: Any) -> None:
    card = SimpleNamespace(subject="ada", issuer="i")

    own = own_values(card, {"email": "ada@acme.com", "email_verified": verified}, Granted((), frozenset()))

    assert own == {"subject": "ada", "issuer": "i", "email": None, "groups": [], "roles": []}


def test_a_name_means_the_place_that_the_file_gives_it_then_an_attribute_then_what_is_known_then_a_claim() -> None:
    claims = {"a": {"b": "placed"}, "x": "claim", "y": "claim", "z": "claim", "w": "claim"}
    everything: dict[str, Any] = {
        "claims": claims,
        "own": {"x": "own", "y": "own", "z": "own"},
        "attributes": lambda: {"x": "attribute", "y": "attribute"},
        "places": {"x": "a.b"},
    }

    assert [reader(**everything).one(name) for name in ("x", "y", "z", "w")] == ["placed", "attribute", "own", "claim"]


def test_attributes_are_asked_for_once_and_only_where_a_rule_needs_them() -> None:
    asked = []

    def attributes() -> dict[str, str]:
        asked.append("once")
        return {"team": "red"}

    somebody = reader(claims={"x": "claim"}, attributes=attributes, places={"placed": "x"})
    assert somebody.one("placed") == "claim"
    assert asked == []
    assert [somebody.one("team"), somebody.one("team"), somebody.one("x")] == ["red", "red", "claim"]
    assert asked == ["once"]


def test_a_claim_that_is_not_there_is_named_and_how_to_get_it() -> None:
    refused = [refusal(lambda name=name: reader().value(name)) for name in ("region", "email")]

    assert [(one.code, one.claim) for one in refused] == [("claim_missing", "region"), ("claim_missing", "email")]
    assert ["confirmed" in one.hint for one in refused] == [False, True]


def test_what_a_reader_holds_of_a_person_is_in_no_text_of_it() -> None:
    somebody = reader(claims={"x": "CANARY"}, own={"email": "CANARY"}, attributes=lambda: {"y": "CANARY"})
    somebody.value("y")

    text = repr(somebody)
    assert "CANARY" not in text
    assert ("granted=" in text, "attributes" in text, "_asked" in text) == (True, False, False)


def test_whoever_is_asked_for_one_value_has_one() -> None:
    assert (only("x", ["a"]), reader(claims={"x": ["a"]}).one("x")) == ("a", "a")
    refused = refusal(lambda: reader(claims={"region": ["eu", "us"]}).one("region"))
    assert (refused.code, refused.claim) == ("claim_missing", "region")
    assert "in (:region)" in refused.hint


def test_a_value_is_all_of_them_or_the_one_that_there_is() -> None:
    somebody = reader(claims={"x": ["a", "b"], "y": "c"})

    assert said(somebody, "all", "x") == (("a", "b"), True)
    assert said(somebody, "one", "y") == ("c", False)
    assert refusal(lambda: said(somebody, "one", "x")).claim == "x"


@pytest.mark.parametrize(
    ("found", "values"),
    [
        ("eu", ("eu",)),
        (0, (0,)),
        (False, (False,)),
        (1.5, (1.5,)),
        (["eu", 7], ("eu", 7)),
        (("eu",), ("eu",)),
        ([], ()),
        ("", ()),
        (["eu", ""], ()),
        (["eu", None], ()),
        (None, ()),
        ({"eu": 1}, ()),
        ([["eu"]], ()),
        (b"eu", ()),
    ],
)
def test_values_are_plain_or_there_are_none(found: Any, values: Any) -> None:
    assert scalars(found) == values


def test_a_permission_of_the_rule_file_is_granted_by_its_name_or_by_one_that_covers_it() -> None:
    wanted = ("sales:read", "people:read", "sales:write", "sales")

    assert [allows_any(ANALYST, one) for one in wanted] == [True, True, False, False]


def test_a_table_needs_its_permission_where_it_names_one() -> None:
    require_table(TableRule("open"), ANALYST)
    require_table(TableRule("sales", "sales:read"), ANALYST)

    refused = refusal(lambda: require_table(TableRule("wages", "wages:read"), ANALYST))

    assert (refused.code, refused.permission, refused.table) == ("permission_missing", "wages:read", "wages")


def test_a_column_is_hidden_from_whoever_lacks_its_permission_and_from_all_where_it_has_none() -> None:
    columns = {"a": ColumnRule("null", "people:read"), "b": ColumnRule("null", "wages:read"), "c": ColumnRule("hide")}

    assert TableRule("t", columns=columns).columns_for(ANALYST) == {"b": "null", "c": "hide"}


def test_what_the_rule_file_leaves_out_asks_for_nothing_and_is_changed_by_nobody() -> None:
    rules = Rules()

    assert (rules.functions, rules.attributes, rules.connection, rules.schema) == (frozenset(), "", "", "")
    assert (TableRule("t").needs, TableRule("t").rows, ColumnRule("hide").needs) == ("", "", "")
    for kept in (rules.tables, rules.values, reader().places, reader().attributes()):
        assert kept == {}
        with pytest.raises(TypeError):
            kept["x"] = "y"  # type: ignore[index]  # that it is refused is what is tested
