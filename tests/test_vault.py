"""The two locks: what opens, what never does, and what a stolen database tells."""

import base64
import json
import logging
import secrets
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given, strategies as some

from st_auth.keyring import Keyring
from st_auth.secret import Secret
from st_auth.stores import Record, from_microseconds, microseconds
from st_auth.stores.memory import MemoryStore
from st_auth.stores.sqlite import SqliteStore
from st_auth.testing.store_contract import TurnedClock
from st_auth.vault import ATTEMPT_LIMIT, Vault, decode_base64url, encode_base64url

VECTORS = json.loads((Path(__file__).parent / "vectors" / "sealed_v1.json").read_text())
CLOCK = TurnedClock()
SOON = CLOCK.now() + timedelta(hours=1)
COOKIE = Secret(bytes(range(32)))


def a_key(name, first):
    return f"{name}:{base64.b64encode(bytes(range(first, first + 32))).decode()}"


def a_vault(*keys):
    return Vault(Keyring.from_keys(list(keys or [a_key("one", 0)])), MemoryStore(CLOCK.clock))


class WithCookie:
    def __init__(self, vault, cookie=COOKIE):
        self.vault, self.extra = vault, {"cookie_key": vault.cookie_key(cookie)}

    def seal(self, plain, purpose="purpose", record_key="row", expires_at=SOON):
        return self.vault.seal_with_cookie(plain, purpose=purpose, record_key=record_key, expires_at=expires_at, **self.extra)

    def open(self, sealed, purpose="purpose", record_key="row", expires_at=SOON):
        return self.vault.open_with_cookie(sealed, purpose=purpose, record_key=record_key, expires_at=expires_at, **self.extra)


class WithoutCookie:
    def __init__(self, vault):
        self.vault = vault

    def seal(self, plain, purpose="purpose", record_key="row", expires_at=SOON):
        return self.vault.seal_without_cookie(plain, purpose=purpose, record_key=record_key, expires_at=expires_at)

    def open(self, sealed, purpose="purpose", record_key="row", expires_at=SOON):
        return self.vault.open_without_cookie(sealed, purpose=purpose, record_key=record_key, expires_at=expires_at)


both_locks = pytest.mark.parametrize("lock", [WithCookie, WithoutCookie])


@both_locks
@given(
    plain=some.binary(),
    purpose=some.text("abcdef-", min_size=1),
    row=some.text(some.characters(codec="utf-8")),
    at=some.integers(-(10**15), 10**17),
)
def test_what_was_sealed_opens(lock, plain, purpose, row, at):
    locked = lock(a_vault())
    given_ = {"purpose": purpose, "record_key": row, "expires_at": from_microseconds(at)}

    sealed = locked.seal(plain, **given_)

    assert locked.open(sealed, **given_) == plain
    assert len(sealed) == 2 + 8 + 12 + len(plain) + 16


@both_locks
def test_no_flipped_bit_ever_opens(lock):
    locked = lock(a_vault())
    sealed = locked.seal(b"tokens")

    for bit in range(len(sealed) * 8):
        flipped = bytearray(sealed)
        flipped[bit // 8] ^= 1 << bit % 8
        assert locked.open(bytes(flipped)) is None

    assert locked.vault.unreadable == len(sealed) * 8


@both_locks
def test_nothing_cut_short_or_made_longer_opens(lock):
    locked = lock(a_vault())
    sealed = locked.seal(b"tokens")

    assert all(locked.open(sealed[:length]) is None for length in range(len(sealed)))
    assert locked.open(sealed + b"\x00") is None


@both_locks
@pytest.mark.parametrize(
    "elsewhere",
    [
        {"purpose": "other"},
        {"record_key": "other row"},
        {"expires_at": SOON + timedelta(microseconds=1)},
        {"purpose": "purpose\0row", "record_key": ""},
    ],
)
def test_nothing_opens_in_another_row_for_another_purpose_or_for_longer(lock, elsewhere):
    locked = lock(a_vault())

    assert locked.open(locked.seal(b"tokens"), **elsewhere) is None


def test_the_locks_do_not_open_each_other():
    vault = a_vault()

    assert WithoutCookie(vault).open(WithCookie(vault).seal(b"tokens")) is None
    assert WithCookie(vault).open(WithoutCookie(vault).seal(b"card")) is None


def test_another_cookie_opens_nothing_even_with_the_master_key():
    vault = a_vault()
    sealed = WithCookie(vault).seal(b"tokens")

    assert WithCookie(vault, Secret(bytes(32))).open(sealed) is None
    assert vault.open_without_cookie(sealed, purpose="purpose", record_key="row", expires_at=SOON) is None


@both_locks
def test_another_master_key_opens_nothing_even_with_the_cookie(lock):
    sealed = lock(a_vault(a_key("one", 0))).seal(b"tokens")

    assert lock(a_vault(a_key("two", 50))).open(sealed) is None


def test_a_cookie_key_of_a_shorter_keyring_opens_nothing_and_raises_nothing():
    vault = a_vault(a_key("two", 50), a_key("one", 0))
    sealed = WithCookie(a_vault(a_key("one", 0))).seal(b"tokens")
    locked = WithCookie(vault)
    locked.extra = {"cookie_key": a_vault(a_key("two", 50)).cookie_key(COOKIE)}

    assert locked.open(sealed) is None


@both_locks
def test_an_old_key_opens_and_the_new_one_seals(lock):
    old, rotated, new = a_vault(a_key("old", 0)), a_vault(a_key("new", 50), a_key("old", 0)), a_vault(a_key("new", 50))
    sealed = lock(old).seal(b"tokens")

    opened = lock(rotated).open(sealed)
    again = lock(rotated).seal(opened)

    assert opened == b"tokens"
    assert lock(new).open(again) == b"tokens"
    assert lock(old).open(again) is None


@both_locks
def test_sealing_twice_gives_other_bytes(lock):
    locked = lock(a_vault())

    assert locked.seal(b"tokens") != locked.seal(b"tokens")


@both_locks
def test_what_does_not_open_is_a_warning_without_contents_and_a_count(lock, caplog):
    locked = lock(a_vault())
    sealed = bytearray(locked.seal(b"tokens"))
    sealed[-1] ^= 1

    with caplog.at_level(logging.WARNING, "st_auth.vault"):
        locked.open(bytes(sealed))
        locked.open(b"")

    assert [record.getMessage() for record in caplog.records] == [
        "A sealed record did not open: purpose purpose, the seal is broken. It counts as absent.",
        "A sealed record did not open: purpose purpose, no key with this id. It counts as absent.",
    ]
    assert locked.vault.unreadable == 2


def test_a_record_key_tells_no_cookie_and_differs_for_each():
    vault = a_vault()

    assert vault.record_key(COOKIE) == "630dcd2966c4336691125448bbb25b4ff412a49c732db2c8abc1b8581bd710dd"  # SHA-256 of the bytes 0 to 31
    assert vault.record_key(Secret(bytes(32))) != vault.record_key(COOKIE)
    assert COOKIE.reveal() not in vault.cookie_key(COOKIE).reveal()


@pytest.mark.parametrize("vector", VECTORS["sealed"], ids=lambda vector: vector["name"])
def test_sealed_records_of_version_1_open_for_ever(vector):
    vault = Vault(Keyring.from_keys(VECTORS["keys"]), MemoryStore())
    given_ = {"purpose": vector["purpose"], "record_key": vector["record_key"], "expires_at": from_microseconds(vector["expires_at"])}
    sealed, plain = bytes.fromhex(vector["sealed"]), bytes.fromhex(vector["plain"])

    if "cookie" in vector:
        cookie_key = vault.cookie_key(Secret(bytes.fromhex(vector["cookie"])))
        assert vault.open_with_cookie(sealed, cookie_key=cookie_key, **given_) == plain
    else:
        assert vault.open_without_cookie(sealed, **given_) == plain


def test_attempts_and_tags_of_version_1_are_understood_for_ever():
    vault = Vault(Keyring.from_keys(VECTORS["keys"]), MemoryStore())
    derived = Vault(Keyring.from_secret(VECTORS["cookie_secret"]["secret"]), MemoryStore())

    assert vault.open_attempt(VECTORS["attempt"]["text"], now=from_microseconds(VECTORS["attempt"]["expires_at"] - 1)) == b"pending login"
    assert vault.keyring.tags("person", "https://issuer.example", "ada") == VECTORS["tags"]
    assert derived.keyring.current.mark.hex() == VECTORS["cookie_secret"]["mark"]
    assert derived.keyring.derive("forms").hex() == VECTORS["cookie_secret"]["forms"]


@given(some.binary(max_size=2900))
def test_an_attempt_opens_until_it_expires(payload):
    vault = a_vault()

    text = vault.seal_attempt(payload, expires_at=SOON)

    assert len(text) <= ATTEMPT_LIMIT
    assert vault.open_attempt(text, now=SOON - timedelta(microseconds=1)) == payload
    assert vault.open_attempt(text, now=SOON) is None


@given(some.text(some.characters()) | some.binary().map(encode_base64url))
def test_garbage_is_no_attempt(text):
    vault = a_vault()

    assert vault.open_attempt(text, now=CLOCK.now()) is None
    assert vault.unreadable == 0


def test_no_changed_letter_of_an_attempt_opens():
    vault = a_vault()
    text = vault.seal_attempt(b"state, nonce, verifier", expires_at=SOON)

    for place, letter in enumerate(text):
        for other in "AQgw9_-=":
            if other != letter:
                assert vault.open_attempt(text[:place] + other + text[place + 1 :], now=CLOCK.now()) is None


def test_an_attempt_of_another_app_or_one_without_its_nonce_is_none():
    vault = a_vault()
    text = a_vault(a_key("two", 50)).seal_attempt(b"", expires_at=SOON)
    short = decode_base64url(vault.seal_attempt(b"", expires_at=SOON))[:-20]

    assert vault.open_attempt(text, now=CLOCK.now()) is None
    assert vault.open_attempt(encode_base64url(short), now=CLOCK.now()) is None


def test_a_longer_text_than_a_cookie_holds_is_neither_made_nor_read():
    vault = a_vault()

    with pytest.raises(ValueError, match="too long"):
        vault.seal_attempt(bytes(3100), expires_at=SOON)

    assert vault.open_attempt("A" * (ATTEMPT_LIMIT + 1), now=CLOCK.now()) is None


@given(some.binary())
def test_base64url_has_one_spelling(raw):
    text = encode_base64url(raw)

    assert decode_base64url(text) == raw
    assert decode_base64url(text + "=") is None
    assert decode_base64url(text + "\n") is None
    assert decode_base64url(" " + text) is None


@pytest.mark.parametrize("text", ["A", "AB", "é", "+/+/", "AAA=", "AA AA"])
def test_other_spellings_are_not_read(text):
    assert decode_base64url(text) is None


def test_a22_a_value_is_used_once_in_the_whole_fleet():
    vault = a_vault()

    with ThreadPoolExecutor(8) as pool:
        won = list(pool.map(lambda _: vault.use_once("state", "value", SOON), range(50)))

    assert sum(won) == 1
    assert vault.use_once("jti", "value", SOON)
    assert vault.use_once("state", "other", SOON)


def test_a_value_that_is_past_its_time_is_not_used_at_all():
    vault = a_vault()

    assert not vault.use_once("state", "value", CLOCK.now())
    assert not vault.use_once("state", "value", CLOCK.now() - timedelta(days=1))


def test_a_stolen_database_with_the_master_key_gives_the_card_and_no_token(tmp_path):
    canary, card, cookie = secrets.token_hex(24).encode(), secrets.token_hex(24).encode(), Secret(secrets.token_bytes(32))
    store = SqliteStore(tmp_path / "vault.db", CLOCK.clock)
    vault = Vault(Keyring.from_keys([a_key("one", 0)]), store)
    row, place = vault.record_key(cookie), {"record_key": vault.record_key(cookie), "expires_at": SOON}
    for version in range(3):
        tokens = vault.seal_with_cookie(canary, purpose="tokens", cookie_key=vault.cookie_key(cookie), **place)
        store.put(row, Record(vault.seal_without_cookie(card, purpose="card", **place) + tokens, SOON, ("tag",)), expect=version)

    stolen = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    thief = Vault(Keyring.from_keys([a_key("one", 0)]), MemoryStore())
    value = store.get(row).value
    store.close()

    assert thief.open_without_cookie(value[: -len(tokens)], purpose="card", **place) == card
    assert thief.open_without_cookie(value[-len(tokens) :], purpose="tokens", **place) is None
    for secret in (
        canary,
        card,
        cookie.reveal(),
        encode_base64url(cookie.reveal()).encode(),
        vault.cookie_key(cookie).reveal(),
        bytes(range(32)),
    ):
        assert secret not in stolen
    assert row.encode() in stolen


@given(some.datetimes())
def test_times_keep_their_microseconds(naive):
    at = naive.replace(tzinfo=SOON.tzinfo)

    assert from_microseconds(microseconds(at)) == at
