"""The master keys: one that seals, and older ones that still open. Keys are made and named here; what they seal is the vault's."""

import base64
import hmac
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from st_auth.secret import Secret

__all__ = ["KEY_BYTES", "MARK_BYTES", "Keyring", "MasterKey", "expand", "extract", "framed"]

KEY_BYTES: Final = 32
MARK_BYTES: Final = 8
_NAME: Final = re.compile(r"[A-Za-z0-9._-]{1,32}")
_LEAST_DISTINCT_BYTES: Final = 16  # 32 random bytes have about 30; under 16 has a chance below 10^-15


@dataclass(frozen=True, slots=True)
class MasterKey:
    """One key of 32 bytes. `name` is for people; `mark` is the key id that stands in what the key sealed, made from the key itself."""

    name: str
    mark: bytes
    key: Secret[bytes]


class Keyring:
    """Master keys in their order: the first seals, all open."""

    def __init__(self, keys: Sequence[MasterKey]) -> None:
        self.keys = tuple(keys)
        self.positions = {key.mark: position for position, key in enumerate(self.keys)}
        self._tag_keys = [_derive(key, "tag") for key in self.keys]

    @classmethod
    def from_secret(cls, cookie_secret: str | Secret[str]) -> "Keyring":
        """Make the only key from Streamlit's `cookie_secret` (HKDF-SHA256, RFC 5869).

        Whether the secret is long enough for where the app runs is judged by the configuration; an empty one is a ValueError.
        """
        return cls([_from_secret(cookie_secret)])

    @classmethod
    def from_keys(cls, keys: Sequence[str], cookie_secret: str | Secret[str] | None = None) -> "Keyring":
        """Read keys written as `NAME:BASE64` (32 random bytes each); the key of `cookie_secret`, where given, opens as the last.

        Raises ValueError that names a key by its place in the list, never by its content.
        """
        ring = [_parse(text, place) for place, text in enumerate(keys, start=1)]
        if not ring:
            raise ValueError("The list of keys is empty.")
        if cookie_secret is not None:
            ring.append(_from_secret(cookie_secret))
        if len({key.name for key in ring}) < len(ring):
            raise ValueError("Two keys have the same name.")
        if len({key.mark for key in ring}) < len(ring):
            raise ValueError("The same key stands in the list twice.")
        return cls(ring)

    @property
    def current(self) -> MasterKey:
        """The key that seals."""
        return self.keys[0]

    def derive(self, purpose: str) -> bytes:
        """Return 32 bytes of the first key for one purpose: what a signer signs with."""
        return _derive(self.current, f"use/{purpose}")

    def derive_all(self, purpose: str) -> list[bytes]:
        """Return what `derive` gives for each key in order: what a verifier tries."""
        return [_derive(key, f"use/{purpose}") for key in self.keys]

    def tag(self, kind: str, *parts: str) -> str:
        """Return the index tag of these parts under the first key: 64 hex digits that tell nothing to who has only the database."""
        return _tag(self._tag_keys[0], kind, parts)

    def tags(self, kind: str, *parts: str) -> list[str]:
        """Return the tag under each key in order, for finding what was tagged before a rotation."""
        return [_tag(key, kind, parts) for key in self._tag_keys]


def extract(salt: bytes, secret: bytes) -> bytes:
    """HKDF-Extract with SHA-256 (RFC 5869 section 2.2)."""
    return hmac.digest(salt, secret, "sha256")


def expand(key: bytes, info: bytes) -> bytes:
    """HKDF-Expand with SHA-256 to 32 bytes (RFC 5869 section 2.3), which takes a single round."""
    return hmac.digest(key, info + b"\x01", "sha256")


def framed(*parts: bytes) -> bytes:
    """Join parts so that no two lists give the same bytes: each one after its length."""
    return b"".join([len(part).to_bytes(4, "big") + part for part in parts])


def _derive(key: MasterKey, label: str) -> bytes:
    return expand(extract(b"st_auth/derive/v1", key.key.reveal()), label.encode())


def _tag(key: bytes, kind: str, parts: tuple[str, ...]) -> str:
    return hmac.digest(key, framed(kind.encode(), *[part.encode(errors="surrogatepass") for part in parts]), "sha256").hex()


def _from_secret(cookie_secret: str | Secret[str]) -> MasterKey:
    text = cookie_secret.reveal() if isinstance(cookie_secret, Secret) else cookie_secret
    if not text:
        raise ValueError("The cookie_secret is empty.")
    key = expand(extract(b"st_auth/master/v1", text.encode()), b"st_auth/cookie_secret/v1")
    return _named(_mark(key).hex()[:8], key)


def _parse(text: str, place: int) -> MasterKey:
    name, colon, encoded = text.partition(":")
    if not colon or not _NAME.fullmatch(name):
        raise ValueError(f"Key {place} must be NAME:BASE64, with a name of at most 32 letters, digits, dots and dashes.")
    try:
        key = _decode(encoded)
    except ValueError:
        raise ValueError(f"Key {place} is not valid base64.") from None
    if len(key) != KEY_BYTES:
        raise ValueError(f"Key {place} has {len(key)} bytes; it must have {KEY_BYTES}.")
    if len(set(key)) < _LEAST_DISTINCT_BYTES:
        raise ValueError(f"Key {place} is not random; make one with `st-auth keys new`.")
    return _named(name, key)


def _decode(encoded: str) -> bytes:
    """Read either alphabet of base64 (RFC 4648 sections 4 and 5), with or without padding."""
    digits = encoded.strip().rstrip("=").replace("-", "+").replace("_", "/")
    return base64.b64decode(digits + "=" * (-len(digits) % 4), validate=True)


def _named(name: str, key: bytes) -> MasterKey:
    return MasterKey(name, _mark(key), Secret(key))


def _mark(key: bytes) -> bytes:
    return hmac.digest(key, b"st_auth/key-id/v1", "sha256")[:MARK_BYTES]
