"""What stands before the object stores of the tests: it passes requests on, counts them, and refuses what it is told to refuse."""

import base64
import http.client
import json
import re
import secrets
import threading
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler
from urllib.parse import parse_qs, quote, unquote, urlsplit

import httpx2
from joserfc import jwt
from joserfc.jwk import KeySet

from st_auth.testing.loopback import LoopbackServer
from tests.servers.processes import LOOPBACK

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD")
_HOP = ("connection", "transfer-encoding", "keep-alive", "content-length")


@dataclass
class Asked:
    """One request as it came."""

    method: str
    path: str
    headers: dict[str, str] = field(repr=False)
    body: bytes = field(repr=False)

    @property
    def query(self):
        return {name: values[0] for name, values in parse_qs(urlsplit(self.path).query).items()}


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes = field(repr=False)


class Gateway:
    """A proxy for one server on loopback. Subclasses say in `judge` what they answer themselves, and in `changed` what they change."""

    def __init__(self, port):
        self._inner = port
        self._threads = threading.local()
        self.asked: list[Asked] = []
        self.wait_before = lambda _: None
        self.counts = Counter()

    def __enter__(self):
        self._server = _server_for(self)
        self.port = self._server.server_port
        self.origin = self._server.start().origin
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        """Do not listen any more."""
        self._server.stop()

    def judge(self, asked):
        """What to answer in the server's place, or None."""

    def changed(self, asked, answer):
        """What to answer in place of the server's answer."""
        return answer

    def answer(self, asked):
        self.asked.append(asked)
        self.counts[asked.method] += 1
        self.wait_before(asked)
        return self.judge(asked) or self.changed(asked, self._passed_on(asked))

    def forget(self):
        """Close what this thread has open: its client is gone."""
        connection = getattr(self._threads, "connection", None)
        if connection is not None:
            connection.close()

    def _passed_on(self, asked):
        for is_last in (False, True):
            connection = getattr(self._threads, "connection", None) or http.client.HTTPConnection(LOOPBACK, self._inner, timeout=30)
            self._threads.connection = connection
            try:
                connection.request(asked.method, asked.path, asked.body, asked.headers)
                found = connection.getresponse()
                return Answer(found.status, dict(found.getheaders()), found.read())
            except (http.client.HTTPException, OSError):
                connection.close()
                self._threads.connection = None
                if is_last:
                    raise
        return None


class S3Gateway(Gateway):
    """Before SeaweedFS: knows whose keys are whose, and can let keys be refused or end soon."""

    def __init__(self, port):
        super().__init__(port)
        self.keys: dict[str, set[str]] = {}
        self.refused: set[str] = set()
        self.refused_with = "ExpiredToken"
        self.lifetime: float | None = None
        self.no_roles = ""
        self.assumed = 0

    def judge(self, asked):
        if asked.path == "/" and asked.method == "POST":
            self.assumed += 1
            return _xml(403, self.no_roles, "<ErrorResponse>{}</ErrorResponse>") if self.no_roles else None
        key = re.search(r"Credential=([^/]+)/", asked.headers.get("authorization", ""))
        return _xml(400, self.refused_with) if key and key[1] in self.refused else None

    def changed(self, asked, answer):
        found = re.search(rb"<AccessKeyId>([^<]+)<", answer.body)
        if asked.path == "/" and asked.method == "POST" and found:
            token = parse_qs(asked.body.decode())["WebIdentityToken"][0]
            subject = json.loads(_decoded(token))["sub"]
            self.keys.setdefault(subject, set()).add(found[1].decode())
            if self.lifetime is not None:
                until = (datetime.now(UTC) + timedelta(seconds=self.lifetime)).isoformat().replace("+00:00", "Z")
                answer.body = re.sub(rb"<Expiration>[^<]+<", f"<Expiration>{until}<".encode(), answer.body)
        return answer

    def expire(self, person):
        """Take no keys of this person's that there are now."""
        self.refused |= self.keys.get(person, set())


class GCSGateway(Gateway):
    """Before the emulator: verifies the person's token, lets each see what begins with their name, and exchanges ID tokens."""

    AUDIENCE = "https://storage.googleapis.com/"
    POOL = "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/people/providers/op"
    ACCOUNT = "lake@acme.iam.gserviceaccount.com"

    def __init__(self, port, issuer):
        super().__init__(port)
        self._issuer = issuer
        self._key_set = None
        self._known: dict[str, str] = {}
        self.federated: dict[str, str] = {}
        self.refused: set[str] = set()
        self.used: dict[str, set[str]] = {}
        self.exchanges = 0
        self.lifetime = 3600
        self.may_impersonate = True
        self.takes_nobody = False

    def judge(self, asked):
        path = urlsplit(asked.path).path
        if path == "/v1/token":
            return self._exchanged(parse_qs(asked.body.decode()))
        token = asked.headers.get("authorization", "").removeprefix("Bearer ")
        subject = self._subject(token)
        if subject is None or self.takes_nobody:
            return _json(401, {"error": {"code": 401, "message": "Invalid Credentials"}})
        self.used.setdefault(subject, set()).add(token)
        if path.endswith(":generateAccessToken"):
            return self._impersonated(path, subject)
        names = _names(asked, path)
        is_theirs = names and all(name.startswith(f"{subject}/") for name in names)
        if is_theirs and asked.query.get("ifGenerationMatch") == "0" and self._is_there(names[0]):
            return _json(412, {"error": {"code": 412, "message": "conditionNotMet"}})  # the emulator forgets to look, in simple uploads
        if is_theirs and asked.query.get("alt") == "media" and "ifGenerationMatch" in asked.query:
            about = json.loads(self._passed_on(Asked("GET", path, {}, b"")).body)
            if about.get("generation") != asked.query["ifGenerationMatch"]:
                return _json(412, {"error": {"code": 412, "message": "conditionNotMet"}})  # nor does it look here
        return None if is_theirs else _json(403, {"error": {"code": 403, "message": f"{subject} does not have storage.objects access."}})

    def changed(self, asked, answer):
        location = answer.headers.get("Location") or answer.headers.get("location")
        if location:
            answer.headers = {name: value for name, value in answer.headers.items() if name.lower() != "location"}
            answer.headers["Location"] = f"{self.origin}/{location.split('/', 3)[3]}"
        return answer

    def expire(self, person):
        """Take no token of this person's that was used until now."""
        self.refused |= self.used.get(person, set())

    def _is_there(self, name):
        return self._passed_on(Asked("GET", f"/storage/v1/b/lake/o/{quote(name, safe='')}", {}, b"")).status == 200

    def _subject(self, token):
        if token in self.refused:
            return None
        if token in self.federated:
            return self.federated[token]
        if token not in self._known:
            claims = self._verified(token)
            if claims is None or claims.get("aud") != self.AUDIENCE:
                return None
            self._known[token] = claims["sub"]
        return self._known[token]

    def _verified(self, token):
        if self._key_set is None:
            self._key_set = KeySet.import_key_set(httpx2.get(f"{self._issuer.issuer}/jwks", trust_env=False).json())
        try:
            claims = jwt.decode(token, self._key_set, algorithms=["RS256"]).claims
        except Exception:  # noqa: BLE001  # whatever is wrong with it
            return None
        is_ours = claims["iss"] == self._issuer.issuer and claims["exp"] > datetime.now(UTC).timestamp()
        return claims if is_ours else None

    def _exchanged(self, form):
        self.exchanges += 1
        token = form["subject_token"][0]
        claims = self._verified(token)
        is_id = form["subject_token_type"][0].endswith(":id_token")
        fits = claims and form["audience"] == [self.POOL] and claims["aud"] == (self._issuer.client_id if is_id else self.AUDIENCE)
        if not fits or token in self.refused:
            return _json(400, {"error": "invalid_grant", "error_description": "The subject token is not one of this pool's."})
        given = secrets.token_urlsafe(24)
        self.federated[given] = claims["sub"]
        kind = "urn:ietf:params:oauth:token-type:access_token"
        return _json(200, {"access_token": given, "issued_token_type": kind, "token_type": "Bearer", "expires_in": self.lifetime})

    def _impersonated(self, path, subject):
        if not self.may_impersonate or self.ACCOUNT not in path:
            return _json(403, {"error": {"code": 403, "status": "PERMISSION_DENIED", "message": "Permission iam.getAccessToken denied"}})
        given = secrets.token_urlsafe(24)
        self.federated[given] = subject
        until = (datetime.now(UTC) + timedelta(seconds=self.lifetime)).strftime("%Y-%m-%dT%H:%M:%SZ")
        return _json(200, {"accessToken": given, "expireTime": until})


def _names(asked, path):
    """Which objects a request is about; none where we do not know it."""
    parts = path.split("/o/", 1)
    query = asked.query
    if path.startswith("/upload/"):
        return [query["name"]] if "name" in query else []
    if len(parts) == 2 and "/rewriteTo/" in parts[1]:
        here, there = parts[1].split("/rewriteTo/", 1)
        return [unquote(here), unquote(there.split("/o/", 1)[1])]
    if len(parts) == 2:
        return [unquote(parts[1])]
    return [query.get("prefix", "")] if path.endswith("/o") else []


def _decoded(token):
    payload = token.split(".")[1]
    return base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4))


def _xml(status, code, around="{}"):
    body = f"<Error><Code>{code}</Code><Message>{code}</Message><Token-0>s3cret-session-token</Token-0></Error>"
    return Answer(status, {"Content-Type": "application/xml"}, around.format(body).encode())


def _json(status, body):
    return Answer(status, {"Content-Type": "application/json"}, json.dumps(body).encode())


def _server_for(gateway):
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def answer(self):
            headers = {name.lower(): value for name, value in self.headers.items()}
            answer = gateway.answer(Asked(self.command, self.path, headers, self._body(headers)))
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                if name.lower() not in _HOP:
                    self.send_header(name, value)
            length = next((v for n, v in answer.headers.items() if n.lower() == "content-length"), len(answer.body))
            self.send_header("Content-Length", str(length if self.command == "HEAD" else len(answer.body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(answer.body)

        def _body(self, headers):
            return self.rfile.read(int(headers.get("content-length") or 0))

        def finish(self):
            super().finish()
            gateway.forget()

        def log_message(self, *_):
            """Say nothing."""

    for method in METHODS:
        setattr(Handler, f"do_{method}", Handler.answer)
    return LoopbackServer(Handler)
