"""The catalogue: changes to metadata, keys, the authorization response, token responses and userinfo."""

import gzip
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from functools import partial

import httpx2

from tests.fuzz.answers import (
    BARE,
    BARE_LOGINS,
    CLIENT_ID,
    DISCOVERED,
    EXCHANGES,
    ISSUER,
    LOGINS,
    SUBJECT_TOKEN,
    USED_REFRESH_TOKEN,
    Case,
    Reply,
)
from tests.fuzz.changes import NEVER, NO_TEXT, Bend, Change, bent_text, member, rename, some_json, some_text, text_changes
from tests.fuzz.dialects import dialect_changes
from tests.fuzz.signed import signed_changes

SIGNED = (*LOGINS, "refresh", "logout")
TOKENS = (*LOGINS, "refresh")
RETURNS = (*LOGINS, *BARE_LOGINS)
ASKED = (*TOKENS, *BARE, *EXCHANGES)
ISS_FLAG = "authorization_response_iss_parameter_supported"


def every_change() -> list[Change]:
    """Return the whole catalogue, in an order that is always the same."""
    return [
        *_metadata(),
        *_jwks(),
        *_pushed(),
        *_response(),
        *_response_errors(),
        *_token(),
        *_userinfo(),
        *signed_changes(),
        *dialect_changes(),
        *_http(),
    ]


# -- metadata (RFC 8414, OpenID Connect Discovery 1.0) -------------------------------------------------------------------

_NO_ENDPOINT: dict[str, object] = {
    **NO_TEXT,
    "empty": "",
    "relative": "/token",
    "http": "http://issuer.example/x",
    "of this machine": "http://127.0.0.1:9/x",
    "ftp": "ftp://issuer.example/x",
    "javascript": "javascript:alert(1)//https://issuer.example",
    "data": "data:text/html,x",
    "file": "file:///etc/passwd",
    "without host": "https:///x",
    "with a user": "https://a:b@issuer.example/x",
    "with a fragment": "https://issuer.example/x#y",
    "with a space": "https://issuer.example/ x",
    "with a line break": "https://issuer.example/\r\nX: y",
    "with a backslash": "https://issuer.example\\@evil.example/x",
    "with an impossible port": "https://issuer.example:99999/x",
    "with half an address": "https://[::1/x",
    "with other letters": "https://issuer.example/\u00e9",
    "with a zero byte": "https://issuer.example/\0",
}


def _metadata() -> Iterator[Change]:
    yield from text_changes("metadata", DISCOVERED)
    yield from member("metadata", "issuer", "refused", {**NEVER, **bent_text(lambda _: ISSUER)})
    others: dict[str, object] = {
        "of another": "https://evil.example",
        "with a slash": f"{ISSUER}/",
        "http": "http://issuer.example",
        "with a query": f"{ISSUER}?x",
        "with a port": f"{ISSUER}:443",
        "with a user": "https://x@issuer.example",
    }
    yield from member("metadata", "issuer", "refused", others, tuple(kind for kind in DISCOVERED if kind not in ("logout", "revoke")))
    for name in ("authorization_endpoint", "token_endpoint", "jwks_uri"):
        yield from member("metadata", name, "refused", {**_NO_ENDPOINT, "gone": ..., "null": None})
        yield Change(f"metadata.{name} misspelt", (f"metadata.{name}",), "refused", rename("metadata", name, name.upper()))
    for name in ("userinfo_endpoint", "end_session_endpoint", "revocation_endpoint", "pushed_authorization_request_endpoint"):
        yield from member("metadata", name, "refused", _NO_ENDPOINT)
    unused = {"gone": ..., "null": None}
    yield from member("metadata", "userinfo_endpoint", "valid", unused, also=("userinfo", "uheader", "ujwt", "http.userinfo", "claims.sub"))
    yield from member("metadata", "end_session_endpoint", "valid", unused)
    yield from member("metadata", "revocation_endpoint", "valid", unused, also=("http.revoke",))
    for name in ("token_endpoint_auth_methods_supported", "token_endpoint_auth_signing_alg_values_supported"):
        wrong = {"as a text": "none", "as a number": 5, "as an object": {}, "with a number": ["x", 5], "with null": [None], "false": False}
        yield from member("metadata", name, "refused", wrong)
    post: dict[str, object] = {"is post": ["client_secret_post"], "unknown": ["x"], "gone": ..., "empty": []}
    yield from member("metadata", "token_endpoint_auth_methods_supported", "valid", post)
    none = {"unknown": ["HS256"], "none": ["none"]}
    yield from member("metadata", "token_endpoint_auth_signing_alg_values_supported", "refused", none, ("keyed",))
    for name in (ISS_FLAG, "require_pushed_authorization_requests"):
        yield from member("metadata", name, "refused", {"as a text": "true", "as 1": 1, "as 0": 0, "as a list": [], "as an object": {}})
    yield from member("metadata", ISS_FLAG, "valid", {"gone": ..., "false": False}, also=("query",))
    yield Change("metadata promises no iss and none comes", (f"metadata.{ISS_FLAG}", "query"), "valid", _without_iss_anywhere, LOGINS)
    demanded = {"without endpoint": True}
    place = ("metadata.pushed_authorization_request_endpoint",)
    yield from member("metadata", "require_pushed_authorization_requests", "refused", demanded, _but("pushed", LOGINS), place)
    yield from member(
        "metadata", "pushed_authorization_request_endpoint", "refused", {"gone": ..., "null": None}, ("pushed",), group="absent"
    )
    yield from member("metadata", "require_pushed_authorization_requests", "valid", {"gone": ..., "false": False}, ("pushed",), place)
    strange = {"strange": lambda case: "https://" + "".join(chr(case.rng.randrange(33, 127)) for _ in range(20))}
    for name in ("authorization_endpoint", "token_endpoint", "jwks_uri", "userinfo_endpoint", "revocation_endpoint"):
        yield from member("metadata", name, "either", strange)


def _but(kind: str, kinds: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(one for one in kinds if one != kind)


def _without_iss_anywhere(case: Case) -> None:
    case.metadata.members[ISS_FLAG] = False
    case.query = [pair for pair in case.query if pair[0] != "iss"]


# -- keys (RFC 7517) -----------------------------------------------------------------------------------------------------


def _jwks() -> Iterator[Change]:
    yield from text_changes("jwks", SIGNED)
    lists: dict[str, object] = {
        "gone": ...,
        "null": None,
        "empty": [],
        "an object": {},
        "a text": "x",
        "a number": 5,
        "true": True,
        "of no keys": [None, 5, "x", []],
        "in a list": lambda case: [case.jwks.members["keys"]],
        "of a stranger": lambda case: [dict(one.jwk) for one in case.keys.stranger.values()],
        "without ours": lambda case: [key for key in case.jwks.members["keys"] if key["kid"] != case.signer.kid],
    }
    yield from member("jwks", "keys", "refused", lists, SIGNED)
    for count in (98, 120, 5000):
        yield Change(f"jwks has {count} keys too many", ("jwks.many", "jwks"), "refused", partial(_crowd, count=count), SIGNED)
    for label, change in _NO_KEY.items():
        yield Change(f"jwks: our key {label}", ("jwks", "header.kid"), "refused", partial(_bend_key, change=change), SIGNED)
    for label, change in _KEY.items():
        yield Change(f"jwks: our key {label}", ("jwks",), "valid", partial(_bend_key, change=change), SIGNED)
    junk: tuple[object, ...] = (None, 5, "x", [], {}, {"kty": "oct", "k": "AA"}, {"kty": "EC"}, {"kty": []}, {"kid": {}, "kty": "OKP"})
    for other in junk:
        yield Change(f"jwks has {other!r} too", ("jwks",), "valid", partial(_add_key, key=other), SIGNED)
    yield Change("jwks has two keys of one id", ("jwks.twice", "jwks", "header.kid"), "refused", _same_id_twice, SIGNED)
    yield Change("jwks has another key of our kind", ("jwks", "header.kid"), "valid", _another_key, SIGNED)
    yield Change("two keys of a kind and no kid", ("jwks.twice", "jwks", "header.kid"), "refused", _another_key_and_no_kid, SIGNED)
    yield Change("keys rotate", ("jwks", "header.kid"), "valid", _rotated, SIGNED)
    yield Change("keys rotate twice", ("jwks", "header.kid"), "refused", _rotated_away, SIGNED)


_NO_KEY: dict[str, dict[str, object]] = {
    "is for encryption": {"use": "enc"},
    "has an odd use": {"use": ["sig"]},
    "has a use in capitals": {"use": "SIG"},
    "only signs": {"key_ops": ["sign"]},
    "has odd operations": {"key_ops": "verify"},
    "is for another algorithm": {"alg": "ES512"},
    "has an odd algorithm": {"alg": ["EdDSA"]},
    "has no kind": {"kty": ...},
    "is of another kind": {"kty": "oct"},
    "has a kind in small letters": {"kty": "okp"},
    "has an odd kind": {"kty": ["OKP"]},
    "is on another curve": {"crv": "Ed448"},
    "has no curve": {"crv": ...},
    "has no x": {"x": ...},
    "has an odd x": {"x": 5},
    "has a short x": {"x": "AAAA"},
    "has a long x": {"x": "A" * 4000},
    "has an x that is no base64url": {"x": "!" * 43},
    "has another id": {"kid": "other"},
    "has no id": {"kid": ...},
    "has an id in capitals": {"kid": "E1"},
    "has an odd id": {"kid": 5},
    "shows its private half": {"d": "AAAA"},
    "is symmetric too": {"k": "AAAA"},
}
_KEY: dict[str, dict[str, object]] = {
    "says nothing about use and algorithm": {"use": ..., "alg": ...},
    "verifies": {"key_ops": ["verify"]},
    "has a certificate": {"x5c": ["AAAA"], "x5t": "AAAA", "x5u": "http://127.0.0.1/"},
    "has something of its own": {"x_": {"a": [1]}, "ext": True, "exp": 0},
}


def _bend_key(case: Case, change: dict[str, object]) -> None:
    key = next(key for key in case.jwks.members["keys"] if key["kid"] == case.signer.kid)
    if change == {"kid": "E1"}:
        change = {"kid": case.signer.kid.upper()}
    if change == {"alg": "ES512"}:
        change = {"alg": case.rng.choice(["ES512", "RS256", "HS256", "none"])}
    for name, value in change.items():
        key.pop(name, None)
        if value is not ...:
            key[name] = value


def _add_key(case: Case, key: object) -> None:
    case.jwks.members["keys"].insert(case.rng.randrange(4), key)


def _crowd(case: Case, count: int) -> None:
    case.jwks.members["keys"] += [{"kty": "oct", "kid": f"k{number}"} for number in range(count)]


def _same_id_twice(case: Case) -> None:
    _add_key(case, dict(case.keys.stranger[case.signer.algorithm].jwk))


def _another_key(case: Case) -> None:
    _add_key(case, {**case.keys.stranger[case.signer.algorithm].jwk, "kid": "another"})


def _another_key_and_no_kid(case: Case) -> None:
    _another_key(case)
    for jwt in case.jwts():
        jwt.header.members.pop("kid")
        jwt.resigned = True


def _rotated(case: Case) -> None:
    """The provider begins to sign with a new key after we have read the old ones (RP-43)."""
    case.later_jwks = case.keys.jwks()
    case.jwks.members["keys"] = [dict(case.keys.rsa), dict(case.keys.next.jwk)]


def _rotated_away(case: Case) -> None:
    case.jwks.members["keys"] = [dict(case.keys.next.jwk)]
    case.later_jwks = case.jwks


# -- pushed requests (RFC 9126) ------------------------------------------------------------------------------------------


def _pushed() -> Iterator[Change]:
    only = ("pushed",)
    yield from text_changes("pushed", only)
    spoilt = {"with a space": "urn:x y", "with other letters": "urn:\u00e9", "huge": "urn:" + "x" * 3000, "with a line break": "urn:x\r\ny"}
    yield from member("pushed", "request_uri", "refused", {**NEVER, **spoilt}, only)
    never = {"gone": ..., "null": None, "as a text": "60", "zero": 0, "negative": -1, "true": True, "a list": [60], "an object": {}}
    yield from member("pushed", "expires_in", "refused", never, only)
    yield from member("pushed", "expires_in", "valid", {"short": 1, "long": 10**6, "with a fraction": 59.5}, only)
    yield from member(
        "pushed", "request_uri", "valid", {"plain": "urn:x", "an address": "https://issuer.example/r/1?x=%20&client_id=b"}, only
    )
    yield from member("pushed", "error", "refused", {"comes too": "invalid_request", "is odd": ["x"]}, only)


# -- the authorization response (RFC 6749 section 4.1.2, RFC 9207) -------------------------------------------------------


def _response() -> Iterator[Change]:
    flagged = (f"metadata.{ISS_FLAG}",)
    states = {"gone": ..., "empty": "", "of another login": lambda c: c.bob_state, **bent_text(lambda c: c.state)}
    issuers = {"gone": ..., "empty": "", "of another": "https://evil.example", "with a slash": f"{ISSUER}/", **bent_text(lambda _: ISSUER)}
    codes = {"gone": ..., "empty": "", "of another login": lambda c: c.bob_code, **bent_text(lambda c: c.code)}
    for name, values, also in (("state", states, ()), ("iss", issuers, flagged), ("code", codes, ())):
        for label, value in values.items():
            if label not in ("as an object", "in a list in a list"):
                kinds = LOGINS if (name, label) == ("iss", "gone") else RETURNS
                bend: Bend = partial(_with_pair, name=name, value=value)
                yield Change(f"query.{name} {label}", (f"query.{name}", *also), "refused", bend, kinds)
        yield Change(f"query.{name} twice", ("query",), "refused", partial(_repeat, name=name), RETURNS)
    silent = partial(_with_pair, name="iss", value=...)
    yield Change("query.iss gone, which nobody promised", ("query.iss",), "valid", silent, BARE_LOGINS)
    for label, rewrite in _NO_QUERY.items():
        bend = partial(lambda case, rewrite: case.query_rewrites.append(rewrite), rewrite=rewrite)
        yield Change(f"query {label}", ("query", *flagged), "refused", bend, RETURNS)
    yield Change("query cut", ("query", *flagged), "refused", _cut_query, LOGINS)
    for extra in ("&x=%ff%fe", "&%c0%af=", "".join(f"&x{n}=" for n in range(60))):
        bend = partial(_append_to_query, extra=extra)
        yield Change(f"query with {extra[:9]}", ("query.undecodable", "query", *flagged), "refused", bend, RETURNS)
    yield Change("query in another order", ("query",), "valid", lambda case: case.rng.shuffle(case.query), RETURNS)
    for pair in (("session_state", "a.b"), ("scope", "openid"), ("x", "\u00e9 &="), ("", ""), ("x" * 100, "y" * 5000)):
        yield Change(f"query has {pair[0][:9]} too", ("query.extra",), "valid", partial(_add_pair, pair=pair), RETURNS)


def _response_errors() -> Iterator[Change]:
    for error in (*_ERRORS, *_LATER, *_LATER, "", "x" * 500, '"\\<script>'):
        yield Change(f"query has error {error[:20]}", ("query.error", "query.code"), "refused", partial(_as_error, error=error), RETURNS)
        if error:
            beside = partial(_add_pair, pair=("error", error))
            yield Change(f"query has code and error {error[:20]}", ("query.beside", "query.code"), "refused", beside, RETURNS)
    for seconds in (601, 700, 86_400, 10**9, -61, -3600):
        yield Change(f"answered after {seconds} s", ("time",), "refused", partial(_delayed, seconds=seconds), RETURNS)
    for seconds in (1, 300, 599, -59):
        yield Change(f"answered after {seconds} s", ("time",), "valid", partial(_delayed, seconds=seconds), RETURNS)
    for name, value in (("provider", "other"), ("issuer", "https://other.example"), ("issuer", f"{ISSUER}/")):
        yield Change(f"begun at another {name}", ("pending",), "refused", partial(_begun_elsewhere, name=name, value=value), RETURNS)


_ERRORS = (
    *("access_denied", "login_required", "consent_required", "interaction_required", "account_selection_required"),
    *("invalid_request", "unauthorized_client", "invalid_scope", "invalid_target", "odd"),
)
_LATER = ("server_error", "temporarily_unavailable")
_NO_QUERY: dict[str, Callable[[str], str]] = {
    "empty": lambda _: "",
    "too long": lambda text: text + "&x=" + "y" * 17_000,
    "of too many parameters": lambda text: text + "".join(f"&x{n}=" for n in range(60)),
    "with other letters": lambda text: text + "&x=\u00e9",
    "with half a surrogate pair": lambda text: text + "&x=\ud800",
    "with a fragment": lambda text: text + "#x",
    "with semicolons": lambda text: text.replace("&", ";"),
    "with capitals": str.upper,
    "twice": lambda text: f"{text}&{text}",
    "as a fragment": lambda text: "#" + text,
    "encoded twice": lambda text: text.replace("%", "%25").replace("=", "%3D"),
}


def _cut_query(case: Case) -> None:
    part = case.rng.random()
    case.query_rewrites.append(lambda text: text[: int(len(text) * part)])


def _append_to_query(case: Case, extra: str) -> None:
    case.query_rewrites.append(lambda text: text + extra)


def _with_pair(case: Case, name: str, value: object) -> None:
    text = value(case) if callable(value) else value
    case.query = [(n, text if n == name else v) for n, v in case.query if n != name or text is not ...]


def _repeat(case: Case, name: str) -> None:
    value = next(v for n, v in case.query if n == name)
    case.query.insert(case.rng.randrange(4), (name, case.rng.choice([value, "x", ""])))


def _as_error(case: Case, error: str) -> None:
    case.query = [("error", error), *(pair for pair in case.query if pair[0] != "code")]
    if case.rng.random() < 0.5:
        case.query.append(("error_description", case.rng.choice(["It said no.", some_text(case.rng), "x" * 1000])))


def _add_pair(case: Case, pair: tuple[str, str]) -> None:
    case.query.insert(case.rng.randrange(4), pair)


def _delayed(case: Case, seconds: int) -> None:
    case.delay = timedelta(seconds=seconds)


def _begun_elsewhere(case: Case, name: str, value: str) -> None:
    case.pending[name] = value


# -- token responses (RFC 6749 section 5) --------------------------------------------------------------------------------


def _token() -> Iterator[Change]:
    yield from text_changes("token", ASKED)
    spoilt = {
        "with a space": "a b",
        "with other letters": "\u00e9",
        "with a line break": "a\r\nb",
        "huge": "x" * 17_000,
        "with a zero": "a\0",
    }
    others = {"of another login": lambda c: c.bob_access}
    at = ("claims.at_hash",)
    yield from member("token", "access_token", "refused", {**NEVER, **spoilt}, ASKED, at)
    yield from member("token", "access_token", "refused", others, (*TOKENS, "people"), at)
    absent = {"gone": ..., "null": None, "empty": ""}
    yield from member("token", "access_token", "refused", absent, ASKED, at, group="absent")
    yield Change("token.access_token misspelt", ("token.access_token",), "refused", rename("token", "access_token", "accessToken"), ASKED)
    types = {**NEVER, "DPoP": "DPoP", "mac": "mac", "spaced": "Bearer ", "two": "Bearer DPoP", "of another script": "\u0432earer"}
    yield from member("token", "token_type", "refused", types, ASKED)
    yield from member("token", "token_type", "valid", {"small": "bearer", "big": "BEARER", "mixed": "bEARER"}, ASKED)
    yield from member("token", "refresh_token", "refused", {**NO_TEXT, **spoilt}, ASKED)
    yield from member("token", "refresh_token", "valid", {"gone": ..., "null": None, "empty": ""}, ASKED)
    yield from member("token", "scope", "refused", NO_TEXT, ASKED)
    yield from member(
        "token", "scope", "valid", {"gone": ..., "empty": "", "more": "openid a b", "wide": " openid  x "}, _but("people", ASKED)
    )
    known = {"gone": ..., "a text": "3600", "a fraction": 3600.5, "short": 1, "a day": 86_400}
    odd = {"null": None, "zero": 0, "negative": -5, "tiny": 5e-324, "huge": 10**30, "no number": "soon", "1e308": 1e308, "\u00b2": "\u00b2"}
    yield from member("token", "expires_in", "valid", known, ASKED)
    yield from member("token", "expires_in", "either", {**odd, "whatever": lambda c: some_json(c.rng), "digits": "9" * 5000}, ASKED)
    signed = {**NO_TEXT, **spoilt, "of another login": lambda c: c.bob_jwt(), "no JWT": "x", "dots": "..", "more dots": "a.b.c.d.e"}
    signed["huge"] = "x" * 70_000
    yield from member("token", "id_token", "refused", signed, TOKENS)
    yield from member("token", "id_token", "refused", absent, LOGINS, group="absent")
    yield from member(
        "token", "id_token", "valid", absent, ("refresh",), ("claims", "header", "jwt", "jwks", "http.jwks", "metadata.jwks_uri")
    )
    errors = {error: error for error in ("invalid_grant", "invalid_client", "unauthorized_client", "invalid_target", "odd")}
    yield from member("token", "error", "refused", {**errors, "as a list": ["invalid_grant"], "as a number": 0, "empty": ""}, ASKED)
    yield from member("token", "error", "either", {"null": None}, ASKED)
    both = ("token.error", "token.error_description")
    yield Change("an error repeats the code", both, "refused", partial(_echo, say=lambda c: c.code), RETURNS)
    yield Change(
        "an error repeats the refresh token", both, "refused", partial(_echo, say=lambda _: USED_REFRESH_TOKEN), ("refresh", "people_again")
    )
    repeated = partial(_echo, say=lambda _: SUBJECT_TOKEN)
    yield Change("an error repeats the token to exchange", both, "refused", repeated, EXCHANGES)
    yield Change("an error says anything", both, "refused", partial(_echo, say=lambda c: some_text(c.rng)), ASKED)


def _echo(case: Case, say: Callable[[Case], str]) -> None:
    case.token.members |= {"error": case.rng.choice(["invalid_request", "invalid_grant"]), "error_description": f"Bad: {say(case)}!"}


# -- userinfo (OpenID Connect Core 1.0 section 5.3) ----------------------------------------------------------------------


def _userinfo() -> Iterator[Change]:
    yield from text_changes("userinfo", LOGINS)
    yield from (replace(change, verdict="valid") for change in text_changes("userinfo", ("refresh",)))  # then it changes nothing
    about = {**NEVER, **bent_text(lambda _: "ana"), "of another": "bob"}
    yield from member("userinfo", "sub", "refused", about, TOKENS, ("claims.sub",))
    yield Change("userinfo.sub misspelt", ("userinfo.sub",), "refused", rename("userinfo", "sub", "Sub"), TOKENS)
    plain = _but("signed", TOKENS)
    for name in ("iss", "aud", "exp", "iat", "nonce", "auth_time", "acr", "amr", "sid", "azp", "at_hash", "events", "_claim_sources"):
        kinds = plain if name in ("iss", "aud", "azp") else TOKENS
        yield from member("userinfo", name, "valid", {"whatever": lambda c: some_json(c.rng), "of another": "https://evil.example"}, kinds)
    for name in ("name", "email", "email_verified", "groups", "preferred_username", "_claim_names"):
        yield from member("userinfo", name, "valid", {"gone": ..., "whatever": lambda c: some_json(c.rng), "long": "x" * 10_000}, TOKENS)
    signed = ("signed",)
    yield from member("userinfo", "iss", "refused", {**NEVER, **bent_text(lambda _: ISSUER), "of another": "https://evil.example"}, signed)
    wrong = {**NEVER, **bent_text(lambda _: CLIENT_ID), "of another": "other"}
    yield from member("userinfo", "aud", "refused", wrong, signed, ("userinfo.azp",))
    yield from member("userinfo", "azp", "refused", {"of another": "other", "empty": "", "a number": 5}, signed, ("userinfo.aud",))
    yield from member("userinfo", "aud", "valid", {"as a list": [CLIENT_ID]}, signed, ("userinfo.azp",))


# -- HTTP ----------------------------------------------------------------------------------------------------------------


def _http() -> Iterator[Change]:
    places = {"metadata": DISCOVERED, "jwks": SIGNED, "par": ("pushed",), "token": ASKED}
    places |= {"userinfo": (*LOGINS, "people"), "emails": ("people",)}
    for where, kinds in places.items():
        for label, bend in (*_BROKEN.items(), *_PASSING.items()):
            yield Change(f"{where}: {label}", (f"http.{where}",), "refused", _at(where, bend), kinds)
        for label, bend in _HARMLESS.items():
            yield Change(f"{where}: {label}", (f"http.{where}",), "valid", _at(where, bend), kinds)
        yield Change(f"{where}: a body that drips", (f"http.{where}.drips",), "refused", _at(where, _slow), kinds)
    html = _typed("text/html; charset=utf-8")
    for where, kinds in places.items():
        yield Change(f"{where}: as a page", (f"http.{where}.page",), "refused", _at(where, html), kinds)
    yield Change(
        "userinfo: a JWT by its type alone",
        ("http.userinfo",),
        "refused",
        _at("userinfo", _typed("application/jwt")),
        _but("signed", LOGINS),
    )
    yield Change(
        "userinfo: JSON by its type alone", ("http.userinfo",), "refused", _at("userinfo", _typed("application/json")), ("signed",)
    )
    for label, bend in _PASSING.items():  # userinfo that cannot be had changes nothing at a refresh
        yield Change(f"userinfo: {label}", ("http.userinfo", "userinfo"), "valid", _at("userinfo", bend), ("refresh", "people_again"))
        yield Change(f"emails: {label}", ("http.emails", "emails"), "valid", _at("emails", bend), ("people_again",))
        yield Change(f"revoke: {label}", ("http.revoke",), "refused", _at("revoke", bend), ("revoke",))
    for status in (201, 202, 204, 302, 400, 401, 403, 404):
        yield Change(f"revoke: status {status}", ("http.revoke",), "refused", _at("revoke", _status(status)), ("revoke",))
        yield Change(
            f"revoke: JSON with {status}", ("http.revoke",), "refused", _at("revoke", _status(status, b'{"error":"x"}')), ("revoke",)
        )
    for text in (b"", b"x", b"<html>", b"[]"):
        yield Change(f"revoke: {text!r}", ("http.revoke",), "valid", _at("revoke", _status(200, text)), ("revoke",))
    for where in ("token", "par"):
        for error in ("invalid_client", "invalid_grant", "invalid_target"):
            refusal = _status(400, b'{"error":"' + error.encode() + b'"}')
            yield Change(f"{where}: 400 {error}", (f"http.{where}",), "refused", _at(where, refusal), places[where])


def _at(where: str, bend: Callable[[Reply], None]) -> Bend:
    def bent(case: Case) -> None:
        case.http[where] = bend

    return bent


def _status(status: int, body: bytes | None = None) -> Callable[[Reply], None]:
    def bend(reply: Reply) -> None:
        reply.status = status
        reply.body = reply.body if body is None else body

    return bend


def _typed(media_type: str) -> Callable[[Reply], None]:
    return lambda reply: reply.headers.update({"Content-Type": media_type})


def _later(status: int, after: str | None) -> Callable[[Reply], None]:
    def bend(reply: Reply) -> None:
        reply.status = status
        if after is not None:
            reply.headers["Retry-After"] = after

    return bend


def _fails(error: type[httpx2.TransportError]) -> Callable[[Reply], None]:
    def bend(reply: Reply) -> None:
        reply.fails = error("this text is never shown")

    return bend


def _zipped(reply: Reply, body: bytes | None = None) -> None:
    reply.headers["Content-Encoding"] = "gzip"
    reply.body = gzip.compress(reply.body if body is None else body, 1)


def _half_zipped(reply: Reply) -> None:
    _zipped(reply)
    reply.body = reply.body[:15] + b"\xff\x00\xff" + reply.body[20:]


def _append(reply: Reply, more: bytes) -> None:
    reply.body += more


def _slow(reply: Reply) -> None:
    reply.pause = 20.0


_BROKEN: dict[str, Callable[[Reply], None]] = {
    **{f"status {status}": _status(status) for status in (202, 204, 206, 301, 302, 303, 307, 308, 400, 401, 403, 404, 405, 413, 499)},
    **{f"nothing with status {status}": _status(status, b"") for status in (200, 204, 400, 404)},
    "more than a megabyte": lambda reply: _append(reply, b" " * (1 << 20)),
    "a megabyte out of nothing": lambda reply: _zipped(reply, b" " * (2 << 20)),
    "broken compression": _half_zipped,
    "compressed by its header alone": lambda reply: reply.headers.update({"Content-Encoding": "gzip"}),
    "no UTF-8": lambda reply: _append(reply, b"\xff"),
}
_PASSING: dict[str, Callable[[Reply], None]] = {
    **{f"status {status}": _later(status, None) for status in (429, 500, 502, 503, 504, 599)},
    **{f"429 with Retry-After {after!r}": _later(429, after) for after in ("5", "99999999999", "-1", "soon", "1e3", "")},
    **{f"{error.__name__}": _fails(error) for error in (httpx2.ConnectError, httpx2.ReadTimeout, httpx2.ConnectTimeout, httpx2.ReadError)},
    "no HTTP": _fails(httpx2.RemoteProtocolError),
}
_HARMLESS: dict[str, Callable[[Reply], None]] = {
    "compressed": _zipped,
    "with a cookie": lambda reply: reply.headers.update({"Set-Cookie": "a=b; Domain=issuer.example", "Location": "https://evil.example/"}),
    "with white space": lambda reply: _append(reply, b"\r\n "),
}
