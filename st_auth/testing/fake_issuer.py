"""A strict little OpenID provider for tests: it answers without asking, and fails the test when the client misbehaves.

In this process through `issuer.transport`, and over real HTTP on 127.0.0.1 for browsers and other processes.
"""

import base64
import hashlib
import hmac
import json
import secrets
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from html import escape
from typing import Any, Self
from urllib.parse import parse_qs, parse_qsl, unquote_plus, urlencode, urlsplit

import httpx2
from joserfc import jws

from st_auth.clock import SYSTEM, Clock
from st_auth.oauth.logout_token import EVENT
from st_auth.oauth.profile import Provider
from st_auth.secret import Secret
from st_auth.testing.fake_answers import Patch, as_json, base64url, patched
from st_auth.testing.fake_clients import Assertions, Key, Pushed, form_of, key_for
from st_auth.testing.loopback import server_for

__all__ = ["PEOPLE", "FakeIssuer"]

PEOPLE: Mapping[str, Mapping[str, Any]] = {
    "ana": {"name": "Ana Analyst", "email": "ana@example.com", "email_verified": True, "groups": ["analysts"]},
    "bob": {"name": "Bob Builder", "email": "bob@example.com", "email_verified": True, "groups": ["builders"]},
}


class FakeIssuer:
    """A provider with one client. Use it as a context manager: leaving it raises `AssertionError` for all `violations`.

    `person` is who logs in (a key of `people`, its subject); None refuses with `access_denied`. `metadata`, `response`, `tokens`,
    `claims`, `header` and `userinfo` change an answer: a mapping is laid over it (None removes a key), a callable gets it and
    returns another, or a text that is sent as it is. `answers["/token"] = httpx2.Response(500)` (or a callable that takes the
    request) replaces a whole answer. `calls["/token"]` counts requests. With a `client_key` (its public half in PEM) the client signs who
    it is; `pushed` changes the answer to a pushed authorization request, which metadata has to advertise (at `/par`). `sids`
    has the newest session of each person. With an `audience` access tokens are JWTs for it (RFC 9068) with the person's claims, which any
    server can verify by the JWKS; else they are opaque.
    """

    def __init__(
        self,
        *,
        client_id: str = "app",
        client_secret: str | None = "s3cret/+ %&é",  # noqa: S107  # what must be form-encoded, on purpose
        client_key: bytes | None = None,
        redirect_uris: tuple[str, ...] = (),
        people: Mapping[str, Mapping[str, Any]] = PEOPLE,
        clock: Clock = SYSTEM,
        serve: bool = True,
        lifetime: int = 3600,
        audience: str | None = None,
    ) -> None:
        self.client_id, self.client_secret, self.redirect_uris = client_id, client_secret, redirect_uris
        self.people, self.lifetime = {subject: dict(claims) for subject, claims in people.items()}, lifetime
        self.audience = audience
        self.person: str | None = next(iter(self.people))
        self.metadata: Patch = None
        self.response: Patch = None
        self.tokens: Patch = None
        self.claims: Patch = None
        self.header: Patch = None
        self.userinfo: Patch = None
        self.pushed: Patch = None
        self.answers: dict[str, httpx2.Response | Callable[[httpx2.Request], httpx2.Response]] = {}
        self.calls: Counter[str] = Counter()
        self.requests: list[httpx2.Request] = []
        self.violations: list[str] = []
        self.logouts: list[dict[str, str]] = []
        self.sids: dict[str, str] = {}
        self.revoked: list[str] = []
        self.refresh_count = 0
        self.keys: list[Key] = [key_for("RS256", 0)]
        self.algorithm = "RS256"
        self.transport: httpx2.BaseTransport = httpx2.MockTransport(self.handle)
        self._clock = clock
        self._lock = threading.RLock()
        self._codes: dict[str, dict[str, Any]] = {}
        self._grants: dict[str, dict[str, Any]] = {}
        self._access: dict[str, dict[str, Any]] = {}
        self._spent: set[str] = set()
        self._server = server_for(self.handle) if serve else None
        self.issuer = self._server.origin if self._server else "https://issuer.example"
        self.assertions = Assertions(client_key, client_id, self.issuer) if client_key else None
        self._pushed = Pushed(self._require)

    def __enter__(self) -> Self:
        if self._server:
            self._server.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if self._server:
            self._server.stop()
        if kind is None and self.violations:
            raise AssertionError("The client misbehaved:\n  " + "\n  ".join(self.violations))

    @property
    def metadata_url(self) -> str:
        """Where the metadata is."""
        return f"{self.issuer}/.well-known/openid-configuration"

    @property
    def token_calls(self) -> int:
        """How often the token endpoint was asked, for whatever grant."""
        return self.calls["/token"]

    @property
    def jwks_calls(self) -> int:
        """How often the keys were asked for."""
        return self.calls["/jwks"]

    @property
    def metadata_calls(self) -> int:
        """How often the metadata was asked for."""
        return self.calls["/.well-known/openid-configuration"]

    def section(self) -> dict[str, Any]:
        """Return the section of `[auth]` for this provider, in Streamlit's own form."""
        secret = {} if self.client_secret is None else {"client_secret": self.client_secret}
        return {"client_id": self.client_id, "server_metadata_url": self.metadata_url, **secret}

    def provider(self, **fields: Any) -> Provider:
        """Return this provider as the client knows it; `fields` replace some."""
        known: dict[str, Any] = {
            "name": "fake",
            "label": "Fake",
            "profile": "",
            "issuer": self.issuer,
            "metadata_url": self.metadata_url,
            "client_id": self.client_id,
            "client_secret": None if self.client_secret is None else Secret(self.client_secret),
            "scopes": ("openid", "profile", "email"),
        }
        return Provider(**{**known, **fields})

    def rotate(self, algorithm: str = "RS256", *, keep: bool = False) -> None:
        """Sign with a new key from now on; the old ones are gone from the JWKS unless `keep`."""
        self.algorithm = algorithm
        self.keys = [key_for(algorithm, len(self.keys) + sum(self.calls.values())), *(self.keys if keep else [])]

    def authorize(self, url: str, person: str | None = None) -> str:
        """Visit an authorization URL as a browser would, and return the callback URL. Logs `person` in, else `self.person`."""
        parameters = self._asked(dict(parse_qsl(urlsplit(url).query, keep_blank_values=True)))
        return self._authorized(parameters, person or self.person)

    def sign(self, claims: object, header: Mapping[str, Any] | None = None, key: Key | bytes | None = None) -> str:
        """Return a JWT of `claims` (a mapping, or a text as it is), by our first key unless another is given; bytes mean HMAC."""
        key = key or self.keys[0]
        full = {"alg": self.algorithm, "typ": "JWT", "kid": self.keys[0].kid, **(header or {})}
        full = {name: value for name, value in full.items() if value is not None}
        payload = claims if isinstance(claims, str) else json.dumps(claims)
        signed = f"{base64url(json.dumps(full).encode())}.{base64url(payload.encode())}"
        if full["alg"] == "none":
            return f"{signed}."
        if isinstance(key, bytes):
            return f"{signed}.{base64url(hmac.digest(key, signed.encode(), 'sha256'))}"
        return f"{signed}.{base64url(jws.JWSRegistry.algorithms[full['alg']].sign(signed.encode(), key))}"

    def logout_token(self, person: str | None = None, *, claims: Patch = None, header: Patch = None, key: Key | bytes | None = None) -> str:
        """Return a logout token for the newest session of a person (Back-Channel Logout 1.0 section 2.4), bent as answers are."""
        subject = str(person or self.person)
        now = self._now()
        said: dict[str, Any] = {"iss": self.issuer, "aud": self.client_id, "sub": subject, "sid": self.sids.get(subject, "none")}
        said |= {"iat": now, "exp": now + 120, "jti": secrets.token_urlsafe(12), "events": {EVENT: {}}}
        bent = patched({"alg": self.algorithm, "typ": "logout+jwt", "kid": self.keys[0].kid}, header)
        return self.sign(patched(said, claims), {"typ": None, "kid": None, **bent}, key)

    def handle(self, request: httpx2.Request) -> httpx2.Response:
        """Answer one request; `transport` and the HTTP server both end here."""
        path = request.url.path
        with self._lock:
            self.calls[path] += 1
            self.requests.append(request)
            if (answer := self.answers.get(path)) is not None:
                return answer(request) if callable(answer) else answer
            endpoint = self._endpoints().get((request.method, path))
            return endpoint(request) if endpoint else httpx2.Response(404, text="no such endpoint")

    def _endpoints(self) -> Mapping[tuple[str, str], Callable[[httpx2.Request], httpx2.Response]]:
        return {
            ("GET", "/.well-known/openid-configuration"): self._metadata,
            ("GET", "/jwks"): self._jwks,
            ("GET", "/authorize"): self._authorize,
            ("POST", "/par"): self._par,
            ("POST", "/token"): self._token,
            ("GET", "/userinfo"): self._userinfo,
            ("GET", "/logout"): self._logout,
            ("POST", "/revoke"): self._revoke,
        }

    def _require(self, holds: object, what: str) -> bool:
        """Note a violation unless it `holds`."""
        if not holds:
            self.violations.append(what)
        return bool(holds)

    def _metadata(self, _: httpx2.Request) -> httpx2.Response:
        document = {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/jwks",
            "userinfo_endpoint": f"{self.issuer}/userinfo",
            "end_session_endpoint": f"{self.issuer}/logout",
            "revocation_endpoint": f"{self.issuer}/revoke",
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": [self.algorithm],
            "authorization_response_iss_parameter_supported": True,
        }
        return as_json(patched(document, self.metadata))

    def _jwks(self, _: httpx2.Request) -> httpx2.Response:
        return as_json({"keys": [key.as_dict(private=False, use="sig") for key in self.keys]})

    def _authorize(self, request: httpx2.Request) -> httpx2.Response:
        parameters = self._asked(dict(request.url.params))
        if parameters.get("prompt") == "login" and "confirmed" not in parameters:
            again = escape(f"{self.issuer}/authorize?{urlencode({**parameters, 'confirmed': '1'})}")
            page = f'<!doctype html><title>Fake issuer</title><a id="login" href="{again}"><button>Log in</button></a>'
            return httpx2.Response(200, html=page)
        return httpx2.Response(302, headers={"Location": self._authorized(parameters, self.person)})

    def _asked(self, sent: dict[str, str]) -> dict[str, str]:
        demanded = isinstance(self.metadata, Mapping) and self.metadata.get("require_pushed_authorization_requests")
        return self._pushed.asked(sent, bool(demanded))

    def _par(self, request: httpx2.Request) -> httpx2.Response:
        form = form_of(request, self._require)
        if not self._require(self._is_authenticated(request, form), "client authentication is missing or wrong"):
            return as_json({"error": "invalid_client"}, 401)
        return as_json(patched(self._pushed.put(form), self.pushed), 201)

    def _authorized(self, sent: dict[str, str], person: str | None) -> str:
        """Judge an authorization request as a strict provider does, and return where the browser goes."""
        redirect_uri = sent.get("redirect_uri", "")
        self._require(not self.redirect_uris or redirect_uri in self.redirect_uris, "redirect_uri is not registered")
        self._require(sent.get("client_id") == self.client_id, "another client_id")
        self._require(sent.get("response_type") == "code", "response_type is not code")
        self._require("openid" in sent.get("scope", "").split(), "scope lacks openid")
        self._require(len(sent.get("state", "")) >= 22, "state is missing or short")
        self._require(len(sent.get("nonce", "")) >= 22, "nonce is missing or short")
        self._require(len(sent.get("code_challenge", "")) == 43, "code_challenge is not one of SHA-256")
        self._require(sent.get("code_challenge_method") == "S256", "code_challenge_method is not S256")
        self._require("client_secret" not in sent, "the client secret went through the browser")
        code = secrets.token_urlsafe(24)
        grant = {"sub": person, "sid": secrets.token_urlsafe(12), "scope": sent.get("scope", "")}
        self._codes[code] = {**sent, **grant, "auth_time": self._now()}
        self.sids[str(person)] = grant["sid"] or ""
        answer = {"error": "access_denied"} if person is None else {"code": code}
        response = patched({**answer, "state": sent.get("state", ""), "iss": self.issuer}, self.response)
        query = response if isinstance(response, str) else urlencode(response)
        return f"{redirect_uri}{'&' if '?' in redirect_uri else '?'}{query}"

    def _token(self, request: httpx2.Request) -> httpx2.Response:
        form = form_of(request, self._require)
        if not self._require(self._is_authenticated(request, form), "client authentication is missing or wrong"):
            return as_json({"error": "invalid_client"}, 401)
        grants = {"authorization_code": self._by_code, "refresh_token": self._by_refresh_token}
        if (by := grants.get(form.get("grant_type", ""))) is None:
            return as_json({"error": "unsupported_grant_type"}, 400)
        if (grant := by(form)) is None:
            return as_json({"error": "invalid_grant"}, 400)
        return self._issue(grant)

    def _is_authenticated(self, request: httpx2.Request, form: Mapping[str, str]) -> bool:
        header = request.headers.get("Authorization", "")
        if self.assertions is not None:
            faults = self.assertions.faults(form, self._now())
            return all([self._require(not faults, ", ".join(faults)), not header])
        if self.client_secret is None:
            return not header and form.get("client_id") == self.client_id
        if not header:
            return (form.get("client_id"), form.get("client_secret")) == (self.client_id, self.client_secret)
        self._require("client_secret" not in form, "two ways of client authentication at once")
        name, _, secret = base64.b64decode(header.removeprefix("Basic ")).decode().partition(":")
        return (unquote_plus(name), unquote_plus(secret)) == (self.client_id, self.client_secret)

    def _by_code(self, form: Mapping[str, str]) -> dict[str, Any] | None:
        code = form.get("code", "")
        self._require(code not in self._spent, "a code was used twice")
        grant = self._codes.pop(code, None)
        self._spent.add(code)
        if grant is None:
            return None
        challenge = base64url(hashlib.sha256(form.get("code_verifier", "").encode()).digest())
        fits = self._require(challenge == grant.get("code_challenge"), "code_verifier does not fit the code_challenge")
        same = self._require(form.get("redirect_uri") == grant.get("redirect_uri"), "redirect_uri differs from the authorization request's")
        return grant if fits and same else None

    def _by_refresh_token(self, form: Mapping[str, str]) -> dict[str, Any] | None:
        token = form.get("refresh_token", "")
        self._require(token not in self._spent, "a refresh token was used twice")
        grant = self._grants.pop(token, None)
        self._spent.add(token)
        self.refresh_count += grant is not None
        return grant and {**grant, "nonce": None}

    def _issue(self, grant: dict[str, Any]) -> httpx2.Response:
        access, refresh = self._access_token(grant), secrets.token_urlsafe(24)
        self._access[access] = self._grants[refresh] = grant
        answer = {
            "access_token": access,
            "token_type": "Bearer",
            "expires_in": self.lifetime,
            "refresh_token": refresh,
            "id_token": self._id_token(grant, access),
            "scope": grant["scope"],
        }
        return as_json(patched(answer, self.tokens))

    def _access_token(self, grant: Mapping[str, Any]) -> str:
        now, jti = self._now(), secrets.token_urlsafe(24)
        if self.audience is None:
            return jti
        said = {"iss": self.issuer, "aud": self.audience, "sub": grant["sub"], "client_id": self.client_id, "jti": jti}
        times = {"iat": now, "exp": now + self.lifetime}
        return self.sign({**self.people.get(str(grant["sub"]), {}), **said, **times}, {"typ": "at+jwt"})

    def _id_token(self, grant: Mapping[str, Any], access: str) -> str:
        now = self._now()
        claims = {
            "iss": self.issuer,
            "sub": grant["sub"],
            "aud": self.client_id,
            "exp": now + 300,
            "iat": now,
            "auth_time": grant["auth_time"],
            "nonce": grant.get("nonce"),
            "sid": grant["sid"],
            "at_hash": self._half_hash(access),
            **self.people.get(str(grant["sub"]), {}),
        }
        claims = {name: value for name, value in claims.items() if value is not None}
        header = patched({"alg": self.algorithm, "typ": "JWT", "kid": self.keys[0].kid}, self.header)
        return self.sign(patched(claims, self.claims), {"typ": None, "kid": None, **header})

    def _half_hash(self, value: str) -> str:
        digest = hashlib.new("sha512" if self.algorithm.startswith("Ed") else f"sha{self.algorithm[2:]}", value.encode()).digest()
        return base64url(digest[: len(digest) // 2])

    def _userinfo(self, request: httpx2.Request) -> httpx2.Response:
        self._require(not request.url.query, "userinfo was asked with a query")
        kind, _, token = request.headers.get("Authorization", "").partition(" ")
        if not self._require(kind == "Bearer" and token in self._access, "userinfo was asked without an access token of ours"):
            return httpx2.Response(401, headers={"WWW-Authenticate": 'Bearer error="invalid_token"'})
        subject = self._access[token]["sub"]
        answer = patched({"sub": subject, **self.people.get(subject, {})}, self.userinfo)
        if isinstance(answer, str) and answer.count(".") == 2:
            return httpx2.Response(200, headers={"Content-Type": "application/jwt"}, text=answer)
        return as_json(answer)

    def _logout(self, request: httpx2.Request) -> httpx2.Response:
        sent = dict(request.url.params)
        self.logouts.append(sent)
        self._require("id_token_hint" in sent or sent.get("client_id") == self.client_id, "logout does not say which client")
        if not (landing := sent.get("post_logout_redirect_uri")):
            return httpx2.Response(200, html="<!doctype html><title>Fake issuer</title><p>You are logged out.</p>")
        state = {"state": sent["state"]} if "state" in sent else {}
        return httpx2.Response(302, headers={"Location": str(httpx2.URL(landing).copy_merge_params(state))})

    def _revoke(self, request: httpx2.Request) -> httpx2.Response:
        form = {name: values[0] for name, values in parse_qs(request.content.decode()).items()}
        if not self._require(self._is_authenticated(request, form), "client authentication is missing or wrong"):
            return as_json({"error": "invalid_client"}, 401)
        token = form.get("token", "")
        self.revoked.append(token)
        self._grants.pop(token, None)
        self._access.pop(token, None)
        return httpx2.Response(200)

    def _now(self) -> int:
        return int(self._clock.now().timestamp())
