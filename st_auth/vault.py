"""Everything that touches a key: two locks, seal and open. What the sealed bytes mean is for the callers."""

import binascii
import hashlib
import logging
import os
from collections.abc import Callable
from datetime import datetime
from threading import Lock
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from st_auth.keyring import KEY_BYTES, MARK_BYTES, Keyring, expand, extract, framed
from st_auth.secret import Secret
from st_auth.stores import Record, Store, microseconds

__all__ = ["ATTEMPT_LIMIT", "Vault", "decode_base64url", "encode_base64url"]

ATTEMPT_LIMIT: Final = 4096
"""The longest sealed login attempt, in characters: browsers keep no larger cookie (RFC 6265 section 6.1)."""

_LOGGER = logging.getLogger(__name__)

# A sealed record is  format (1) | algorithm (1) | key id (8) | nonce (12) | ciphertext with its tag (16).
_FORMAT_AND_ALGORITHM: Final = b"\x01\x01"  # AES-256-GCM
_HEADER_BYTES: Final = 2 + MARK_BYTES
_NONCE_BYTES: Final = 12
_SALT_BYTES: Final = 16
_EXPIRY_BYTES: Final = 8
_TO_URLSAFE: Final = bytes.maketrans(b"+/", b"-_")
_FROM_URLSAFE: Final = bytes.maketrans(b"-_+/=", b"+/...")


class Vault:
    """Seals bytes for a record in `store` and opens them again, under one of two locks.

    *With the cookie*: the key is HKDF(cookie bytes, salt = master key, info = purpose and record key). Whoever has the database and the
    master key, but not the cookie, opens nothing.
    *Without it*: the key is HKDF(master key, salt = record key, info = purpose). Operators and other processes can open it.

    Format, algorithm, key id, purpose, record key and expiry are authenticated: nothing opens under another row, purpose or expiry. Each
    record has keys of its own, so random nonces stay far from the limit of 2^32 seals a key (NIST SP 800-38D section 8.3).
    What does not open is None to the caller, a warning in the log and one more in `unreadable`.
    """

    def __init__(self, keyring: Keyring, store: Store, random: Callable[[int], bytes] = os.urandom) -> None:
        self.keyring = keyring
        self.store = store
        self.unreadable = 0
        self._random = random
        self._counting = Lock()

    def record_key(self, cookie: Secret[bytes]) -> str:
        """Return the key of the record that a cookie names: its SHA-256, so that the database tells no cookie."""
        return hashlib.sha256(cookie.reveal()).hexdigest()

    def cookie_key(self, cookie: Secret[bytes]) -> Secret[bytes]:
        """Return what stands for the cookie at the first lock, so that a process need not keep the cookie itself.

        HKDF-Extract of the cookie with each master key in the keyring's order: it opens what an older key sealed, seals with the first,
        and cannot be turned back into the cookie.
        """
        secret = cookie.reveal()
        return Secret(b"".join([extract(key.key.reveal(), secret) for key in self.keyring.keys]))

    def seal_with_cookie(self, plain: bytes, *, purpose: str, record_key: str, expires_at: datetime, cookie_key: Secret[bytes]) -> bytes:
        """Seal so that only the holder of the cookie (or its `cookie_key`) opens it."""
        key = expand(_part(cookie_key, 0), _info(purpose, record_key))
        return self._seal(key, plain, _context(purpose, record_key, expires_at))

    def open_with_cookie(
        self, sealed: bytes, *, purpose: str, record_key: str, expires_at: datetime, cookie_key: Secret[bytes]
    ) -> bytes | None:
        """Open what `seal_with_cookie` sealed, or return None."""
        if (position := self._position(sealed, purpose)) is None:
            return None
        key = expand(_part(cookie_key, position), _info(purpose, record_key))
        return self._open(key, sealed, _context(purpose, record_key, expires_at), purpose)

    def is_sealed_now(self, sealed: bytes) -> bool:
        """Whether something was sealed with the key that seals now, and not with an older one."""
        return sealed[2:_HEADER_BYTES] == self.keyring.current.mark

    def seal_without_cookie(self, plain: bytes, *, purpose: str, record_key: str, expires_at: datetime) -> bytes:
        """Seal so that every process with the master key opens it."""
        key = _master_lock(self.keyring.current.key, purpose, record_key)
        return self._seal(key, plain, _context(purpose, record_key, expires_at))

    def open_without_cookie(self, sealed: bytes, *, purpose: str, record_key: str, expires_at: datetime) -> bytes | None:
        """Open what `seal_without_cookie` sealed, or return None."""
        if (position := self._position(sealed, purpose)) is None:
            return None
        key = _master_lock(self.keyring.keys[position].key, purpose, record_key)
        return self._open(key, sealed, _context(purpose, record_key, expires_at), purpose)

    def seal_attempt(self, payload: bytes, *, expires_at: datetime) -> str:
        """Seal a pending login into the text of its own cookie (base64url), with its expiry.

        Anybody may begin any number of logins, so each gets a key of its own from a random salt. Raises ValueError when the text
        would be longer than `ATTEMPT_LIMIT`.
        """
        salt = self._random(_SALT_BYTES)
        sealed = self.seal_without_cookie(payload, purpose="attempt", record_key=salt.hex(), expires_at=expires_at)
        text = encode_base64url(microseconds(expires_at).to_bytes(_EXPIRY_BYTES, "big", signed=True) + salt + sealed)
        if len(text) > ATTEMPT_LIMIT:
            raise ValueError("The pending login is too long for a cookie.")
        return text

    def open_attempt(self, text: str, *, now: datetime) -> bytes | None:
        """Open what `seal_attempt` made, or return None when it is expired, not ours, or garbage.

        Strangers can send any number of these, so a bad one is neither logged nor counted.
        """
        if len(text) > ATTEMPT_LIMIT or not (raw := decode_base64url(text)):
            return None
        salt, sealed = raw[_EXPIRY_BYTES : _EXPIRY_BYTES + _SALT_BYTES], raw[_EXPIRY_BYTES + _SALT_BYTES :]
        position = self.keyring.positions.get(sealed[2:_HEADER_BYTES])
        expiry = int.from_bytes(raw[:_EXPIRY_BYTES], "big", signed=True)
        if position is None or expiry <= microseconds(now):
            return None
        key = _master_lock(self.keyring.keys[position].key, "attempt", salt.hex())
        return _decrypt(key, sealed, f"attempt\0{salt.hex()}\0{expiry}".encode())

    def use_once(self, purpose: str, value: str, expires_at: datetime) -> bool:
        """Use a value up: True for the first caller in the whole fleet, False for all others until `expires_at` and from then on.

        Callers must themselves refuse values older than `expires_at`, as the store forgets them after that.
        """
        if expires_at <= self.store.now():
            return False
        key = hashlib.sha256(framed(b"once", purpose.encode(), value.encode())).hexdigest()
        return self.store.put(key, Record(b"", expires_at), expect=0)

    def _seal(self, key: bytes, plain: bytes, context: bytes) -> bytes:
        header = _FORMAT_AND_ALGORITHM + self.keyring.current.mark
        nonce = self._random(_NONCE_BYTES)
        return header + nonce + AESGCM(key).encrypt(nonce, plain, header + context)

    def _position(self, sealed: bytes, purpose: str) -> int | None:
        position = self.keyring.positions.get(sealed[2:_HEADER_BYTES])
        if position is None:
            self._count_unreadable(purpose, "no key with this id")
        return position

    def _open(self, key: bytes, sealed: bytes, context: bytes, purpose: str) -> bytes | None:
        plain = _decrypt(key, sealed, context)
        if plain is None:
            self._count_unreadable(purpose, "the seal is broken")
        return plain

    def _count_unreadable(self, purpose: str, reason: str) -> None:
        with self._counting:
            self.unreadable += 1
        _LOGGER.warning("A sealed record did not open: purpose %s, %s. It counts as absent.", purpose, reason)


def encode_base64url(raw: bytes) -> str:
    """Write bytes in base64url without padding (RFC 4648 section 5)."""
    return binascii.b2a_base64(raw, newline=False).translate(_TO_URLSAFE, b"=").decode()


def decode_base64url(text: str) -> bytes | None:
    """Read base64url without padding; None unless it is exactly what `encode_base64url` writes, so that each value has one spelling."""
    try:
        padded = text.encode("ascii").translate(_FROM_URLSAFE) + b"=" * (-len(text) % 4)
        raw = binascii.a2b_base64(padded)
    except ValueError:
        return None
    return raw if binascii.b2a_base64(raw, newline=False) == padded else None


def _decrypt(key: bytes, sealed: bytes, context: bytes) -> bytes | None:
    header, rest = sealed[:_HEADER_BYTES], sealed[_HEADER_BYTES:]
    if header[:2] != _FORMAT_AND_ALGORITHM or len(rest) < _NONCE_BYTES:
        return None
    try:
        return AESGCM(key).decrypt(rest[:_NONCE_BYTES], rest[_NONCE_BYTES:], header + context)
    except InvalidTag:
        return None


def _part(cookie_key: Secret[bytes], position: int) -> bytes:
    return cookie_key.reveal()[position * KEY_BYTES : (position + 1) * KEY_BYTES]


def _master_lock(master: Secret[bytes], purpose: str, record_key: str) -> bytes:
    return expand(extract(record_key.encode(), master.reveal()), _info(purpose, ""))


# Purposes are names in our code and hold no NUL, an expiry is digits: so the parts below can be told apart whatever the record key is.


def _info(purpose: str, record_key: str) -> bytes:
    return f"st_auth/seal/v1\0{purpose}\0{record_key}".encode()


def _context(purpose: str, record_key: str, expires_at: datetime) -> bytes:
    return f"{purpose}\0{record_key}\0{microseconds(expires_at)}".encode()
