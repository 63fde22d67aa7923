"""A small HTTP API on loopback that takes nothing but a person's access token, verified by the issuer's JWKS as any server would."""

import json
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler

import httpx2
from joserfc import jwt
from joserfc.jwk import KeySet

from st_auth.testing.loopback import LoopbackServer

AUDIENCE = "urn:example:api"
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "PROPFIND")


@dataclass
class Seen:
    """One request as it came."""

    method: str
    path: str
    headers: dict[str, str] = field(repr=False)
    body: bytes

    @property
    def token(self):
        return self.headers.get("authorization", "").removeprefix("Bearer ")


class ApiServer:
    """Answers /v1/me with the person's subject, and what stands in `answers` by path: a callable that writes to the handler."""

    def __init__(self, jwks_uri=None, issuer=""):
        self._jwks_uri, self._issuer, self._keys = jwks_uri, issuer, None
        self.answers, self.seen, self.refused = {}, [], set()

    def __enter__(self):
        self._server = _server_for(self)
        self.origin = self._server.start().origin
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        self._server.stop()

    def subject(self, token):
        """Whose token it is; None for one that this API does not take."""
        self._keys = self._keys or KeySet.import_key_set(httpx2.get(self._jwks_uri).json())
        try:
            claims = jwt.decode(token, self._keys, algorithms=["RS256"]).claims
        except Exception:  # noqa: BLE001  # whatever is wrong with it
            return None
        is_ours = claims["iss"] == self._issuer and claims["aud"] == AUDIENCE and claims["exp"] > time.time()
        return claims["sub"] if is_ours and token not in self.refused else None

    def answer(self, handler, seen):
        if (own := self.answers.get(seen.path)) is not None:
            return own(handler)
        subject = self.subject(seen.token)
        if subject is None:
            return say(handler, 401, {"error": "invalid_token"})
        return say(handler, 200, {"sub": subject, "method": seen.method, "path": seen.path, "body": seen.body.decode()})


def say(handler, status, body=None, **headers):
    """Answer with JSON."""
    content = b"" if body is None else json.dumps(body).encode()
    handler.send_response(status)
    for name, value in headers.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.send_header("Content-Type", "application/json")
    handler.send_header("Content-Length", str(len(content)))
    handler.end_headers()
    if handler.command != "HEAD":
        handler.wfile.write(content)


def _server_for(api):
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def answer(self):
            seen = Seen(self.command, self.path, {name.lower(): value for name, value in self.headers.items()}, self._body())
            api.seen.append(seen)
            api.answer(self, seen)

        def _body(self):
            if self.headers.get("Transfer-Encoding") != "chunked":
                return self.rfile.read(int(self.headers.get("Content-Length") or 0))
            body = b""
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return body

        def log_message(self, *_):
            """Say nothing."""

    for method in (*METHODS, "CONNECT"):
        setattr(Handler, f"do_{method}", Handler.answer)
    return LoopbackServer(Handler)
