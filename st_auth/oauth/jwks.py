"""Signatures: which of the provider's keys signed this JWS, and does it hold? Keys come from `jwks_uri` only."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwa import JWSAlgModel
from joserfc.jwk import ECKey, OKPKey, RSAKey

from st_auth.oauth.algorithms import CURVES, KEY_TYPES
from st_auth.oauth.strict_json import parse_object
from st_auth.oauth.violations import protocol_violation

__all__ = ["Jwk", "Jws", "judge_jwks", "parse_jws", "verified_payload"]

KEY_LIMIT = 100
RSA_BITS = (2048, 8192)
_PUBLIC = ("kty", "kid", "n", "e", "crv", "x", "y")
_PRIVATE = ("d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv")
_TYPES: Mapping[str, type[RSAKey | ECKey | OKPKey]] = {"RSA": RSAKey, "EC": ECKey, "OKP": OKPKey}

Jwk = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Jws:
    """A compact JWS whose header we would accept; nothing in it is to be believed before `verified_payload`."""

    compact: str
    algorithm: str
    kid: str | None


class _Registry(jws.JWSRegistry):
    """joserfc's limits, widened to what providers send: certificates in headers, long group lists, RSA 8192."""

    max_header_length = 16 * 1024
    max_payload_length = 64 * 1024
    max_signature_length = 2 * 1024

    def get_alg(self, name: str) -> JWSAlgModel:
        """Return the algorithm; `parse_jws` has judged it. joserfc's own would warn of "EdDSA", the name that RFC 9864 retires."""
        return self.algorithms[name]


_REGISTRY = _Registry(strict_check_header=False)


def judge_jwks(document: Mapping[str, Any]) -> tuple[Jwk, ...]:
    """Return the keys that may verify signatures (RFC 7517 sections 4 and 5).

    Keys for encryption, symmetric keys, and keys that show private material are ignored, as are kinds unknown to us.
    More than a hundred are refused, before any of them is looked at.
    """
    keys = document.get("keys")
    if not isinstance(keys, list):
        raise protocol_violation("jwks.keys", "a list")
    if len(keys) > KEY_LIMIT:
        raise protocol_violation("jwks.keys", f"at most {KEY_LIMIT} keys")
    return tuple(key for key in keys if isinstance(key, dict) and _is_for_signatures(key))


def _is_for_signatures(key: Jwk) -> bool:
    operations = key.get("key_ops", ["verify"])
    return (
        key.get("kty") in ("RSA", "EC", "OKP")
        and key.get("use", "sig") == "sig"
        and isinstance(operations, list)
        and "verify" in operations
        and isinstance(key.get("kid", ""), str)
        and not any(member in key for member in _PRIVATE)
    )


def parse_jws(compact: str, algorithms: Sequence[str], types: Sequence[str] = ("jwt",)) -> Jws:
    """Accept the header of a compact JWS, or raise `ProviderError` (RFC 7515 section 5.2, RFC 8725 sections 3.1 and 3.11).

    The algorithm must be one of `algorithms`, which come from us and never from metadata. `jku`, `jwk`, `x5u` and `x5c` are
    not read; `crit` and unencoded payloads are refused; `typ`, where given, must be one of `types`.
    """
    header = _header(compact)
    algorithm, kid, typ = header.get("alg"), header.get("kid"), header.get("typ")
    if not isinstance(algorithm, str) or algorithm not in KEY_TYPES or algorithm not in algorithms:
        raise protocol_violation("alg", "one of " + " ".join(algorithms))
    if "crit" in header or "b64" in header or "zip" in header:
        raise protocol_violation("crit", "absent")
    if kid is not None and not isinstance(kid, str):
        raise protocol_violation("kid", "a string")
    if typ is not None and (not isinstance(typ, str) or typ.lower().removeprefix("application/") not in types):
        raise protocol_violation("typ", types[0])
    return Jws(compact, algorithm, kid)


def _header(compact: str) -> dict[str, Any]:
    segment, _, rest = compact.partition(".")
    if rest.count(".") != 1 or not all(rest.split(".")):
        raise protocol_violation("jwt", "a compact JWS of three parts")
    try:
        return parse_object(base64.b64decode(segment + "=" * (-len(segment) % 4), b"-_", validate=True))
    except ValueError:
        raise protocol_violation("jwt.header", "base64url of a JSON object") from None


def verified_payload(signed: Jws, keys: Sequence[Jwk]) -> bytes | None:
    """Return the payload if one of `keys` signed it; None if that key is not among them, so that newer keys may help.

    With a `kid` that key decides (OpenID Connect Core 1.0 section 10.1). Without, there must be exactly one key of the
    right kind. Raises `ProviderError` for a wrong signature or a choice of several keys.
    """
    fitting = [key for key in keys if _fits(key, signed)]
    if len(fitting) > 1:
        raise protocol_violation("kid", "the id of exactly one key")
    payload = _verify(signed, fitting[0]) if fitting else None
    if payload is None and fitting and signed.kid is not None:
        raise protocol_violation("signature", "valid")
    return payload


def _fits(key: Jwk, signed: Jws) -> bool:
    curve = CURVES.get(signed.algorithm)
    return (
        key.get("kty") == KEY_TYPES[signed.algorithm]
        and (curve is None or key.get("crv") == curve)
        and key.get("alg", signed.algorithm) == signed.algorithm
        and (signed.kid is None or key.get("kid") == signed.kid)
    )


def _verify(signed: Jws, key: Jwk) -> bytes | None:
    try:
        public = _public_key(tuple((name, key[name]) for name in _PUBLIC if name in key))
        return jws.deserialize_compact(signed.compact, public, registry=_REGISTRY).payload
    except (JoseError, ValueError, TypeError, KeyError):
        return None


@lru_cache(maxsize=256)
def _public_key(members: tuple[tuple[str, str], ...]) -> RSAKey | ECKey | OKPKey:
    """Return a key made ready, which takes longer than to verify with it; raises what joserfc raises for one that is none."""
    key: dict[str, Any] = dict(members)
    _require_sound_modulus(key)
    return _TYPES[key["kty"]].import_key(key)


def _require_sound_modulus(key: Jwk) -> None:
    """Require that an RSA modulus has 2048 to 8192 bits (RFC 7518 section 3.3); bigger ones only cost time."""
    if key["kty"] == "RSA":
        n = key["n"]
        bits = int.from_bytes(base64.urlsafe_b64decode(n + "=" * (-len(n) % 4))).bit_length()
        if not RSA_BITS[0] <= bits <= RSA_BITS[1]:
            raise ValueError("RSA modulus")
