"""The catalogue, continued: changes to what is signed, which are ID tokens, logout tokens and userinfo as a JWT."""

import hmac
from collections.abc import Callable, Iterator
from functools import partial

from tests.fuzz.answers import AT, CLIENT_ID, EVENT, ISSUER, LOGINS, Case, Doc, Jwt, base64url
from tests.fuzz.changes import NEVER, NO_TEXT, Change, bent_text, member, rename, some_json, some_text, text_changes

SIGNED = (*LOGINS, "refresh", "logout")
TOKENS = (*LOGINS, "refresh")
LOGOUT = ("logout",)


def signed_changes() -> Iterator[Change]:
    """Return the changes to JWTs, whose verdict holds where they are signed again; where they are not, all are refused."""
    yield from _header("header", "jwt", SIGNED)
    yield from _header("uheader", "ujwt", ("signed",))
    yield from _compact("jwt", SIGNED, lambda case: case.jwt)
    yield from _compact("ujwt", ("signed",), lambda case: case.userinfo_jwt)
    yield from text_changes("claims", SIGNED)
    yield from _issuer_and_audience()
    yield from _times()
    yield from _of_a_login()
    yield from _of_a_logout()


# -- the header (RFC 7515 section 4, RFC 8725) ---------------------------------------------------------------------------


def _header(doc: str, jwt: str, kinds: tuple[str, ...]) -> Iterator[Change]:
    yield from text_changes(doc, kinds)
    algorithms = {
        "none": "none",
        "None": "None",
        "HS512": "HS512",
        "RS256": "RS256",
        "ES256K": "ES256K",
        "dir": "dir",
        "RSA-OAEP": "RSA-OAEP",
    }
    other = {"of the other key": lambda c: "ES256" if c.signer.algorithm == "EdDSA" else "EdDSA"}
    yield from member(doc, "alg", "refused", {**NEVER, **algorithms, **other, **bent_text(lambda c: c.signer.algorithm)}, kinds)
    paths = {"a path": "../../../../dev/null", "a query": "x' OR '1'='1", "of the RSA key": "r1", "unknown": "k"}
    of_other = {"of the other key": lambda c: "p1" if c.signer.kid == "e1" else "e1"}
    keyed = ("jwks",)
    yield from member(
        doc, "kid", "refused", {**NO_TEXT, "empty": "", **paths, **of_other, **bent_text(lambda c: c.signer.kid)}, kinds, keyed
    )
    yield from member(doc, "kid", "valid", {"gone": ...}, kinds, keyed)
    types = {"a logout token's": "logout+jwt"} if kinds != LOGOUT and "logout" not in kinds else {}
    yield from member(
        doc, "typ", "refused", {**NO_TEXT, "empty": "", "at+jwt": "at+jwt", "JOSE": "JOSE", "dpop": "dpop+jwt", **types}, kinds
    )
    logins = tuple(kind for kind in kinds if kind != "logout")
    yield from member(doc, "typ", "refused", {"a logout token's": "logout+jwt"}, logins)
    yield from member(doc, "typ", "valid", {"gone": ..., "small": "jwt", "long": "application/jwt"}, logins)
    if "logout" in kinds:
        yield from member(doc, "typ", "valid", {"gone": ..., "long": "application/logout+jwt"}, LOGOUT)
        yield from member(doc, "typ", "refused", {"an ID token's": "JWT"}, LOGOUT)
    critical = {"empty": [], "b64": ["b64"], "exp": ["exp"], "unknown": ["x"], "a text": "exp", "null": None}
    yield from member(doc, "crit", "refused", critical, kinds)
    yield from member(doc, "b64", "refused", {"false": False, "true": True}, kinds)
    yield from member(doc, "zip", "refused", {"DEF": "DEF"}, kinds)
    for name in ("jku", "x5u", "x5t", "cty"):
        yield from member(doc, name, "valid", {"an address": "http://127.0.0.1:9/jwks"}, kinds)
        yield from member(doc, name, "either", {"odd": 5, "whatever": lambda c: some_json(c.rng)}, kinds)
    yield from member(doc, "x5c", "valid", {"a certificate": ["MIIB"], "long": ["A" * 4000]}, kinds)
    yield from member(doc, "jwk", "valid", {"a stranger's": lambda c: c.keys.stranger["EdDSA"].jwk}, kinds)
    for name, value in (("jku", "https://evil.example/jwks"), ("jwk", None), ("x5u", "https://evil.example/x"), ("x5c", ["MIIB"])):
        bend = partial(_by_stranger, jwt=jwt, name=name, value=value)
        yield Change(f"{jwt} by a stranger who names {name}", (doc, jwt), "refused", bend, kinds)
    for length in (256, 384, 512):
        yield Change(f"{jwt} as HS{length} by the public key", (doc, jwt), "refused", partial(_by_public_key, jwt=jwt, bits=length), kinds)
    yield Change(f"{jwt} as HS256 by the client secret", (doc, jwt), "refused", partial(_by_secret, jwt=jwt), kinds)
    for kept in (True, False):
        yield Change(f"{jwt} with alg none, signature {kept}", (doc, jwt), "refused", partial(_unsigned, jwt=jwt, kept=kept), kinds)


def _of(case: Case, jwt: str) -> Jwt:
    found = case.jwt if jwt == "jwt" else case.userinfo_jwt
    assert found
    return found


def _by_stranger(case: Case, jwt: str, name: str, value: object) -> None:
    one, stranger = _of(case, jwt), case.keys.stranger[case.signer.algorithm]
    one.header.members[name] = stranger.jwk if name == "jwk" else value
    one.sign, one.resigned = stranger.sign, True


def _by_public_key(case: Case, jwt: str, bits: int) -> None:
    one = _of(case, jwt)
    one.header.members["alg"] = f"HS{bits}"
    one.sign, one.resigned = lambda text: hmac.digest(case.signer.raw, text, f"sha{bits}"), True


def _by_secret(case: Case, jwt: str) -> None:
    one = _of(case, jwt)
    one.header.members["alg"] = "HS256"
    one.sign, one.resigned = lambda text: hmac.digest(b"s3cret-of-app", text, "sha256"), True


def _unsigned(case: Case, jwt: str, kept: bool) -> None:
    one = _of(case, jwt)
    one.header.members["alg"] = case.rng.choice(["none", "NONE", "nOnE"])
    if not kept:
        one.rewrites.append(lambda compact: compact[: compact.rindex(b".") + 1])


# -- the compact form and the signature ----------------------------------------------------------------------------------


def _compact(jwt: str, kinds: tuple[str, ...], of: Callable[[Case], Jwt | None]) -> Iterator[Change]:
    def signature(bend: Callable[[Case, bytes], bytes]) -> Callable[[Case], None]:
        def bent(case: Case) -> None:
            one = of(case)
            assert one
            sign = one.sign
            one.sign = lambda text: bend(case, sign(text))

        return bent

    def compact(rewrite: Callable[[bytes], bytes]) -> Callable[[Case], None]:
        def bent(case: Case) -> None:
            one = of(case)
            assert one
            one.rewrites.append(rewrite)

        return bent

    for label, bend in _SIGNATURES.items():
        yield Change(f"{jwt} signature {label}", (jwt,), "refused", signature(bend), kinds)
    for label, rewrite in _COMPACT.items():
        yield Change(f"{jwt} {label}", (jwt,), "refused", compact(rewrite), kinds)
    yield Change(f"{jwt} is cut", (jwt,), "refused", lambda case: compact(_cut(case.rng.random()))(case), kinds)
    for stray in (b"!", b"\n", b" ", b"=", b"%", b"~", b"+", b"/"):
        bent = partial(_strayed, jwt=jwt, stray=stray)
        yield Change(f"{jwt} with a stray {stray!r}", (jwt,), "refused", bent, kinds)
    spoilt = compact(lambda text: text.replace(b".", b".!", 1))
    yield Change(f"{jwt} with claims that are no base64url", (f"{jwt}.claims",), "refused", spoilt, kinds)
    yield Change(f"{jwt} with padding", (jwt,), "either", compact(lambda text: text + b"=="), kinds)
    if jwt == "jwt":
        yield Change("jwt of another login", (jwt, "header", "claims"), "refused", _swap_all, LOGINS)
        yield Change("jwt with another's claims", (jwt, "header", "claims"), "refused", _swap_claims, TOKENS)
        yield Change("jwt with other letters", (jwt,), "refused", _letters, LOGOUT)


def _flipped(case: Case, signature: bytes) -> bytes:
    at, bit = case.rng.randrange(len(signature)), 1 << case.rng.randrange(8)
    return signature[:at] + bytes([signature[at] ^ bit]) + signature[at + 1 :]


_SIGNATURES: dict[str, Callable[[Case, bytes], bytes]] = {
    "with a bit flipped": _flipped,
    "with another bit flipped": _flipped,
    "of zeros": lambda _, signature: bytes(len(signature)),
    "of ones": lambda _, signature: b"\xff" * len(signature),
    "cut": lambda case, signature: signature[: case.rng.randrange(1, len(signature))],
    "too long": lambda _, signature: signature + b"\0",
    "far too long": lambda _, signature: signature * 50,
    "the wrong way round": lambda _, signature: signature[::-1],
    "by a stranger": lambda case, signature: case.keys.stranger[case.signer.algorithm].sign(b"x" + signature),
    "of something else": lambda case, _: case.signer.sign(b"something else"),
}
_COMPACT: dict[str, Callable[[bytes], bytes]] = {
    "without signature": lambda text: text[: text.rindex(b".") + 1],
    "in two parts": lambda text: text[: text.rindex(b".")],
    "in four parts": lambda text: text + b".AAAA",
    "in five parts": lambda text: text + b".AAAA.AAAA",
    "with a dot before": lambda text: b"." + text,
    "with a dot behind": lambda text: text + b".",
    "without header": lambda text: text[text.index(b".") :],
    "without claims": lambda text: text[: text.index(b".")] + b"." + text[text.rindex(b".") :],
    "as JSON": lambda text: b'{"payload":"' + text + b'"}',
    "behind a word": lambda text: b"Bearer" + text,
    "with commas": lambda text: text.replace(b".", b","),
    "in capitals": bytes.upper,
    "in reverse": lambda text: text[::-1],
    "of only dots": lambda _: b"..",
    "of nothing": lambda _: b"x.y.z",
    "of brackets": lambda _: base64url(b"[" * 12_000) + b".e30.AAAA",
    "with a huge header": lambda text: base64url(b'{"alg":"EdDSA","x":"' + b"x" * 20_000 + b'"}') + text[text.index(b".") :],
}


def _cut(part: float) -> Callable[[bytes], bytes]:
    return lambda text: text[: int((len(text) - 3) * part)]


def _strayed(case: Case, jwt: str, stray: bytes) -> None:
    """Put a character into a segment that base64url does not know; decoders that skip it would read what was signed."""
    which, part = case.rng.randrange(3), case.rng.random()

    def rewrite(compact: bytes) -> bytes:
        segments = compact.split(b".")
        if which < len(segments):
            at = 1 + int((len(segments[which]) - 2) * part)
            segments[which] = segments[which][:at] + stray + segments[which][at:]
        return b".".join(segments)

    _of(case, jwt).rewrites.append(rewrite)


def _swap_all(case: Case) -> None:
    case.token.members["id_token"] = case.bob_jwt()


def _swap_claims(case: Case) -> None:
    """Another login's header and claims before this one's signature."""
    theirs = case.bob_jwt().encode()
    case.jwt.rewrites.append(lambda text: theirs[: theirs.rindex(b".")] + text[text.rindex(b".") :])


def _letters(case: Case) -> None:
    letter, part = case.rng.choice(["\u00e9", "\u0430", "\U0001f600", "\0"]).encode(), case.rng.random()
    case.jwt.rewrites.append(lambda text: text[: int(len(text) * part)] + letter + text[int(len(text) * part) :])


# -- claims of any JWT ---------------------------------------------------------------------------------------------------


def _issuer_and_audience() -> Iterator[Change]:
    elsewhere = {
        "of another": "https://evil.example",
        "with a slash": f"{ISSUER}/",
        "http": ISSUER.replace("https", "http"),
        "in a list": [ISSUER],
    }
    yield from member("claims", "iss", "refused", {**NEVER, **elsewhere, **bent_text(lambda _: ISSUER)}, SIGNED)
    for name in ("iss", "aud", "exp", "iat"):
        yield Change(f"claims.{name} misspelt", (f"claims.{name}",), "refused", rename("claims", name, name.upper()), SIGNED)
    both = ("claims.azp",)
    others: dict[str, object] = {
        "of another": "other",
        "a list of another": ["other"],
        "two in one": f"{CLIENT_ID} other",
        "a list in a list": [[CLIENT_ID]],
    }
    yield from member("claims", "aud", "refused", {**NEVER, **others, **bent_text(lambda _: CLIENT_ID)}, SIGNED, both)
    unauthorized = {
        "for two": [CLIENT_ID, "other"],
        "for another and us": ["other", CLIENT_ID],
        "for us and 5": [CLIENT_ID, 5],
        "for null": [None, CLIENT_ID],
    }
    yield from member("claims", "aud", "refused", unauthorized, SIGNED, both, group="others")
    yield from member("claims", "aud", "valid", {"in a list": [CLIENT_ID]}, SIGNED, both)
    parties = {**NO_TEXT, "empty": "", "of another": "other", "in a list": [CLIENT_ID], **bent_text(lambda _: CLIENT_ID)}
    yield from member("claims", "azp", "refused", parties, SIGNED, ("claims.aud",))
    yield from member("claims", "azp", "valid", {"ours": CLIENT_ID}, SIGNED, ("claims.aud",))
    for azp, verdict in ((CLIENT_ID, "valid"), ("other", "refused"), ("", "refused")):
        bend = partial(_for_two, azp=azp)
        yield Change(f"claims.aud for two, azp {azp!r}", ("claims.aud", "claims.azp"), verdict, bend, SIGNED)


def _for_two(case: Case, azp: str) -> None:
    case.jwt.claims.members |= {"aud": [CLIENT_ID, "other"], "azp": azp}


_NO_NUMBER: dict[str, object] = {
    "true": True,
    "false": False,
    "a text": "soon",
    "empty": "",
    "a list": [AT],
    "an object": {"": AT},
    "a text of digits": str(AT),
}


def _times() -> Iterator[Change]:
    never = {"gone": ..., "null": None, **_NO_NUMBER}
    past: dict[str, object] = {
        "a minute ago": AT - 60,
        "an hour ago": AT - 3600,
        "0": 0,
        "negative": -1,
        "far back": -(10**300),
        "in a float": AT - 60.5,
    }
    yield from member("claims", "exp", "refused", never, SIGNED)
    yield from member("claims", "exp", "refused", past, SIGNED, group="past")
    yield from member(
        "claims", "exp", "valid", {"just not over": AT - 59, "in a year": AT + 31_536_000, "with a fraction": AT + 0.5}, SIGNED
    )
    yield from member("claims", "exp", "either", {"huge": 10**300, "1e308": 1e308, "in milliseconds": AT * 1000}, SIGNED)
    old = 660
    future: dict[str, object] = {
        "in 61 s": AT + 61,
        "in a year": AT + 31_536_000,
        "in milliseconds": AT * 1000,
        "huge": 10**300,
        "1e308": 1e308,
    }
    yield from member("claims", "iat", "refused", never, SIGNED)
    yield from member("claims", "iat", "refused", future, SIGNED, group="future")
    stale: dict[str, object] = {"0": 0, "negative": -5, "a day old": AT - 86_400, "11 minutes and a second old": AT - old - 1}
    yield from member("claims", "iat", "refused", stale, SIGNED, group="stale")
    yield from member("claims", "iat", "valid", {"11 minutes old": AT - old, "10 minutes old": AT - 600}, TOKENS)
    yield from member("claims", "iat", "refused", {"11 minutes old": AT - old, "6 minutes and a second old": AT - 361}, LOGOUT)
    yield from member("claims", "iat", "valid", {"in a minute": AT + 60, "5 minutes old": AT - 300, "with a fraction": AT - 0.5}, SIGNED)
    yield from member("claims", "nbf", "refused", _NO_NUMBER, SIGNED)
    yield from member("claims", "nbf", "refused", future, SIGNED, group="future")
    yield from member(
        "claims", "nbf", "valid", {"in a minute": AT + 60, "now": AT, "0": 0, "negative": -1, "with a fraction": AT - 1.5}, SIGNED
    )


# -- claims of ID tokens (OpenID Connect Core 1.0 sections 2 and 3.1.3.7) ------------------------------------------------


def _of_a_login() -> Iterator[Change]:
    for name in ("at_hash", "c_hash"):
        kinds = TOKENS if name == "at_hash" else LOGINS
        also = ("token.access_token",) if name == "at_hash" else ()
        right = partial(_right_hash, name=name)
        other = {
            "of something else": lambda c: c.signer.half_hash("x"),
            "unshortened": lambda c: c.signer.half_hash("x") * 2,
            "padded": lambda c, r=right: r(c) + "=",
        }
        yield from member("claims", name, "refused", {**NO_TEXT, "empty": "", **other, **bent_text(right)}, kinds, also)
        yield from member("claims", name, "valid", {"gone": ...}, kinds, also)
    nonces = {**NEVER, "of another login": lambda c: c.bob_nonce, "the state": lambda c: c.state, **bent_text(lambda c: c.nonce)}
    yield from member("claims", "nonce", "refused", nonces, LOGINS)
    yield Change("claims.nonce misspelt", ("claims.nonce",), "refused", rename("claims", "nonce", "Nonce"), LOGINS)
    yield from member("claims", "nonce", "valid", {"comes": "x", "odd": 5, "whatever": lambda c: some_json(c.rng)}, ("refresh",))
    subject = {**NEVER, "of another": "bob", **bent_text(lambda _: "ana")}
    about = ("userinfo", "metadata.userinfo_endpoint", "http.userinfo", "ujwt", "uheader")
    yield from member("claims", "sub", "refused", subject, TOKENS, about)
    yield from member("claims", "sub", "refused", {**NEVER, "too long": "a" * 256}, LOGINS, about, group="none")
    login = {"other": AT - 500, "as text": str(AT - 5), "true": True, "in a list": [AT - 5], "0": 0}
    yield from member("claims", "auth_time", "valid", login, ("refresh",))  # what counts is the login of this browser
    yield from member("claims", "auth_time", "valid", {"gone": ...}, ("refresh",))
    strong = ("strong",)
    long_ago = {"gone": ..., "null": None, **_NO_NUMBER, "too long ago": AT - 361, "in 61 s": AT + 61, "0": 0, "in milliseconds": AT * 1000}
    yield from member("claims", "auth_time", "refused", long_ago, strong)
    yield from member("claims", "auth_time", "valid", {"just in time": AT - 360, "in a minute": AT + 60, "a fraction": AT - 1.5}, strong)
    yield from member("claims", "acr", "refused", {**NEVER, "weak": "bronze", "both": "gold silver", **bent_text(lambda _: "gold")}, strong)
    yield from member("claims", "acr", "valid", {"the other": "silver"}, strong)
    relaxed = tuple(kind for kind in LOGINS if kind != "strong")
    for name in ("auth_time", "acr"):
        yield from member("claims", name, "either", {"gone": ..., "whatever": lambda c: some_json(c.rng)}, relaxed)
    for name in ("sid", "email", "name", "email_verified", "groups", "preferred_username", "amr", "jti", "_claim_sources", "_claim_names"):
        yield from member("claims", name, "either", {"whatever": lambda c: some_json(c.rng), "text": lambda c: some_text(c.rng)}, TOKENS)
        yield from member("claims", name, "valid", {"gone": ..., "long": "x" * 3000}, TOKENS)


def _right_hash(case: Case, name: str) -> str:
    return case.signer.half_hash(case.access if name == "at_hash" else case.code)


# -- claims of logout tokens (OpenID Connect Back-Channel Logout 1.0 sections 2.4 and 2.6) -------------------------------


def _of_a_logout() -> Iterator[Change]:
    yield from member("claims", "events", "refused", {**NEVER, "the name alone": EVENT, "in a list": [EVENT], "an empty one": {}}, LOGOUT)
    within = {"null": None, "true": True, "a text": "", "a list": [], "a number": 5}
    yield from member(
        "claims", "events", "refused", {f"with {label}": {EVENT: value} for label, value in within.items()}, LOGOUT, group="within"
    )
    wrong = {
        "of another event": {f"{EVENT}2": {}},
        "https": {EVENT.replace("http", "https"): {}},
        "in capitals": {EVENT.upper(): {}},
        "spaced": {f"{EVENT} ": {}},
    }
    yield from member("claims", "events", "refused", wrong, LOGOUT)
    yield from member(
        "claims", "events", "valid", {"and more": {EVENT: {"x": 1}, "urn:x": {}}, "with a reason": {EVENT: {"reason": "x"}}}, LOGOUT
    )
    yield from member(
        "claims",
        "nonce",
        "refused",
        {"comes": "x", "null": None, "empty": "", "false": False, "whatever": lambda c: some_json(c.rng)},
        LOGOUT,
    )
    yield from member("claims", "jti", "refused", NEVER, LOGOUT)
    yield from member("claims", "jti", "refused", {"gone": ...}, LOGOUT, group="gone")
    for name in ("sub", "sid"):
        other = "sid" if name == "sub" else "sub"
        yield from member("claims", name, "refused", {"null": None, "empty": "", **NO_TEXT}, LOGOUT, (f"claims.{other}",))
        yield from member("claims", name, "valid", {"gone": ...}, LOGOUT, (f"claims.{other}",))
    yield Change("claims name nobody", ("claims.sub.nobody", "claims.sub", "claims.sid"), "refused", _of_nobody, LOGOUT)
    yield from member(
        "claims", "sub", "refused", {"too long": "a" * 256, "far too long": "a" * 20_000}, LOGOUT, ("claims.sid",), group="long"
    )
    yield from member("claims", "x_", "valid", {"comes": 1}, LOGOUT)
    yield Change("an ID token as a logout token", ("claims", "header"), "refused", _as_id_token, LOGOUT)


def _of_nobody(case: Case) -> None:
    for name in ("sub", "sid"):
        case.jwt.claims.members.pop(name)


def _as_id_token(case: Case) -> None:
    times = {"iat": AT, "exp": AT + 300}
    case.jwt.claims.members = Doc(iss=ISSUER, sub="ana", aud=CLIENT_ID, nonce=case.nonce, sid="s1", **times).members
    case.jwt.header.members.pop("typ")
