"""The catalogue, continued: providers without OpenID, with many tenants behind one address, and exchanges of tokens."""

from collections.abc import Callable, Iterator
from functools import partial

from tests.fuzz.answers import (
    ACCESS_TOKEN,
    BARE,
    EXCHANGES,
    ISSUER,
    OTHER_TENANT,
    SECOND_TENANT,
    TENANT,
    Case,
)
from tests.fuzz.changes import NEVER, NO_TEXT, Bend, Change, bent_text, member, rename, some_json, some_text, text_changes

PEOPLE, AGAIN = ("people",), ("people_again",)
TENANTS = ("tenants",)


def dialect_changes() -> Iterator[Change]:
    """Return what may be wrong, and what may not matter, where a provider speaks in its own way."""
    yield from _person()
    yield from _not_for_us()
    yield from _emails()
    yield from _words()
    yield from _tenants()
    yield from _issuers_of_keys()
    yield from _exchanges()


# -- plain OAuth 2.0: an answer over TLS names the person (RFC 6749 section 5.1; the profile says which member) -------------

_NOBODY: dict[str, object] = {
    **{label: value for label, value in NEVER.items() if label != "as 5"},
    "blank": "  \t",
    "negative": -7001,
    "with a fraction": 7001.5,
    "as a float": 7001.0,
    "too long": "a" * 256,
    "far too long": "a" * 20_000,
    "a long number": 10**255,
    "within": {"id": 7001, "username": "ana"},
}


def _person() -> Iterator[Change]:
    yield from text_changes("userinfo", PEOPLE)
    yield from member("userinfo", "id", "refused", _NOBODY, (*PEOPLE, *AGAIN))
    yield from member("userinfo", "id", "refused", {"of another": 7002, "another as text": "7002", "with a zero": "07001"}, AGAIN)
    yield from member("userinfo", "id", "refused", {**bent_text(lambda _: "7001 "), "cut": "700", "twice": "70017001"}, AGAIN)
    yield from member("userinfo", "id", "valid", {"as text": "7001"}, (*PEOPLE, *AGAIN))
    yield Change("userinfo.id misspelt", ("userinfo.id",), "refused", rename("userinfo", "id", "ID"), (*PEOPLE, *AGAIN))
    yield from member("token", "username", "refused", _NOBODY, ("named",))
    yield Change("token.username misspelt", ("token.username",), "refused", rename("token", "username", "Username"), ("named",))
    for label, subject in (
        ("1", 1),
        ("64 bits", 2**64),
        ("255 digits", 10**254),
        ("255 letters", "a" * 255),
        ("spaced", " ana "),
        ("é", "é"),
    ):
        for document, name, kinds in (("userinfo", "id", PEOPLE), ("token", "username", ("named",))):
            bend = partial(_is_called, document=document, name=name, subject=subject)
            yield Change(f"{document}.{name} is {label}", (f"{document}.{name}",), "valid", bend, kinds)


def _is_called(case: Case, document: str, name: str, subject: object) -> None:
    case.doc(document).members[name] = subject
    case.subject = str(subject)


def _not_for_us() -> Iterator[Change]:
    """What an answer without OpenID says beside the subject: it makes nobody else of the person, and no token a claim."""
    for name in ("sub", "iss", "aud", "sid", "exp", "nonce", "auth_time", "acr", "amr", "events", "_claim_sources", "_claim_names"):
        odd: dict[str, object] = {"comes": "bob", "of another": "https://evil.example", "whatever": lambda c: some_json(c.rng)}
        yield from member("userinfo", name, "valid", odd, (*PEOPLE, *AGAIN))
        yield from member("token", name, "valid", odd, BARE)
    for name in ("name", "login", "groups", "email", "email_verified"):
        yield from member("userinfo", name, "valid", {"gone": ..., "whatever": lambda c: some_json(c.rng)}, (*PEOPLE, *AGAIN))
    for name in ("user_first_name", "user", "claims", "userinfo"):
        yield from member("token", name, "valid", {"comes": lambda c: {"id": c.access}, "is a token": lambda c: c.access}, ("named",))
    stray: dict[str, object] = {"null": None, "empty": "", "comes": "x", "dots": "a.b.c", "of another login": lambda c: c.bob_jwt()}
    yield from member("token", "id_token", "valid", stray, BARE)
    yield from member("token", "id_token", "either", {**NO_TEXT, "huge": "x" * 70_000}, BARE)


# -- the list of addresses (GitHub's) --------------------------------------------------------------------------------------

_NO_LIST: dict[str, Callable[[bytes], bytes]] = {
    "is an object": lambda text: b'{"emails":' + text + b"}",
    "is its first entry": lambda text: text[1 : text.index(b"}") + 1],
    "is null": lambda _: b"null",
    "is true": lambda _: b"true",
    "is a number": lambda _: b"5",
    "is a text": lambda _: b'"ana@example.com"',
    "is empty": lambda _: b"",
    "is white space": lambda _: b" \r\n",
    "comes twice": lambda text: text + text,
    "has something behind it": lambda text: text + b"x",
    "lacks its end": lambda text: text[:-1],
    "has a comma too many": lambda text: text[:-1] + b",]",
    "has a comment": lambda text: b"[/* */" + text[1:],
    "has NaN": lambda text: b"[NaN," + text[1:],
    "has 1e999": lambda text: b"[1e999," + text[1:],
    "has an address twice in an entry": lambda text: text[:-2] + b',"email":"eve@example.com"}]',
    "is verified twice in an entry": lambda text: text[:-2] + b',"verified":true}]',
    "has half a surrogate pair": lambda text: b'["\\ud800",' + text[1:],
    "has bytes that are no UTF-8": lambda text: b'["\xff",' + text[1:],
    "begins with a byte order mark": lambda text: b"\xef\xbb\xbf" + text,
    "is nested too deep": lambda text: b"[" + b"[" * 30_000 + b"]" * 30_000 + b"," + text[1:],
    "is all brackets": lambda _: b"[" * 100_000,
}
_NO_LIST_AT_ALL = ("is an object", "is its first entry", "is null", "is true", "is a number", "is a text")
_LISTS: dict[str, tuple[list[object], tuple[str, bool | None]]] = {
    "is of nobody": ([], ("", None)),
    "has no primary": ([{"email": "eve@example.com", "primary": False, "verified": True}], ("", None)),
    "does not say which is primary": ([{"email": "eve@example.com", "verified": True}], ("", None)),
    "has a primary as a text": ([{"email": "eve@example.com", "primary": "true", "verified": True}], ("", None)),
    "has a primary as 1": ([{"email": "eve@example.com", "primary": 1, "verified": True}], ("", None)),
    "has texts": (["eve@example.com", None, 5, ["eve@example.com"]], ("", None)),
    "has odd addresses": ([{"email": odd, "primary": True, "verified": True} for odd in (None, 5, True, ["a@b"], {})], ("", None)),
    "has no address": ([{"primary": True, "verified": True}, {"Email": "eve@example.com", "primary": True}], ("", None)),
    "is not verified": ([{"email": "new@example.com", "primary": True, "verified": False}], ("new@example.com", False)),
    "does not say whether it is verified": ([{"email": "new@example.com", "primary": True}], ("new@example.com", False)),
    "is verified as a text": ([{"email": "new@example.com", "primary": True, "verified": "true"}], ("new@example.com", False)),
    "is verified as 1": ([{"email": "new@example.com", "primary": True, "verified": 1}], ("new@example.com", False)),
    "is another": ([5, None, {"email": "new@example.com", "primary": True, "verified": True, "x": {}}], ("new@example.com", True)),
}


def _emails() -> Iterator[Change]:
    for label, rewrite in _NO_LIST.items():
        bend = partial(lambda case, rewrite: case.emails.rewrites.append(rewrite), rewrite=rewrite)
        places = ("emails.kind", "emails") if label in _NO_LIST_AT_ALL else ("emails",)
        yield Change(f"emails {label}", places, "refused", bend, PEOPLE)
        yield Change(f"emails {label}", ("emails",), "valid", bend, AGAIN)  # then the address stays as it was
    yield Change("emails are cut", ("emails",), "refused", _cut_list, PEOPLE)
    for label, (entries, email) in _LISTS.items():
        alone = ("emails", "userinfo", "http.userinfo", "http.emails")
        yield Change(f"emails: it {label}", alone, "valid", partial(_has_addresses, entries=entries, email=email), (*PEOPLE, *AGAIN))
    yield Change("emails have others too", ("emails",), "valid", _other_addresses, (*PEOPLE, *AGAIN))


def _cut_list(case: Case) -> None:
    part = case.rng.random()
    case.emails.rewrites.append(lambda text: text[: int((len(text) - 1) * part)])


def _has_addresses(case: Case, entries: list[object], email: tuple[str, bool | None]) -> None:
    case.emails.members["entries"] = list(entries)
    case.email = email


def _other_addresses(case: Case) -> None:
    strange: list[object] = [{"email": some_text(case.rng), "primary": False, "verified": True}, some_json(case.rng), {"primary": None}]
    case.emails.members["entries"] = [*strange, *case.emails.members["entries"], *strange]


# -- its own words (errors with status 200, a scope with commas) -----------------------------------------------------------


def _words() -> Iterator[Change]:
    theirs = ("bad_verification_code", "incorrect_client_credentials", "redirect_uri_mismatch", "slow_down")
    yield from member("token", "error", "refused", {error: error for error in theirs}, (*PEOPLE, *AGAIN), group="theirs")
    yield from member("token", "scope", "valid", {"gone": ..., "null": None, "empty": ""}, PEOPLE)  # then it is what was asked for
    for label, scope, granted in (
        ("one", "read:user", {"read:user"}),
        ("spaced", "read:user user:email", {"read:user", "user:email"}),
        ("both", "user:email, read:user,", {"read:user", "user:email"}),
        ("more", "repo,user", {"repo", "user"}),
        ("only commas", ",,", set()),
    ):
        yield Change(
            f"token.scope with commas: {label}", ("token.scope",), "valid", partial(_granted, scope=scope, granted=granted), PEOPLE
        )


def _granted(case: Case, scope: str, granted: set[str]) -> None:
    case.token.members["scope"] = scope
    case.scope = granted


# -- many tenants behind one address ---------------------------------------------------------------------------------------


def _tenants() -> Iterator[Change]:
    never = {**NEVER, **bent_text(lambda _: TENANT), "in capitals": TENANT.upper(), "the gap": "{tenantid}", "a domain": "acme.example"}
    shapes = {"a path": "../8eaef023", "braces": f"{{{TENANT}}}", "without hyphens": TENANT.replace("-", ""), "the word common": "common"}
    yield from member("claims", "tid", "refused", {**never, **shapes}, TENANTS)
    wrong = {"of another": OTHER_TENANT, "of the other one that is let in": SECOND_TENANT}
    yield from member("claims", "tid", "refused", wrong, TENANTS, ("claims.iss",), group="mismatch")  # both together may be right
    both = ("claims.tid", "claims.iss")
    elsewhere: dict[str, object] = {
        "of the template": f"{ISSUER}/{{tenantid}}/v2.0",
        "of another tenant": f"{ISSUER}/{OTHER_TENANT}/v2.0",
        "of the other tenant that is let in": f"{ISSUER}/{SECOND_TENANT}/v2.0",
        "of the tenant at another": f"https://evil.example/{TENANT}/v2.0",
        "of another version": f"{ISSUER}/{TENANT}/v1.0",
        "with the tenant in capitals": f"{ISSUER}/{TENANT.upper()}/v2.0",
        "with a slash behind": f"{ISSUER}/{TENANT}/v2.0/",
    }
    yield from member("claims", "iss", "refused", elsewhere, TENANTS, group="tenant")
    for label, tid in (("odd", "common"), ("in capitals", TENANT.upper()), ("with a path", f"{TENANT}/../{TENANT}"), ("empty", "")):
        yield Change(f"claims of a tenant that is {label}", both, "refused", partial(_from_tenant, tenant=tid), TENANTS)
    alone = ("claims.tid.closed", *both, "jwks")
    yield Change("claims of a tenant that is not let in", alone, "refused", partial(_from_tenant, tenant=OTHER_TENANT), TENANTS)
    alone = (*both, "jwks")
    yield Change("claims of the other tenant that is let in", alone, "valid", partial(_from_tenant, tenant=SECOND_TENANT), TENANTS)
    others: dict[str, object] = {"of another": OTHER_TENANT, "whatever": lambda c: some_json(c.rng), "gone": ...}
    yield from member("userinfo", "tid", "valid", others, TENANTS)


def _from_tenant(case: Case, tenant: str) -> None:
    issuer = f"{ISSUER}/{tenant}/v2.0"
    case.jwt.claims.members |= {"tid": tenant, "iss": issuer}
    case.tenant, case.issuer = tenant, issuer


def _issuers_of_keys() -> Iterator[Change]:
    theirs: dict[str, object] = {
        "of another tenant": f"{ISSUER}/{OTHER_TENANT}/v2.0",
        "of the other tenant that is let in": f"{ISSUER}/{SECOND_TENANT}/v2.0",
        "with a slash": f"{ISSUER}/{TENANT}/v2.0/",
        "of another": "https://evil.example",
        "empty": "",
        "in a list": [f"{ISSUER}/{TENANT}/v2.0"],
        "a number": 5,
    }
    for label, issuer in theirs.items():
        bend = partial(_key_of, issuer=issuer)
        yield Change(
            f"jwks: our key is {label}", ("jwks.issuer", "jwks", "header.kid", "claims.iss", "claims.tid"), "refused", bend, TENANTS
        )
    for label, issuer in (("of the tenant", f"{ISSUER}/{TENANT}/v2.0"), ("of nobody", ...), ("of null", None)):
        yield Change(f"jwks: our key is {label}", ("jwks", "claims.iss", "claims.tid"), "valid", partial(_key_of, issuer=issuer), TENANTS)
    yield Change("jwks: the other keys are another tenant's", ("jwks",), "valid", _others_elsewhere, TENANTS)


def _key_of(case: Case, issuer: object) -> None:
    key = next(key for key in case.jwks.members["keys"] if key["kid"] == case.signer.kid)
    key.pop("issuer")
    if issuer is not ...:
        key["issuer"] = issuer


def _others_elsewhere(case: Case) -> None:
    for key in case.jwks.members["keys"]:
        if key["kid"] != case.signer.kid:
            key["issuer"] = f"{ISSUER}/{OTHER_TENANT}/v2.0"


# -- exchanges (RFC 8693 section 2.2.1) ------------------------------------------------------------------------------------


def _exchanges() -> Iterator[Change]:
    kinds = ("id_token", "refresh_token", "saml1", "saml2", "access", "access_tokens")
    others = {kind: f"urn:ietf:params:oauth:token-type:{kind}" for kind in kinds}
    wrong: dict[str, object] = {**NEVER, **bent_text(lambda _: ACCESS_TOKEN), **others, "the word": "access_token"}
    exchange, on_behalf = ("exchange",), ("on_behalf",)
    yield from member("token", "issued_token_type", "refused", wrong, exchange)
    spelt: Bend = rename("token", "issued_token_type", "issuedTokenType")
    yield Change("token.issued_token_type misspelt", ("token.issued_token_type",), "refused", spelt, exchange)
    yield from member("token", "issued_token_type", "valid", {"a JWT": "urn:ietf:params:oauth:token-type:jwt"}, EXCHANGES)
    yield from member("token", "issued_token_type", "valid", {"gone": ..., "whatever": lambda c: some_json(c.rng)}, on_behalf)
    yield from member("token", "token_type", "refused", {"N_A": "N_A"}, EXCHANGES)
    yield from member("token", "refresh_token", "valid", {"comes": lambda c: c.refresh}, EXCHANGES)
    for name in ("id_token", "sub", "username", "resource", "audience"):
        yield from member("token", name, "valid", {"null": None, "comes": "x"}, EXCHANGES)
    errors = {error: error for error in ("invalid_request", "invalid_target", "interaction_required", "invalid_scope")}
    yield from member("token", "error", "refused", errors, EXCHANGES, group="exchange")
