"""What a strict provider looks at where the client itself asks: its signed assertion, and what it pushed before the browser came."""

import json
import secrets
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import cache
from typing import Any
from urllib.parse import parse_qsl

import httpx2
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, KeyParameters, OKPKey, RSAKey

from st_auth.oauth.algorithms import CURVES, KEY_TYPES

__all__ = ["Assertions", "Key", "Pushed", "form_of", "key_for"]

Key = RSAKey | ECKey | OKPKey
Require = Callable[[object, str], bool]

_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_CLAIMS = {"iss", "sub", "aud", "jti", "iat", "exp"}


class Assertions:
    """Judges client assertions by one key (RFC 7523 section 3); each is good once. `claims` keeps those that were taken."""

    def __init__(self, public_key: bytes, client_id: str, issuer: str) -> None:
        self._key, self._client_id, self._issuer = _public(public_key), client_id, issuer
        self.claims: list[dict[str, Any]] = []
        self.headers: list[dict[str, Any]] = []

    def faults(self, form: Mapping[str, str], now: int) -> list[str]:
        """Return what is wrong with the assertion in a form, nothing if it authenticates the client."""
        if form.get("client_assertion_type") != _TYPE or "client_secret" in form:
            return ["no client assertion, or a secret beside it"]
        try:
            signed = jws.deserialize_compact(form.get("client_assertion", ""), self._key, registry=_Registry())
        except (JoseError, ValueError):
            return ["the client assertion is not signed by the client's key"]
        claims = json.loads(signed.payload)
        found = {
            "the assertion lacks a claim": not claims.keys() >= _CLAIMS,
            "the assertion is another client's": (claims.get("iss"), claims.get("sub")) != (self._client_id, self._client_id),
            "the assertion's audience is not the issuer alone": claims.get("aud") != self._issuer,
            "the assertion lives longer than a minute, or not now": not now - 5 <= claims.get("exp", 0) - 60 <= now + 5,
            "the assertion was used before": claims.get("jti") in [known["jti"] for known in self.claims],
        }
        self.claims.append(claims)
        self.headers.append(dict(signed.headers()))
        return [fault for fault, holds in found.items() if holds]


class _Registry(jws.JWSRegistry):
    def get_alg(self, name: str) -> Any:
        """Return any algorithm but those without a key of two halves."""
        if name == "none" or name.startswith("HS"):
            raise ValueError("alg")
        return self.algorithms[name]


class Pushed:
    """What was pushed, by its `request_uri`: each serves once (RFC 9126 section 4). `require` notes what is wrong."""

    def __init__(self, require: Require) -> None:
        self._require = require
        self._kept: dict[str, dict[str, str]] = {}

    def put(self, form: Mapping[str, str]) -> dict[str, Any]:
        """Keep a request and return the answer with its number."""
        self._require("request_uri" not in form, "a request_uri was pushed")
        self._require(form.get("code_challenge_method") == "S256", "code_challenge_method of what was pushed is not S256")
        uri = f"urn:ietf:params:oauth:request_uri:{secrets.token_urlsafe(24)}"
        self._kept[uri] = {name: value for name, value in form.items() if not name.startswith(("client_secret", "client_assertion"))}
        return {"request_uri": uri, "expires_in": 60}

    def asked(self, sent: dict[str, str], demanded: bool) -> dict[str, str]:
        """Return the question that an authorization URL carries, or stands for where it was pushed."""
        if "request_uri" not in sent:
            self._require(not demanded or "confirmed" in sent, "an authorization request was not pushed")
            return sent
        self._require(sent.keys() == {"client_id", "request_uri"}, "something stands beside the request_uri")
        pushed = self._kept.pop(sent["request_uri"], None)
        self._require(pushed is not None, "an unknown request_uri, or one that was used before")
        return pushed or sent


def form_of(request: httpx2.Request, require: Require) -> dict[str, str]:
    """Return a form as names and values; only `resource` may come more than once."""
    pairs = parse_qsl(request.content.decode(), keep_blank_values=True)
    names = [name for name, _ in pairs if name != "resource"]
    require(len(names) == len(set(names)), "a parameter was sent twice")
    require(not request.url.query, f"{request.url.path} was asked with a query")
    return dict(pairs)


@cache
def key_for(algorithm: str, number: int) -> Key:
    """Return a key for that algorithm, made once in a process."""
    kid: KeyParameters = {"kid": f"{algorithm}-{number}"}
    if KEY_TYPES[algorithm] == "RSA":
        return RSAKey.generate_key(2048, kid)
    return ECKey.generate_key(CURVES[algorithm], kid) if KEY_TYPES[algorithm] == "EC" else OKPKey.generate_key("Ed25519", kid)


def _public(pem: bytes) -> Key:
    for kind in (RSAKey, ECKey, OKPKey):
        with suppress(JoseError):
            key: Key = kind.import_key(pem)
            return key
    raise ValueError("not a public key in PEM")
