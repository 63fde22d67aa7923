"""Master keys: where they come from, what is derived from them, and what an error never shows."""

import base64
import hmac

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from hypothesis import given, strategies as some

from st_auth.keyring import Keyring, expand, extract, framed
from st_auth.secret import Secret

SECRET = "a cookie secret of at least 32 bytes."
ONE, TWO = bytes(range(32)), bytes(range(100, 132))


def written(name, key):
    return f"{name}:{base64.b64encode(key).decode()}"


def test_hkdf_gives_what_rfc_5869_appendix_a1_says():
    extracted = extract(bytes(range(13)), b"\x0b" * 22)

    assert extracted.hex() == "077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5"
    assert expand(extracted, bytes(range(0xF0, 0xFA))).hex() == "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf"


@given(some.binary(min_size=1), some.binary(), some.binary())
def test_hkdf_gives_what_cryptography_gives(secret, salt, info):
    assert expand(extract(salt, secret), info) == HKDF(hashes.SHA256(), 32, salt, info).derive(secret)


@given(some.lists(some.binary()), some.lists(some.binary()))
def test_framed_parts_are_equal_only_when_the_parts_are(one, other):
    assert (framed(*one) == framed(*other)) == (one == other)


def test_a_cookie_secret_always_gives_the_same_key_and_never_itself():
    ring, again = Keyring.from_secret(SECRET), Keyring.from_secret(Secret(SECRET))

    assert ring.current == again.current
    assert ring.current.key.reveal() != SECRET.encode()
    assert ring.current.name == ring.current.mark.hex()[:8]
    assert Keyring.from_secret(SECRET + ".").current != ring.current


def test_an_empty_cookie_secret_is_refused():
    with pytest.raises(ValueError, match="empty"):
        Keyring.from_secret("")


def test_the_first_key_seals_and_the_cookie_secret_opens_as_the_last():
    ring = Keyring.from_keys([written("2026-11", ONE), written("2026-05", TWO)], cookie_secret=SECRET)

    assert ring.current.name == "2026-11"
    assert [key.key.reveal() for key in ring.keys[:2]] == [ONE, TWO]
    assert ring.keys[2] == Keyring.from_secret(SECRET).current
    assert [ring.positions[key.mark] for key in ring.keys] == [0, 1, 2]


@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode, lambda key: base64.b64encode(key).rstrip(b"=")])
def test_base64_of_either_alphabet_is_read_padded_or_not(encode):
    key = bytes(range(224, 256))

    assert Keyring.from_keys([f"name: {encode(key).decode()} "]).current.key.reveal() == key


def test_the_key_id_follows_the_key_and_not_its_name():
    assert Keyring.from_keys([written("a", ONE)]).current.mark == Keyring.from_keys([written("b", ONE)]).current.mark


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        ([], "The list of keys is empty"),
        (["no-colon-in-here"], "Key 1 must be NAME:BASE64"),
        ([written("", ONE)], "Key 1 must be NAME:BASE64"),
        ([written("two words", ONE)], "Key 1 must be NAME:BASE64"),
        ([base64.b64encode(ONE).decode() + ":2026-11"], "Key 1 must be NAME:BASE64"),
        (["a:!!!"], "Key 1 is not valid base64"),
        (["a:AAAAé"], "Key 1 is not valid base64"),
        (["a:A"], "Key 1 is not valid base64"),
        ([written("a", ONE), written("b", TWO[:31])], "Key 2 has 31 bytes; it must have 32"),
        ([written("a", ONE + b"x")], "Key 1 has 33 bytes; it must have 32"),
        ([written("a", b"\x00" * 32)], "Key 1 is not random"),
        ([written("a", b"passwordpasswordpasswordpassword")], "Key 1 is not random"),
        ([written("a", ONE), written("a", TWO)], "Two keys have the same name"),
        ([written("a", ONE), written("b", ONE)], "The same key stands in the list twice"),
    ],
)
def test_a_key_that_cannot_be_used_is_named_by_its_place_and_never_shown(keys, says):
    with pytest.raises(ValueError, match=says) as caught:
        Keyring.from_keys(keys)

    shown = str(caught.value)
    assert not any(part and len(part) > 4 and part in shown for key in keys for part in key.split(":"))


def test_a_keyring_shows_no_key():
    ring = Keyring.from_keys([written("2026-11", ONE)])

    assert "Secret(***)" in repr(ring.keys)
    assert repr(ONE) not in repr(ring.keys)


def test_purposes_give_keys_that_have_nothing_in_common():
    ring = Keyring.from_keys([written("a", ONE), written("b", TWO)])

    derived = [*ring.derive_all("forms"), *ring.derive_all("logout"), ring.derive("tag"), ONE, TWO]

    assert ring.derive("forms") == ring.derive_all("forms")[0]
    assert len(set(derived)) == len(derived)
    assert {len(key) for key in derived} == {32}


def test_tags_are_found_under_every_key_and_written_under_the_first():
    old = Keyring.from_keys([written("old", TWO)])
    ring = Keyring.from_keys([written("new", ONE), written("old", TWO)])

    assert ring.tags("person", "https://issuer", "ada") == [
        ring.tag("person", "https://issuer", "ada"),
        old.tag("person", "https://issuer", "ada"),
    ]
    assert len(set(ring.tags("person", "https://issuer", "ada"))) == 2


def test_parts_of_a_tag_cannot_be_shifted_into_each_other():
    ring = Keyring.from_secret(SECRET)

    tags = {
        ring.tag("person", "ab", "c"),
        ring.tag("person", "a", "bc"),
        ring.tag("sid", "ab", "c"),
        ring.tag("person", "abc"),
        ring.tag("persona", "b", "c"),
    }

    assert len(tags) == 5
    assert all(len(tag) == 64 for tag in tags)


@given(some.text(some.characters()))
def test_a_tag_can_be_made_of_any_text(text):
    assert Keyring.from_secret(SECRET).tag("person", text)


def test_a_tag_is_not_the_plain_hash_of_its_parts():
    assert Keyring.from_secret(SECRET).tag("person", "a") != hmac.digest(b"", framed(b"person", b"a"), "sha256").hex()
