"""What fakesnow lacks of Snowflake: it checks tokens, knows whose each session is, ends sessions, and lets each person see their rows.

Speaks the login protocol of Snowflake's REST interface in front of a `fakesnow -s`. Started by tests/servers/snowflake_server.py:
`python gateway.py` with PORT, FAKESNOW, ISSUER, JWKS_URI and AUDIENCE in the environment.
"""

import asyncio
import gzip
import hashlib
import json
import os
import secrets
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import httpx2
import sqlglot
import uvicorn
from joserfc import jwt
from joserfc.errors import ExpiredTokenError, JoseError
from joserfc.jwk import KeySet
from sqlglot import exp
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

BAD_LOGIN, LOGIN_AGAIN, SESSION_EXPIRED, MASTER_EXPIRED, MASTER_INVALID = 390100, 390104, 390112, 390114, 390115
TOKEN_INVALID, OTHER_USER, ROLE_NOT_LISTED, TOKEN_EXPIRED = 390303, 390309, 390317, 390318
ROW_POLICIES = {"ORDERS": ("REGION", "region")}
SESSION_LIFETIME = float(os.environ.get("SESSION_LIFETIME", "3600"))
MASTER_LIFETIME = float(os.environ.get("MASTER_LIFETIME", "14400"))

fakesnow = httpx2.AsyncClient(base_url=os.environ["FAKESNOW"], timeout=60, limits=httpx2.Limits(max_connections=64))
keys: list[KeySet] = []
constants: dict[str, bytes] = {}
seen: Counter[str] = Counter()
tokens_taken: set[str] = set()
tags: dict[str, str] = {}


@dataclass(eq=False)
class Session:
    """One session: whose it is, in which role, and how long its two tokens last. fakesnow mixes up what runs at once in one session."""

    inner: str
    user: str
    role: str
    claims: dict[str, Any]
    number: int = field(default_factory=lambda: secrets.randbits(40))
    expires: float = 0.0
    master_expires: float = 0.0
    token: str = ""
    master: str = ""
    is_cut_off: bool = False
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    def renew(self) -> None:
        """Give it new tokens."""
        now = time.time()
        sessions.pop(self.token, None)
        masters.pop(self.master, None)
        self.expires, self.master_expires = now + SESSION_LIFETIME, now + MASTER_LIFETIME
        self.token, self.master = secrets.token_urlsafe(32), secrets.token_urlsafe(32)
        sessions[self.token] = masters[self.master] = self


sessions: dict[str, Session] = {}
masters: dict[str, Session] = {}


def refusal(code: int, message: str) -> JSONResponse:
    seen[f"refused {code}"] += 1
    return JSONResponse({"data": None, "code": str(code), "message": message, "success": False})


def success(data: object = None) -> JSONResponse:
    return JSONResponse({"data": data, "code": None, "message": None, "success": True})


async def claims_of(token: str) -> dict[str, Any]:
    """Verify an access token: signature, issuer, audience and time. Raises JoseError or ValueError."""
    if not keys:
        async with httpx2.AsyncClient() as client:
            keys.append(KeySet.import_key_set((await client.get(os.environ["JWKS_URI"])).json()))
    claims = jwt.decode(token, keys[0], algorithms=["RS256", "ES256"]).claims
    demanded = {"iss": {"essential": True, "value": os.environ["ISSUER"]}, "aud": {"essential": True, "value": os.environ["AUDIENCE"]}}
    jwt.JWTClaimsRegistry(**demanded, exp={"essential": True}).validate(claims)
    return claims


async def taken(token: str) -> dict[str, Any] | Response:
    """The claims of a token that is taken, or the refusal of one that is not."""
    try:
        claims = await claims_of(token)
    except ExpiredTokenError:
        return refusal(TOKEN_EXPIRED, "OAuth access token expired.")
    except (JoseError, ValueError):
        return refusal(TOKEN_INVALID, "Invalid OAuth access token.")
    tokens_taken.add(hashlib.sha256(token.encode()).hexdigest())
    return claims


async def sent(request: Request) -> dict[str, Any]:
    body = await request.body()
    return json.loads(gzip.decompress(body) if request.headers.get("content-encoding") == "gzip" else body)


async def log_in(request: Request) -> Response:
    """Open a session for who the token is about, in the role that was asked for."""
    body = await sent(request)
    data = body["data"]
    if str(data.get("AUTHENTICATOR")).upper() != "OAUTH":
        return refusal(BAD_LOGIN, "Incorrect username or password was specified.")
    claims = await taken(str(data.get("TOKEN")))
    if isinstance(claims, Response):
        return claims
    user = str(claims["sub"]).upper()
    if str(data.get("LOGIN_NAME") or user).upper() != user:
        return refusal(OTHER_USER, "The user you were trying to authenticate as differs from the user tied to the access token.")
    roles = [str(role).upper() for role in claims.get("roles", [])]
    role = str(request.query_params.get("roleName") or (roles or ["PUBLIC"])[0]).upper()
    if roles and role not in roles:
        return refusal(ROLE_NOT_LISTED, f"The role requested in the connection ({role}) is not listed in the Access Token or was filtered.")
    opened = (await fakesnow.post("/session/v1/login-request", params=request.query_params, json=body)).json()
    if not opened.get("success"):
        return JSONResponse(opened)
    session = Session(opened["data"]["token"], user, role, claims)
    session.renew()
    seen["logins"] += 1
    tags[user] = str(data.get("SESSION_PARAMETERS", {}).get("QUERY_TAG", ""))
    more = {"validityInSeconds": int(SESSION_LIFETIME), "masterValidityInSeconds": int(MASTER_LIFETIME), "sessionId": session.number}
    more |= dict.fromkeys(("remMeToken", "newClientForUpgrade", "idToken", "responseData", "mfaToken"))
    more |= dict.fromkeys(("remMeValidityInSeconds", "idTokenValidityInSeconds", "mfaTokenValidityInSeconds"), 0)
    info = {**opened["data"].get("sessionInfo", {}), "warehouseName": request.query_params.get("warehouse"), "roleName": role}
    shown = {"displayUserName": user, "firstLogin": False, "healthCheckInterval": 45, "sessionInfo": info}
    return success({**opened["data"], "token": session.token, "masterToken": session.master, **more, **shown})


def bearer(request: Request) -> str:
    return request.headers.get("authorization", "").removeprefix('Snowflake Token="').removesuffix('"')


def session_of(request: Request) -> Session | Response:
    session = sessions.get(bearer(request))
    if session is None:
        return refusal(LOGIN_AGAIN, "User must login again to access the service.")
    if time.time() > session.expires:
        return refusal(SESSION_EXPIRED, "Your session has expired. Please login again.")
    return session


def as_seen_by(session: Session, sql: str) -> tuple[str, bool]:
    """The statement with the session's own facts and rows in it, and whether it reads no table."""
    try:
        tree = sqlglot.parse_one(sql, read="snowflake")
    except sqlglot.errors.SqlglotError:
        return sql, False
    facts = {"CURRENT_USER": session.user, "CURRENT_ROLE": session.role}

    def fact(node: exp.Expression) -> exp.Expression:
        if isinstance(node, exp.Func):
            name = (node.name if isinstance(node, exp.Anonymous) else node.sql_name()).upper()
            if name in facts:
                return exp.Literal.string(facts[name])
        return node

    tree = tree.transform(fact)
    tables = list(tree.find_all(exp.Table))
    for table in tables:
        policy = ROW_POLICIES.get(table.name.upper())
        if policy and isinstance(table.parent, exp.From | exp.Join) and (value := str(session.claims.get(policy[1], ""))) != "all":
            bare = table.copy()
            bare.set("alias", None)
            mine = exp.column(policy[0]).eq(exp.Literal.string(value))
            table.replace(exp.select("*").from_(bare).where(mine).subquery(table.alias or table.name))
    return tree.sql(dialect="snowflake"), isinstance(tree, exp.Select) and not tables


async def query(request: Request) -> Response:
    """Run a statement as its session sees things. What reads no table is asked of fakesnow once, which takes 10 ms each time."""
    session = session_of(request)
    if isinstance(session, Response):
        return session
    body = await sent(request)
    seen["queries"] += 1
    body["sqlText"], is_constant = as_seen_by(session, body["sqlText"])
    is_constant = is_constant and not body.get("bindings")
    if is_constant and body["sqlText"] in constants:
        return Response(constants[body["sqlText"]], media_type="application/json")
    async with session.turn:
        answer = await fakesnow.post("/queries/v1/query-request", params=request.query_params, json=body, headers=_inner(session))
    if is_constant:
        constants[body["sqlText"]] = answer.content
    return Response(answer.content, answer.status_code, media_type="application/json")


async def renew(request: Request) -> Response:
    """Give a session new tokens for its master token."""
    session = masters.get(bearer(request))
    if session is None:
        return refusal(MASTER_INVALID, "Master token is invalid.")
    if session.is_cut_off:
        session.is_cut_off = False
        request.receive.__self__.transport.abort()  # uvicorn's own
    if time.time() > session.master_expires:
        sessions.pop(session.token, None)
        masters.pop(session.master, None)
        return refusal(MASTER_EXPIRED, "Authentication token has expired.  The user must authenticate again.")
    session.renew()
    seen["renewals"] += 1
    lifetimes = {"validityInSecondsST": int(SESSION_LIFETIME), "validityInSecondsMT": int(MASTER_LIFETIME)}
    return success({"sessionToken": session.token, "masterToken": session.master, "sessionId": session.number, **lifetimes})


async def end(request: Request) -> Response:
    """Close a session, or say that it is there."""
    session = session_of(request)
    if isinstance(session, Response):
        return session
    if request.query_params.get("delete"):
        sessions.pop(session.token, None)
        masters.pop(session.master, None)
        await fakesnow.post("/session", params={"delete": "true"}, headers=_inner(session))
    return success()


async def pass_on(request: Request) -> Response:
    session = session_of(request)
    if isinstance(session, Response):
        return session
    headers = {**_inner(session), "content-type": "application/json"}
    body, path = await request.body(), request.url.path
    answer = await fakesnow.request(request.method, path, params=request.query_params, content=body, headers=headers)
    return Response(answer.content, answer.status_code, media_type="application/json")


def _inner(session: Session) -> dict[str, str]:
    return {"authorization": f'Snowflake Token="{session.inner}"'}


async def facts(_: Request) -> Response:
    """For tests: what was seen, and who has sessions now."""
    users = Counter(session.user for session in sessions.values())
    return JSONResponse({"seen": seen, "live": users, "tokens": len(tokens_taken), "tags": tags})


async def expire(request: Request) -> Response:
    """For tests: let a user's sessions end, `kind` being session, both, or cut: then the line breaks when they are renewed."""
    for session in sessions.values():
        if session.user == request.query_params["user"].upper():
            session.expires = 0.0
            if request.query_params["kind"] == "both":
                session.master_expires = 0.0
            session.is_cut_off = request.query_params["kind"] == "cut"
    return JSONResponse({})


ROUTES = [
    Route("/session/v1/login-request", log_in, methods=["POST"]),
    Route("/session/token-request", renew, methods=["POST"]),
    Route("/session", end, methods=["POST"]),
    Route("/session/heartbeat", end, methods=["POST"]),
    Route("/queries/v1/query-request", query, methods=["POST"]),
    Route("/queries/v1/abort-request", pass_on, methods=["POST"]),
    Route("/monitoring/queries/{query}", pass_on),
    Route("/_test/facts", facts),
    Route("/_test/expire", expire, methods=["POST"]),
]

if __name__ == "__main__":
    uvicorn.run(Starlette(routes=ROUTES), host="127.0.0.1", port=int(os.environ["PORT"]), log_level="warning")
