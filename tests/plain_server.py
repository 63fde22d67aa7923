"""A scripted provider of plain OAuth 2.0 over real HTTP, strict about what a client must send; and the way there for fixed addresses."""

import base64
import hashlib
import json
from collections import Counter
from urllib.parse import parse_qsl, unquote_plus, urlencode, urlsplit

import httpx2

from st_auth.testing.loopback import server_for


class Detour(httpx2.BaseTransport):
    """Takes every request to the server on loopback, its host as the first part of the path: the profile's addresses stay as they are."""

    def __init__(self, port):
        self._origin = f"http://127.0.0.1:{port}"
        self._inner = httpx2.HTTPTransport()

    def handle_request(self, request):
        there = f"{self._origin}/{request.url.host}{request.url.raw_path.decode()}"
        headers = [(name, value) for name, value in request.headers.multi_items() if name.lower() != "host"]
        return self._inner.handle_request(httpx2.Request(request.method, there, headers=headers, content=request.read()))

    def close(self):
        self._inner.close()


class PlainServer:
    """Answers each path of `answers` (a value for JSON, a Response, or a callable); the token endpoint judges code, PKCE and client.

    Leaving it fails the test where the client misbehaved.
    """

    def __init__(self, token_path, answers, *, token=None, client=("app", "s3cret/+=")):
        self.token_path, self.answers, self.client = token_path, dict(answers), client
        self.token = {"access_token": "acc3ss", "token_type": "bearer", **(token or {})}
        self.calls, self.violations, self.codes = Counter(), [], {}
        self.transport = None

    def __enter__(self):
        self._server = server_for(self.handle)
        self.port, self.origin = self._server.server_port, self._server.origin
        self.transport = Detour(self.port)
        self._server.start()
        return self

    def __exit__(self, kind, *_):
        self.transport.close()
        self._server.stop()
        assert kind is not None or self.violations == []

    def authorize(self, url, **more):
        """Visit the authorization URL as a browser would; return the query of the callback."""
        sent = dict(parse_qsl(urlsplit(url).query))
        self._require(len(sent.get("state", "")) >= 22, "state is missing or short")
        self._require(sent.get("code_challenge_method") == "S256", "no PKCE")
        self._require("nonce" not in sent, "a nonce, which nobody would bring back")
        self._require("openid" not in sent.get("scope", "").split(), "an ID token was asked for")
        code = f"code-{len(self.codes)}"
        self.codes[code] = sent
        answer = {"code": code, "state": sent["state"], **more}
        return urlencode({name: value for name, value in answer.items() if value is not None})

    def handle(self, request):
        path = request.url.path
        self.calls[path] += 1
        if path == self.token_path and path not in self.answers:
            return self._token(request)
        answer = self.answers.get(path, httpx2.Response(404, text="nothing here"))
        if path != self.token_path:
            self._require(request.headers.get("Authorization") == "Bearer acc3ss", "asked without the access token")
        answer = answer(request) if callable(answer) else answer
        return answer if isinstance(answer, httpx2.Response) else httpx2.Response(200, json=answer)

    def _token(self, request):
        form = dict(parse_qsl(request.content.decode()))
        self._require("application/json" in request.headers.get("Accept", ""), "JSON was not asked for")
        self._require(self._client_of(request, form) == self.client, "client authentication is missing or wrong")
        if form.get("grant_type") == "refresh_token":
            self._require(form.get("refresh_token") == self.token.get("refresh_token"), "another refresh token")
            return httpx2.Response(200, json={"access_token": "acc3ss", "token_type": "bearer", "scope": "a,b", "id_token": "e30.e30.x"})
        begun = self.codes.pop(form.get("code"), None)
        if begun is None:
            return httpx2.Response(400, json={"error": "invalid_grant"})
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        self._require(begun["code_challenge"] == challenge, "code_verifier does not fit the code_challenge")
        self._require(begun["redirect_uri"] == form.get("redirect_uri"), "redirect_uri differs")
        return httpx2.Response(200, text=json.dumps({k: v for k, v in self.token.items() if v is not None}))

    def _client_of(self, request, form):
        header = request.headers.get("Authorization", "")
        if not header:
            return form.get("client_id"), form.get("client_secret")
        name, _, secret = base64.b64decode(header.removeprefix("Basic ")).decode().partition(":")
        return unquote_plus(name), unquote_plus(secret)

    def _require(self, holds, what):
        if not holds:
            self.violations.append(what)
