"""The app's own private key: it signs who the client is, where others send a secret (RFC 7523, OpenID Connect Core 1.0 section 9)."""

import warnings
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwa import JWSAlgModel
from joserfc.jwk import ECKey, OKPKey, RSAKey

from st_auth.secret import Secret

__all__ = ["ClientKey", "read_client_key"]

RSA_BITS = 2048
SIZE_LIMIT = 64 * 1024
# What a key may sign with, best first; and what it signs with where the metadata does not say (RFC 8414 section 2 suggests RS256).
_ALGORITHMS: Mapping[str, tuple[str, ...]] = {"RSA": ("PS256", "RS256"), "P-256": ("ES256",), "Ed25519": ("EdDSA", "Ed25519")}
_USUAL: Mapping[str, str] = {"RSA": "RS256", "P-256": "ES256", "Ed25519": "EdDSA"}
_MEND = "Make one with `openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out client.pem`, and register its public half."

_Key = RSAKey | ECKey | OKPKey


class ClientKey:
    """A private key that signs and does nothing else: it does not print itself, and cannot be copied or pickled."""

    __slots__ = ("_key", "_kind", "kid")

    def __init__(self, key: _Key, kid: str = "") -> None:
        """Take the key, and its id where the provider knows it by one; raises `ValueError(what, mend)` for one that is of no use here."""
        self._kind = _kind(key)
        self._key = key
        self.kid = kid

    def algorithm(self, supported: Sequence[str]) -> str | None:
        """Return the best algorithm of this key that is `supported`, the usual one if nothing is said, None if none fits."""
        if not supported:
            return _USUAL[self._kind]
        return next((name for name in _ALGORITHMS[self._kind] if name in supported), None)

    def sign(self, claims: bytes, algorithm: str) -> Secret[str]:
        """Return a compact JWS of `claims` (RFC 7515 section 3.1)."""
        header: dict[str, Any] = {"alg": algorithm, "typ": "JWT", **({"kid": self.kid} if self.kid else {})}
        return Secret(jws.serialize_compact(header, claims, self._key, registry=_Registry()))

    def __repr__(self) -> str:
        return "ClientKey(***)"

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("A ClientKey cannot be pickled or copied.")


class _Registry(jws.JWSRegistry):
    """joserfc's, without its warning of the name "EdDSA": that is what today's providers call it."""

    def get_alg(self, name: str) -> JWSAlgModel:
        """Return the algorithm; `ClientKey.algorithm` has chosen it."""
        return self.algorithms[name]


def read_client_key(path: Path, kid: str = "") -> ClientKey:
    """Read a private key from a PEM file in PKCS#8 (RFC 5958), without a password.

    Raises `ValueError(what, mend)`: what is wrong and how to mend it, without anything of the file's content.
    """
    try:
        pem = path.read_bytes()[:SIZE_LIMIT]
    except (OSError, ValueError):
        raise ValueError("names a file that cannot be read", "Give its path from the folder of secrets.toml.") from None
    if b"-----BEGIN ENCRYPTED PRIVATE KEY-----" in pem:
        raise ValueError("names a key with a password", "Take the password away: openssl pkcs8 -topk8 -nocrypt.")
    if b"-----BEGIN PRIVATE KEY-----" not in pem:
        raise ValueError("names a file that holds no private key in PEM (PKCS#8)", "Convert it: openssl pkcs8 -topk8 -nocrypt.")
    return ClientKey(_imported(pem), kid)


def _imported(pem: bytes) -> _Key:
    for kind in (RSAKey, ECKey, OKPKey):
        with suppress(JoseError, ValueError, TypeError), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of short keys, which `_kind` refuses
            key: _Key = kind.import_key(pem)
            return key
    raise ValueError("names a key that cannot be read", _MEND)


def _kind(key: _Key) -> str:
    if not key.is_private:
        raise ValueError("names a public key", "Give the private one; the provider gets the public one.")
    if isinstance(key, RSAKey):
        if key.raw_value.key_size < RSA_BITS:
            raise ValueError(f"names an RSA key under {RSA_BITS} bits", _MEND)
        return "RSA"
    curve = str(key.get("crv"))
    if curve not in _ALGORITHMS:
        raise ValueError("names a key that is neither RSA nor EC P-256 nor Ed25519", _MEND)
    return curve
