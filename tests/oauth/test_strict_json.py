import json

import pytest
from hypothesis import given, strategies as st

from st_auth.oauth.strict_json import DEPTH_LIMIT, parse_list, parse_object


def test_an_object_keeps_the_order_of_its_keys():
    assert list(parse_object(b'{"b": 1, "a": {"d": 2.5, "c": null}}')) == ["b", "a"]


@pytest.mark.parametrize(
    "text",
    [
        '{"a": 1, "a": 1}',
        '{"x": {"a": 1, "a": 2}}',
        '{"a": NaN}',
        '{"a": -Infinity}',
        '{"a": 1e999}',
        '{"a": "\\ud800"}',
        "[1]",
        "null",
        "",
        "{",
        b"\xff{}",
        "[" * 100_000,
        '{"a": ' + "1" * 5000 + "}",
    ],
)
def test_x05_x14_what_is_not_one_strict_object_is_refused_without_being_shown(text):
    with pytest.raises(ValueError, match=r"^not a strict JSON object$"):
        parse_object(text)


@pytest.mark.parametrize("text", ['{"a": 1}', '[{"a": 1, "a": 1}]', "[NaN]", '["\\ud800"]', "null", "", "[", b"\xff[]", "[" * 100_000])
def test_x05_x14_what_is_not_one_strict_list_is_refused_without_being_shown(text):
    with pytest.raises(ValueError, match=r"^not a strict JSON list$"):
        parse_list(text)


def test_a_list_is_a_list():
    assert parse_list(b'[1, {"a": "b"}]') == [1, {"a": "b"}]


def test_x14_what_is_nested_deeper_than_anybody_needs_is_refused_before_others_have_to_read_it():
    def nested(depth, inner="1"):
        return '{"a":' * (depth - 1) + f'{{"b": {inner}}}' + "}" * (depth - 1)

    assert parse_object(nested(DEPTH_LIMIT))
    assert parse_object(nested(1, "[" * 99 + "]" * 99))
    for text in (nested(DEPTH_LIMIT + 1), nested(1, "[" * 100 + "]" * 100), nested(950), nested(1, "[" * 980 + "]" * 980)):
        with pytest.raises(ValueError, match=r"^not a strict JSON object$"):
            parse_object(text)


def test_many_brackets_side_by_side_or_in_a_text_are_not_deep():
    assert parse_object(json.dumps({"a": [[]] * 5000, "b": "[{" * 5000, "c": [{"d": [n]} for n in range(500)]}))


def test_a_whole_surrogate_pair_is_a_character():
    assert parse_object('{"a": "\\ud83d\\ude00"}') == {"a": "😀"}


def test_numbers_are_what_they_say():
    assert parse_object('{"a": 2.5, "b": -1e3, "c": 7, "d": 1e308}') == {"a": 2.5, "b": -1000.0, "c": 7, "d": 1e308}


@given(st.one_of(st.text(), st.binary()))
def test_no_input_raises_anything_but_value_error(text):
    try:
        parse_object(text)
    except ValueError as error:
        assert str(error) == "not a strict JSON object"


@given(st.dictionaries(st.text(), st.integers() | st.text() | st.none() | st.booleans()))
def test_what_json_writes_is_read_as_it_was(value):
    assert parse_object(json.dumps(value).encode()) == value
