"""Every parser of what others send, by hypothesis: no exception but its own, and what it accepts means what was written.

The tests of each module have more of its own; here stand those that take whatever is valid and bend its text.
"""

import base64
import json
from datetime import timedelta
from urllib.parse import urlencode

import anyio
from hypothesis import HealthCheck, example, given, settings, strategies as st

from st_auth.errors import ConfigError, LoginRefused, ProviderError, StAuthError
from st_auth.keyring import Keyring
from st_auth.oauth.authorization import judge_response
from st_auth.oauth.id_token import claims_of
from st_auth.oauth.jwks import judge_jwks, parse_jws
from st_auth.oauth.logout_token import EVENT, addressed, judge_logout
from st_auth.oauth.metadata import Metadata, judge_metadata
from st_auth.oauth.pending import PendingLogin
from st_auth.oauth.profile import Provider, resolve
from st_auth.oauth.pushed import judge_pushed
from st_auth.oauth.strict_json import parse_object
from st_auth.oauth.tokens import judge_token_response
from st_auth.secret import Secret
from st_auth.sessions import parse_cookie
from st_auth.stores.memory import MemoryStore
from st_auth.vault import Vault, encode_base64url
from st_auth.web.asgi import read_form
from tests.oauth.given import METADATA, NOW, PENDING, a_provider, with_iss_advertised

AT = int(NOW.timestamp())
TEXTS = st.text(st.characters(codec="utf-8"))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=8,
)
OBJECTS = st.dictionaries(TEXTS, JSON, max_size=6)
INK = '{}[]":,\\u0d89 \t\n\0-+.eENaInfty1'  # what JSON is made of


@st.composite
def bent(draw, text):
    """A text with up to three of its characters replaced, taken out or followed by others."""
    whole = draw(text) if isinstance(text, st.SearchStrategy) else text
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(whole)))
        whole = whole[:at] + draw(st.text(INK, max_size=3)) + whole[at + draw(st.integers(0, 2)) :]
    return whole


def unpadded(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


@given(OBJECTS)
def test_any_json_object_is_read_as_json_writes_it(value):
    for text in (json.dumps(value), json.dumps(value, ensure_ascii=False), json.dumps(value, indent=2)):
        assert parse_object(text) == parse_object(text.encode()) == value


@given(bent(OBJECTS.map(json.dumps)))
@example('{"a":1,"\\u0061":2}')
@example('{"a":' + "[" * 5000 + "]" * 5000 + "}")
def test_x05_x14_a_bent_json_object_is_refused_or_read_as_any_other_reader_would(text):
    try:
        value = parse_object(text)
    except ValueError as error:
        assert str(error) == "not a strict JSON object"
        return
    assert value == json.loads(text)
    assert json.loads(json.dumps(value, allow_nan=False)) == value


@given(OBJECTS)
def test_claims_are_those_of_the_payload(claims):
    assert claims_of(json.dumps(claims).encode()) == claims


@given(st.binary() | bent(OBJECTS.map(json.dumps)).map(str.encode))
def test_a_payload_that_is_no_object_is_the_providers_fault(payload):
    try:
        assert isinstance(claims_of(payload), dict)
    except ProviderError as error:
        assert error.parameter == "jwt.claims"


HEADER = st.fixed_dictionaries(
    {"alg": st.sampled_from(["EdDSA", "ES256", "RS256", "none", "HS256"]) | JSON},
    optional={
        "kid": TEXTS | JSON,
        "typ": st.sampled_from(["JWT", "jwt", "application/jwt", "logout+jwt"]) | JSON,
        "crit": JSON,
        "x5c": JSON,
    },
)


@given(HEADER, st.sampled_from(["{}.e30.AA", "{}..AA", "{}.e30.", "{}.e30.AA.AA", "{}", ".{}.AA", "{}.é.AA"]))
def test_a_header_is_taken_for_what_it_says_or_refused(header, form):
    try:
        signed = parse_jws(form.format(unpadded(json.dumps(header).encode())), ("EdDSA", "ES256", "RS256"))
    except ProviderError as error:
        assert error.parameter in ("alg", "crit", "kid", "typ", "jwt", "jwt.header")
        return
    assert signed.algorithm == header["alg"] in ("EdDSA", "ES256", "RS256")
    assert signed.kid == header.get("kid")
    assert "crit" not in header
    assert form in ("{}.e30.AA", "{}.é.AA")


@given(bent(unpadded(b'{"alg":"EdDSA","kid":"k","typ":"JWT"}') + ".e30.AAAA"))
def test_a_bent_token_raises_nothing_but_our_error(compact):
    try:
        assert parse_jws(compact, ("EdDSA",)).algorithm == "EdDSA"
    except ProviderError as error:
        assert error.code == "protocol_violation"


KEY = st.fixed_dictionaries(
    {},
    optional={
        "kty": st.sampled_from(["RSA", "EC", "OKP", "oct"]) | JSON,
        "use": st.sampled_from(["sig", "enc"]) | JSON,
        "key_ops": st.lists(st.sampled_from(["verify", "sign"])) | JSON,
        "kid": TEXTS | JSON,
        "alg": TEXTS | JSON,
        "d": JSON,
        "k": JSON,
    },
)


@given(st.fixed_dictionaries({}, optional={"keys": st.lists(KEY | JSON, max_size=5) | JSON, "x": JSON}))
def test_no_document_makes_a_key_out_of_what_is_secret_or_for_something_else(document):
    try:
        keys = judge_jwks(document)
    except ProviderError as error:
        assert error.parameter == "jwks.keys"
        return
    assert all(key in document["keys"] for key in keys)
    assert not [key for key in keys if {"d", "k"} & key.keys() or key.get("use", "sig") != "sig" or key["kty"] not in ("RSA", "EC", "OKP")]


ISSUER = "https://issuer.example"
ENDPOINT = st.sampled_from([f"{ISSUER}/x", "https://other.example/y?z=1", "http://issuer.example", "http://127.0.0.1/", "", None]) | JSON
LISTS = st.lists(TEXTS, max_size=3) | JSON
OPTIONAL = ("userinfo_endpoint", "end_session_endpoint", "revocation_endpoint", "pushed_authorization_request_endpoint")


@given(
    st.fixed_dictionaries(
        {
            "issuer": st.just(ISSUER) | JSON,
            **dict.fromkeys(("authorization_endpoint", "token_endpoint", "jwks_uri"), st.just(f"{ISSUER}/e")),
        },
        optional={
            **dict.fromkeys(OPTIONAL, ENDPOINT),
            "token_endpoint_auth_methods_supported": LISTS,
            "require_pushed_authorization_requests": st.booleans() | JSON,
        },
    )
)
def test_metadata_that_is_accepted_is_what_the_document_says(document):
    try:
        metadata = judge_metadata(document, a_provider())
    except ProviderError as error:
        assert error.parameter in document
        return
    assert isinstance(metadata, Metadata)
    for name in ("issuer", "authorization_endpoint", "token_endpoint", "jwks_uri", *OPTIONAL):
        assert getattr(metadata, name) == document.get(name)
        assert document.get(name) is None or document[name].startswith("https://")
    assert metadata.require_pushed_authorization_requests is document.get("require_pushed_authorization_requests", False)


@given(
    st.lists(
        st.tuples(st.sampled_from(["state", "code", "iss", "error", "x"]), TEXTS | st.just(PENDING.state) | st.just(ISSUER)), max_size=6
    )
)
def test_a_response_is_accepted_only_with_one_state_one_code_and_the_issuer(pairs):
    try:
        grant = judge_response(urlencode(pairs), with_iss_advertised(), PENDING, NOW)
    except StAuthError as error:
        assert error.code
        return
    names = [name for name, _ in pairs]
    assert len(names) == len(set(names))
    assert (dict(pairs)["state"], dict(pairs)["iss"]) == (PENDING.state, ISSUER)
    assert grant.code.reveal() == dict(pairs)["code"] != ""
    assert not dict(pairs).get("error")


@given(TEXTS.filter(bool))
def test_a_code_arrives_as_it_was_sent(code):
    query = urlencode({"code": code, "state": PENDING.state})

    assert judge_response(query, METADATA, PENDING, NOW).code.reveal() == code


@given(bent(PENDING.to_json().decode()))
def test_a_bent_pending_login_is_a_value_error_or_one_of_right_types(text):
    try:
        pending = PendingLogin.from_json(text.encode())
    except ValueError as error:
        assert PENDING.nonce.reveal() not in str(error)
        return
    assert PendingLogin.from_json(pending.to_json()) == pending
    assert pending.state and pending.nonce and pending.code_verifier


PRINTABLE = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=50)


@given(PRINTABLE, st.none() | PRINTABLE, st.integers(1, 10**6), st.sampled_from(["Bearer", "bearer", "BEARER"]))
def test_tokens_arrive_as_they_were_sent(access, refresh, lifetime, kind):
    answer = {"access_token": access, "refresh_token": refresh, "token_type": kind, "expires_in": lifetime, "id_token": "a.b.c"}

    tokens = judge_token_response(200, answer, ("openid",), NOW)

    assert tokens.access_token.reveal() == access
    assert (tokens.refresh_token and tokens.refresh_token.reveal()) == refresh
    assert tokens.expires_at == NOW + timedelta(seconds=lifetime)


@given(st.fixed_dictionaries({}, optional=dict.fromkeys(("access_token", "token_type", "id_token", "expires_in", "scope", "error"), JSON)))
def test_no_token_response_raises_anything_but_our_errors(answer):
    try:
        judge_token_response(200, answer, ("openid",), NOW)
    except (ProviderError, LoginRefused) as error:
        assert error.code


@given(PRINTABLE, st.integers(1, 10**9) | st.floats(0.001, 10**9))
def test_a_request_uri_arrives_as_it_was_sent(uri, lifetime):
    assert judge_pushed(201, {"request_uri": uri, "expires_in": lifetime}) == uri


@given(TEXTS.filter(lambda text: 0 < len(text) <= 255), TEXTS.filter(bool), TEXTS.filter(bool), st.integers(-300, 60))
def test_a_logout_token_asks_for_what_its_claims_say(subject, sid, jti, age):
    claims = {
        "iss": ISSUER,
        "aud": ["app"],
        "sub": subject,
        "sid": sid,
        "jti": jti,
        "iat": AT + age,
        "exp": AT + 120,
        "events": {EVENT: {}},
    }

    logout = judge_logout(json.dumps(claims).encode(), ISSUER, "app", NOW)

    assert (logout.subject, logout.sid, logout.jti) == (subject, sid, jti)
    assert logout.expires_at > NOW


@given(TEXTS, st.lists(TEXTS | st.integers(), max_size=4) | TEXTS)
def test_a_logout_token_is_addressed_as_it_says(issuer, audience):
    header, claims = {"alg": "RS256", "typ": "logout+jwt"}, {"iss": issuer, "aud": audience}
    said = addressed(".".join([unpadded(json.dumps(header).encode()), unpadded(json.dumps(claims).encode()), "AA"]))

    texts = audience if isinstance(audience, list) else [audience]
    assert (said.issuer, said.audience) == (issuer, tuple(one for one in texts if isinstance(one, str)))


@given(bent(Secret("1" + encode_base64url(bytes(32))).reveal()) | TEXTS)
def test_a_session_cookie_has_one_spelling(text):
    raw = parse_cookie(Secret(text))

    assert raw is None or (raw.reveal().decode() == text and len(text) == 44 and text[0] == "1" and text.isascii())


@given(st.binary(max_size=400), st.data())
def test_a_bent_attempt_does_not_open(payload, data):
    vault = Vault(Keyring.from_secret("a secret that is only for this test"), MemoryStore())
    text = vault.seal_attempt(payload, expires_at=NOW + timedelta(minutes=10))
    other = data.draw(bent(text))

    assert vault.open_attempt(other, now=NOW) == (payload if other == text else None)


def form(body: bytes, pieces: int) -> dict[str, str]:
    size = max(1, -(-len(body) // pieces))
    messages = [{"type": "http.request", "body": body[at : at + size], "more_body": True} for at in range(0, len(body), size)]
    messages.append({"type": "http.request", "body": b"", "more_body": False})

    async def receive():
        return messages.pop(0)

    async def read():
        return await read_form(receive)

    return anyio.run(read)


SETTINGS = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@given(st.dictionaries(st.text("abc_", min_size=1), st.text(st.characters(codec="ascii"), min_size=1), max_size=5), st.integers(1, 4))
@SETTINGS
def test_a_form_arrives_as_it_was_sent_in_however_many_pieces(fields, pieces):
    assert form(urlencode(fields).encode(), pieces) == fields


@given(st.binary(max_size=300), st.integers(1, 3))
@SETTINGS
def test_no_form_raises_anything(body, pieces):
    assert all(isinstance(name, str) and isinstance(value, str) for name, value in form(body, pieces).items())


PROFILE = """name = "Acme"
source = "https://docs.example/"
checked = 2026-11-22
issuer = "https://{domain}/{tenant}"
parameters = { domain = "your domain", tenant = "your tenant" }
optional = ["tenant"]
scopes = ["openid"]
claims = { groups = "roles" }
algorithms = ["RS256"]
"""
_FIXED = 'name = "Acme"\nsource = "x"\nchecked = 2026-11-22\nscopes = ["openid"]\nissuer = "acme.example"\n'
VALUES = st.sampled_from(
    ['"x"', '"https://a.example"', '"{domain}"', '"{}"', '"://"', "5", "true", "[]", '["openid"]', '["x", 5]', "{}", "{a=1}", "2026-11-22"]
)


@st.composite
def profiles(draw):
    """A profile's file with the value of a line or two replaced, or bent as a text."""
    lines = PROFILE.splitlines()
    for _ in range(draw(st.integers(0, 2))):
        at = draw(st.integers(0, len(lines) - 1))
        lines[at] = f"{lines[at].partition('=')[0]}= {draw(VALUES)}"
    return draw(bent("\n".join(lines))) if draw(st.booleans()) else "\n".join(lines)


@given(profiles(), st.dictionaries(st.sampled_from(["domain", "tenant"]), st.sampled_from(["acme.example", "t1", "", "../x", "a b"])))
@example(_FIXED, {})
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_profile_raises_anything_but_a_config_error(tmp_path, text, values):
    file = tmp_path / "acme.toml"
    file.write_text(text, "utf-8")
    try:
        provider = resolve("acme", {"profile": str(file), "client_id": "app", "client_secret": "x", **values}, file="secrets.toml")
    except ConfigError as error:
        assert error.problems
        return
    assert isinstance(provider, Provider)
    assert provider.issuer and provider.issuer.startswith("https://")
    assert provider.scopes[0] == "openid"
