"""Reading a section key by key: what is taken, and what is named as wrong in its place."""

from pathlib import Path

import pytest

from st_auth.errors import ConfigError
from st_auth.oauth.profile import resolve
from st_auth.oauth.section_reader import SectionReader

NATIVE = {"client_id": "app", "server_metadata_url": "https://a.example/.well-known/openid-configuration"}


def a_reader(name="a", **section):
    return SectionReader(name, section, "secrets.toml", Path())


def taken(read, **section):
    """What is read without a problem."""
    reader = a_reader(**section)
    value = read(reader)
    assert not reader.problems
    return value


def refused(read, **section):
    """What stands for a value that is wrong, and the key that is named."""
    reader = a_reader(**section)
    value = read(reader)
    (problem,) = reader.problems
    assert problem.mend
    return value, problem.key


@pytest.mark.parametrize(
    ("name", "key", "place"), [("a", "k", "auth.a.k"), ("a", "", "auth.a"), ("default", "k", "auth.k"), ("default", "", "auth")]
)
def test_a_problem_has_the_place_where_the_key_stands(name, key, place):
    reader = a_reader(name)

    reader.wrong(key, "is odd", "Mend it.")

    (problem,) = reader.problems
    assert (problem.file, problem.key, problem.what, problem.mend) == ("secrets.toml", place, "is odd", "Mend it.")


def test_a_text_is_read_or_its_default():
    assert taken(lambda r: r.text("label"), label=" x ") == " x "
    assert taken(lambda r: r.text("label", required=True, default="d")) == "d"
    assert taken(lambda r: r.text("label")) == ""
    assert refused(lambda r: r.text("label", default="d"), label=5) == ("", "auth.a.label")
    assert refused(lambda r: r.text("label", required=True), label=" ") == (" ", "auth.a.label")


@pytest.mark.parametrize(
    ("section", "what"),
    [
        ({"client_idd": "x"}, 'is missing ("client_idd" is not a known key)'),
        ({"client_id": "", "realm": "x"}, "is missing"),
        ({"client_key_id": "k"}, "is missing"),
    ],
)
def test_a_missing_text_is_looked_for_among_the_keys_that_nobody_knows(section, what):
    reader = a_reader(**section)

    reader.text("client_id", required=True)

    assert [problem.what for problem in reader.problems] == [what]


def test_a_table_is_of_strings_and_whole_numbers():
    assert taken(lambda r: r.table("t"), t={"a": "x", "max_age": 5}) == {"a": "x", "max_age": "5"}
    assert taken(lambda r: r.table("t")) == {}
    for wrong in ("x", ["x"], {"a": 1.5}, {"a": True}, {"a": "x", "b": ["x"]}, {5: "x"}):
        assert refused(lambda r: r.table("t"), t=wrong) == ({}, "auth.a.t")


def test_a_choice_is_one_of_those_that_there_are():
    assert taken(lambda r: r.choice("c", ("one", "two"), "one"), c="two") == "two"
    assert taken(lambda r: r.choice("c", ("one", "two"), "one")) == "one"
    for wrong in ("three", "", 1, ["one"]):
        assert refused(lambda r: r.choice("c", ("one", "two"), "one"), c=wrong) == ("one", "auth.a.c")


def test_words_are_a_list_of_whole_words():
    assert taken(lambda r: r.words("scopes", ("d",)), scopes=["one", "t wo"]) == ("one", "t wo")
    assert taken(lambda r: r.words("scopes", ("d",)), scopes=()) == ()
    assert taken(lambda r: r.words("scopes", ("d",))) == ("d",)
    for wrong in ("one", 5, {"one": "x"}, ["one", ""], ["one", " two"], ["two "], ["one", 5]):
        assert refused(lambda r: r.words("scopes", ("d",)), scopes=wrong) == (("d",), "auth.a.scopes")


def test_a_key_that_nobody_reads_is_named_with_the_one_that_it_looks_like():
    reader = a_reader(scopes=1, scopse=1, zzz=1, table={"x": 1})

    reader.only(("scopes", "label"))

    assert [(p.key, p.mend) for p in reader.problems] == [("auth.a.scopse", 'Did you mean "scopes"?'), ("auth.a.zzz", "Remove it.")]


def test_a_flag_is_true_or_false_or_not_there():
    assert taken(lambda r: r.flag("f")) is None
    for said in (True, False):
        assert taken(lambda r: r.flag("f"), f=said) is said
    for wrong in ("true", "", 0, 1):
        assert refused(lambda r: r.flag("f"), f=wrong) == (None, "auth.a.f")


def test_resources_are_absolute_uris_each_once_and_in_their_order():
    assert taken(lambda r: r.resource(), resource="urn:a") == ("urn:a",)
    assert taken(lambda r: r.resource(), resource=["urn:b", "urn:a", "urn:b"]) == ("urn:b", "urn:a")
    assert taken(lambda r: r.resource(), resource=("urn:b",)) == ("urn:b",)
    assert taken(lambda r: r.resource()) == ()
    for wrong in ("", "/api", ["urn:a", "api"], ["urn:a", 5], 5, {"urn:a": "x"}):
        assert refused(lambda r: r.resource(), resource=wrong) == ((), "auth.a.resource")


def test_parameters_that_say_nothing_are_not_sent():
    assert taken(lambda r: r.parameters("p", {"hd": "acme.com", "prompt": "", "max_age": ""})) == {"hd": "acme.com"}
    assert taken(lambda r: r.parameters("p", {"max_age": "3600"})) == {"max_age": "3600"}


@pytest.mark.parametrize("max_age", ["-1", "1.5", "soon", "²", "٣", " 1"])
def test_a_max_age_that_no_answer_could_be_held_to_is_refused(max_age):
    assert refused(lambda r: r.parameters("p", {"max_age": max_age}))[1] == "auth.a.p.max_age"


@pytest.mark.parametrize(
    "name",
    [
        *("response_type", "response_mode", "client_id", "redirect_uri", "scope", "state", "nonce"),
        *("code_challenge", "code_challenge_method", "request", "request_uri"),
        *("client_secret", "client_assertion", "client_assertion_type", "resource"),
    ],
)
def test_a_parameter_that_we_answer_for_is_refused_and_not_sent(name):
    assert refused(lambda r: r.parameters("p", {name: "x", "hd": "acme.com"})) == ({"hd": "acme.com"}, f"auth.a.p.{name}")


@pytest.mark.parametrize(
    "key",
    [
        *("client_id", "client_secret", "server_metadata_url", "client_kwargs", "issuer", "authorize_params", "label"),
        *("email_is_verified", "logout_landing", "authorization_parameters"),
        *("client_key", "client_key_id", "resource", "pushed_authorization_requests"),
    ],
)
def test_in_streamlits_own_form_a_slip_in_any_key_of_ours_is_named(key):
    with pytest.raises(ConfigError) as caught:
        resolve("a", {**NATIVE, f"{key}x": "x"}, file="f")

    assert [(p.key, p.mend) for p in caught.value.problems] == [(f"auth.a.{key}x", f'Did you mean "{key}"?')]
