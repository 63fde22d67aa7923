"""What an error may repeat of a provider's words, and what it says to look at."""

import pytest

from st_auth.oauth.violations import hint_of, printable, protocol_violation


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("It said no, ~axyz!", "It said no, ~axyz!"),
        ('a"b\\c', "abc"),
        ("a\x1b[31m\r\nb\x7f\0", "a[31mb"),
        ("é😀", ""),
        ("", ""),
        (None, ""),
        (5, ""),
        (["x"], ""),
    ],
)
def test_x15_only_the_characters_of_the_specification_are_repeated(said, shown):
    assert printable(said) == shown


def test_x15_at_most_two_hundred_characters_are_repeated():
    assert printable("x" * 500) == "x" * 200
    assert printable("x" * 500, 3) == "xxx"


def test_a_hint_names_the_keys_to_look_at():
    assert hint_of("invalid_client") == hint_of("unauthorized_client") != ""
    assert "client_secret" in hint_of("invalid_client")
    assert hint_of("invalid_target") == "Compare resource with the APIs that the provider knows and lets this client ask for."
    assert hint_of("odd") == hint_of("") == ""


def test_a_violation_names_what_was_wrong_and_what_should_have_been_there():
    error = protocol_violation("nonce", "the one of this login", hint="Look.")

    assert str(error) == "The provider broke the protocol: nonce should be the one of this login."
    assert (error.code, error.parameter, error.expected, error.hint) == ("protocol_violation", "nonce", "the one of this login", "Look.")
    assert protocol_violation("x", "y").hint == ""
