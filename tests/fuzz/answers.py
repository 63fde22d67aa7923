"""A provider's valid answers as data, piece by piece, so that a piece can be changed: made and signed here, without any code under test."""

import base64
import hashlib
import json
from dataclasses import dataclass
from datetime import timedelta
from random import Random
from typing import TYPE_CHECKING, Any

import httpx2
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, utils
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.oauth.given import NOW

if TYPE_CHECKING:
    from collections.abc import Callable

AT = int(NOW.timestamp())
ISSUER = "https://issuer.example"
CLIENT_ID = "app"
ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"
USED_REFRESH_TOKEN = "refresh-token-of-before"
SUBJECT_TOKEN = "access-token-to-exchange"
TENANT, SECOND_TENANT, OTHER_TENANT = (f"8eaef023-2b34-4da1-9baa-8bc8c9d6a49{n}" for n in "abc")  # two are let in, one is not
EVENT = "http://schemas.openid.net/event/backchannel-logout"
LOGINS = ("plain", "by_url", "pushed", "keyed", "strong", "signed", "no_openid", "tenants")
BARE_LOGINS = ("people", "named")  # plain OAuth 2.0: userinfo says who it is, or the token response itself
BARE = (*BARE_LOGINS, "people_again")
EXCHANGES = ("exchange", "on_behalf")
DISCOVERED = (*LOGINS, "refresh", "logout", "revoke", *EXCHANGES)  # those whose provider publishes metadata
KINDS = (*DISCOVERED, *BARE)


def base64url(value: bytes) -> bytes:
    return base64.urlsafe_b64encode(value).rstrip(b"=")


class Signer:
    """A key of the provider, or of somebody else. Its numbers come from `rng`, so that a seed gives the same run again."""

    def __init__(self, algorithm: str, kid: str, rng: Random) -> None:
        self.algorithm, self.kid = algorithm, kid
        if algorithm == "EdDSA":
            self._edwards = ed25519.Ed25519PrivateKey.from_private_bytes(rng.randbytes(32))
            self.raw = self._edwards.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
            self.jwk = {"kty": "OKP", "crv": "Ed25519", "x": base64url(self.raw).decode()}
        else:
            self._curve = ec.derive_private_key(rng.getrandbits(250) + 1, ec.SECP256R1())
            numbers = self._curve.public_key().public_numbers()
            x, y = numbers.x.to_bytes(32), numbers.y.to_bytes(32)
            self.raw = x + y
            self.jwk = {"kty": "EC", "crv": "P-256", "x": base64url(x).decode(), "y": base64url(y).decode()}
        self.jwk |= {"kid": kid, "use": "sig", "alg": algorithm}

    def sign(self, text: bytes) -> bytes:
        if self.algorithm == "EdDSA":
            return self._edwards.sign(text)
        r, s = utils.decode_dss_signature(self._curve.sign(text, ec.ECDSA(hashes.SHA256())))
        return r.to_bytes(32) + s.to_bytes(32)

    def half_hash(self, value: str) -> str:
        digest = hashlib.new("sha512" if self.algorithm == "EdDSA" else "sha256", value.encode()).digest()
        return base64url(digest[: len(digest) // 2]).decode()


class Doc:
    """A JSON document: its members, and what is done to its text after that."""

    def __init__(self, **members: Any) -> None:
        self.members = members
        self.rewrites: list[Callable[[bytes], bytes]] = []

    def text(self) -> bytes:
        text = json.dumps(self.members, default=str).encode()
        for rewrite in self.rewrites:
            text = rewrite(text)
        return text


class ListDoc(Doc):
    """A JSON list, as GitHub's API has one of addresses: its entries are the one member `entries`."""

    def text(self) -> bytes:
        text = json.dumps(self.members["entries"], default=str).encode()
        for rewrite in self.rewrites:
            text = rewrite(text)
        return text


class Jwt:
    """A compact JWS. Its signature is that of what it was before the changes, unless it is `resigned`."""

    def __init__(self, header: Doc, claims: Doc, signer: Signer) -> None:
        self.header, self.claims = header, claims
        self.sign: Callable[[bytes], bytes] = signer.sign
        self.resigned = False
        self.rewrites: list[Callable[[bytes], bytes]] = []
        self._first = self._input()

    @property
    def is_unsigned(self) -> bool:
        """Whether it says something else than what its signature is for."""
        return not self.resigned and self._input() != self._first

    def __str__(self) -> str:
        text = self._input()
        compact = text + b"." + base64url(self.sign(text if self.resigned else self._first))
        for rewrite in self.rewrites:
            compact = rewrite(compact)
        return compact.decode()

    def _input(self) -> bytes:
        return base64url(self.header.text()) + b"." + base64url(self.claims.text())


class Keys:
    """The provider's keys for both algorithms, one that it shows too late, a stranger's, and the RSA key that stands beside them."""

    def __init__(self, rng: Random) -> None:
        self.ed, self.ec = Signer("EdDSA", "e1", rng), Signer("ES256", "p1", rng)
        self.next = Signer("EdDSA", "e2", rng)
        self.stranger = {"EdDSA": Signer("EdDSA", "e1", rng), "ES256": Signer("ES256", "p1", rng)}
        n = (1 << 2047 | rng.getrandbits(2046) | 1).to_bytes(256)
        self.rsa = {"kty": "RSA", "kid": "r1", "use": "sig", "alg": "RS256", "n": base64url(n).decode(), "e": "AQAB"}

    def jwks(self) -> Doc:
        return Doc(keys=[dict(self.rsa), dict(self.ed.jwk), dict(self.ec.jwk)])


@dataclass
class Reply:
    """An HTTP answer that may still be bent: `fails` instead of answering, or `pause` seconds while its body comes."""

    status: int
    headers: dict[str, str]
    body: bytes
    fails: Exception | None = None
    pause: float = 0.0


class Case:
    """What a provider answers in one login, refresh, exchange, logout or revocation of this `kind`. Valid, until a change comes.

    The person is ana; `bob_` has what belongs to another login, of bob, at the same time. `issuer`, `subject`, `email` and
    `scope` are what must come out where all is believed.
    """

    def __init__(self, kind: str, rng: Random, keys: Keys) -> None:
        self.kind, self.rng, self.keys = kind, rng, keys
        self.signer = keys.ed if rng.random() < 0.7 else keys.ec
        self.state, self.nonce, self.code, self.access, self.refresh = (base64url(rng.randbytes(24)).decode() for _ in range(5))
        self.bob_state, self.bob_nonce, self.bob_code, self.bob_access = (base64url(rng.randbytes(24)).decode() for _ in range(4))
        self.published = f"{ISSUER}/{{tenantid}}/v2.0" if kind == "tenants" else ISSUER
        self.issuer = self.published.replace("{tenantid}", TENANT)
        self.subject = "7001" if kind in ("people", "people_again") else "ana"
        self.tenant, self.scope = TENANT, {"read:user", "user:email"}
        self.email: tuple[str, bool | None] = ("ana@example.com", True)
        self.delay = timedelta(0)
        self.pending: dict[str, Any] = {}
        self.http: dict[str, Callable[[Reply], None]] = {}
        self.metadata, self.jwks, self.later_jwks = self._metadata(), self._jwks(), None
        self.pushed = Doc(request_uri=f"urn:ietf:params:oauth:request_uri:{self.bob_nonce}", expires_in=60)
        self.query = [("code", self.code), ("state", self.state), ("iss", self.published)]
        self.query_rewrites: list[Callable[[str], str]] = []
        self.userinfo, self.emails = self._userinfo(), self._emails()
        typ = "logout+jwt" if kind == "logout" else "JWT"
        header = Doc(alg=self.signer.algorithm, typ=typ, kid=self.signer.kid)
        self.jwt = Jwt(header, self._logout_claims() if kind == "logout" else self._claims(), self.signer)
        self.userinfo_jwt: Jwt | None = None
        if kind == "signed":
            self.userinfo.members |= {"iss": ISSUER, "aud": CLIENT_ID}
            self.userinfo_jwt = Jwt(Doc(alg=self.signer.algorithm, kid=self.signer.kid), self.userinfo, self.signer)
        self.token = self._token()

    def doc(self, name: str) -> Doc:
        if name == "uheader":
            assert self.userinfo_jwt
            return self.userinfo_jwt.header
        return {"header": self.jwt.header, "claims": self.jwt.claims}.get(name) or getattr(self, name)

    def jwts(self) -> list[Jwt]:
        return [jwt for jwt in (self.jwt, self.userinfo_jwt) if jwt]

    def bob_jwt(self) -> str:
        """The valid ID token of another login, of another person."""
        return str(Jwt(Doc(**self.jwt.header.members), self._bob_claims(), self.signer))

    def query_text(self) -> str:
        text = str(httpx2.QueryParams(tuple(self.query)))
        for rewrite in self.query_rewrites:
            text = rewrite(text)
        return text

    def secrets(self) -> list[str]:
        """What no error may show."""
        return [
            self.state,
            self.nonce,
            self.code,
            self.access,
            self.refresh,
            self.bob_access,
            self.bob_code,
            self.bob_nonce,
            "s3cret-of-app",
            USED_REFRESH_TOKEN,
            SUBJECT_TOKEN,
        ]

    def _userinfo(self) -> Doc:
        if self.kind in ("people", "people_again"):
            return Doc(id=7001, login="ana", name="Ana Ünal 😀", email=None, two_factor_authentication=True)
        return Doc(sub="ana", name="Ana Ünal 😀", email="ana@example.com", email_verified=True, groups=["analysts"])

    def _emails(self) -> ListDoc:
        others = [{"email": "old@example.com", "primary": False, "verified": True, "visibility": None}]
        return ListDoc(entries=[*others, {"email": "ana@example.com", "primary": True, "verified": True, "visibility": "public"}])

    def _jwks(self) -> Doc:
        doc = self.keys.jwks()
        if self.kind == "tenants":
            for key in doc.members["keys"]:
                key["issuer"] = self.published
        return doc

    def _token(self) -> Doc:
        doc = Doc(access_token=self.access, token_type="Bearer", expires_in=3600, refresh_token=self.refresh, scope="openid email")
        if self.kind in ("people", "people_again"):
            doc.members["scope"] = "read:user,user:email"
        elif self.kind == "named":
            doc.members |= {"username": "ana", "user_first_name": "Ana"}
        elif self.kind in EXCHANGES:
            doc = Doc(access_token=self.access, issued_token_type=ACCESS_TOKEN, token_type="Bearer", expires_in=60, scope="read write")
        else:
            doc.members["id_token"] = self.jwt
        return doc

    def _metadata(self) -> Doc:
        endpoints = {name: f"{ISSUER}/{path}" for name, path in ENDPOINTS.items()}
        doc = Doc(
            issuer=self.published,
            **endpoints,
            response_types_supported=["code"],
            token_endpoint_auth_methods_supported=["client_secret_basic"],
            token_endpoint_auth_signing_alg_values_supported=["EdDSA", "ES256"],
            authorization_response_iss_parameter_supported=True,
        )
        if self.kind == "pushed":
            doc.members |= {"pushed_authorization_request_endpoint": f"{ISSUER}/par", "require_pushed_authorization_requests": True}
        return doc

    def _claims(self) -> Doc:
        claims: dict[str, Any] = {"iss": self.issuer, "sub": "ana", "aud": CLIENT_ID, "exp": AT + 300, "iat": AT, "auth_time": AT - 5}
        if self.kind != "refresh":
            claims |= {"nonce": self.nonce, "c_hash": self.signer.half_hash(self.code)}
        if self.kind == "tenants":
            claims["tid"] = TENANT
        claims |= {"at_hash": self.signer.half_hash(self.access), "sid": "s1", "acr": "gold"}
        return Doc(**claims, name="Ana Ünal 😀")

    def _bob_claims(self) -> Doc:
        doc = self._claims()
        doc.members |= {"sub": "bob", "nonce": self.bob_nonce, "at_hash": self.signer.half_hash(self.bob_access), "sid": "s2"}
        return doc

    def _logout_claims(self) -> Doc:
        times = {"iat": AT, "exp": AT + 120}
        return Doc(iss=ISSUER, aud=CLIENT_ID, sub="ana", sid="s1", **times, jti=self.bob_nonce, events={EVENT: {}})


ENDPOINTS = {
    "authorization_endpoint": "authorize",
    "token_endpoint": "token",
    "jwks_uri": "jwks",
    "userinfo_endpoint": "userinfo",
    "end_session_endpoint": "logout",
    "revocation_endpoint": "revoke",
}
PLAIN_ENDPOINTS = {
    **{name: f"{ISSUER}/{ENDPOINTS[name]}" for name in ("authorization_endpoint", "token_endpoint", "userinfo_endpoint")},
    "emails_endpoint": f"{ISSUER}/emails",
}
