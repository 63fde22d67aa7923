import base64
import json

import pytest
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from hypothesis import given, strategies as st
from joserfc.jwk import ECKey

from st_auth.errors import ProviderError
from st_auth.oauth.algorithms import ALGORITHMS, KEY_TYPES
from st_auth.oauth.jwks import _Registry, _require_sound_modulus, judge_jwks, parse_jws, verified_payload
from st_auth.testing.fake_issuer import FakeIssuer


def an_issuer(algorithm="RS256"):
    issuer = FakeIssuer(serve=False)
    issuer.rotate(algorithm)
    return issuer


def keys_of(issuer, **changes):
    return [{**key.as_dict(private=False), **changes} for key in issuer.keys]


def verified(token, keys, algorithms=ALGORITHMS):
    return verified_payload(parse_jws(token, algorithms), judge_jwks({"keys": keys}))


def forged(header, payload=b"{}", signature=b"x"):
    parts = (header if isinstance(header, bytes) else json.dumps(header).encode(), payload, signature)
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)


def parameter_of(caught):
    assert caught.value.code == "protocol_violation"
    return caught.value.parameter


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_rp08_every_algorithm_of_the_list_verifies(algorithm):
    issuer = an_issuer(algorithm)

    assert verified(issuer.sign({"a": 1}), keys_of(issuer)) == b'{"a": 1}'


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_rp14_rp12_a_bad_signature_is_refused(algorithm):
    issuer = an_issuer(algorithm)
    head, _, signature = issuer.sign({"sub": "ana"}).split(".")
    other = issuer.sign({"sub": "bob"}).split(".")[1]

    with pytest.raises(ProviderError) as caught:
        verified(f"{head}.{other}.{signature}", keys_of(issuer))

    assert parameter_of(caught) == "signature"


@pytest.mark.parametrize(
    "header", [{"alg": "none"}, {"alg": "None"}, {"alg": "nOnE"}, {}, {"alg": None}, {"alg": ["RS256"]}, {"alg": "RS256 "}]
)
def test_rp07_f2_13_x09_no_signature_is_refused(header):
    with pytest.raises(ProviderError) as caught:
        parse_jws(forged(header), ALGORITHMS)

    assert parameter_of(caught) == "alg"


def test_x09_none_and_hmac_stay_refused_even_if_somebody_lists_them():
    for algorithm in ("none", "HS256"):
        with pytest.raises(ProviderError):
            parse_jws(forged({"alg": algorithm}), ("none", "HS256", "RS256"))


def test_x08_rp13_hmac_with_the_public_key_as_secret_is_refused():
    issuer = an_issuer()
    token = issuer.sign({"sub": "ana"}, {"alg": "HS256"}, issuer.keys[0].as_pem())

    with pytest.raises(ProviderError) as caught:
        verified(token, keys_of(issuer))

    assert parameter_of(caught) == "alg"


def test_f2_14_an_algorithm_that_is_not_the_providers_is_refused():
    issuer = an_issuer("ES256")

    with pytest.raises(ProviderError) as caught:
        verified(issuer.sign({}), keys_of(issuer), algorithms=("RS256",))

    assert parameter_of(caught) == "alg"


def test_a_key_of_another_algorithm_or_curve_does_not_fit():
    issuer = an_issuer("ES256")
    token = issuer.sign({})

    assert verified(token, keys_of(issuer, alg="ES384")) is None
    assert verified(token, keys_of(an_issuer("ES384"), kid=issuer.keys[0].kid)) is None
    assert verified(token, keys_of(an_issuer("RS256"), kid=issuer.keys[0].kid)) is None


@pytest.mark.parametrize(
    "header", [{"crit": ["exp"], "exp": 1}, {"crit": []}, {"crit": ["b64"], "b64": False}, {"b64": True}, {"zip": "DEF"}]
)
def test_x06_jwt01_critical_headers_and_other_encodings_are_refused(header):
    with pytest.raises(ProviderError) as caught:
        parse_jws(forged({"alg": "RS256", **header}), ALGORITHMS)

    assert parameter_of(caught) == "crit"


@pytest.mark.parametrize("typ", ["JWT", "jwt", "application/jwt"])
def test_a_typ_of_a_jwt_is_taken(typ):
    assert parse_jws(forged({"alg": "RS256", "typ": typ}), ALGORITHMS)


@pytest.mark.parametrize("typ", ["at+jwt", "logout+jwt", "", 5, ["JWT"]])
def test_jwt01_a_token_of_another_kind_is_refused(typ):
    with pytest.raises(ProviderError) as caught:
        parse_jws(forged({"alg": "RS256", "typ": typ}), ALGORITHMS)

    assert parameter_of(caught) == "typ"


def test_x07_keys_that_the_header_offers_are_not_used():
    attacker = ECKey.generate_key("P-256")
    offered = {"jwk": attacker.as_dict(private=False), "jku": "https://evil.example/", "x5u": "https://evil.example/", "x5c": ["MIIB"]}
    issuer = an_issuer("ES256")

    assert verified(issuer.sign({}, {**offered, "kid": None}, attacker), keys_of(issuer)) is None
    with pytest.raises(ProviderError) as caught:
        verified(issuer.sign({}, {**offered, "kid": issuer.keys[0].kid}, attacker), keys_of(issuer))

    assert parameter_of(caught) == "signature"


@pytest.mark.parametrize("kid", ["../../etc/passwd", "' OR 1=1 --", "k" * 10_000])
def test_x10_a_strange_kid_is_just_an_unknown_one(kid):
    issuer = an_issuer()

    assert verified(issuer.sign({}, {"kid": kid}), keys_of(issuer)) is None


@pytest.mark.parametrize("kid", [5, ["a"], {}])
def test_x10_a_kid_that_is_no_string_is_refused(kid):
    with pytest.raises(ProviderError) as caught:
        parse_jws(forged({"alg": "RS256", "kid": kid}), ALGORITHMS)

    assert parameter_of(caught) == "kid"


def test_rp18_without_kid_the_single_key_decides():
    issuer = an_issuer()

    assert verified(issuer.sign({}, {"kid": None}), keys_of(issuer)) == b"{}"


def test_rp18_without_kid_and_with_a_wrong_signature_newer_keys_may_help():
    assert verified(an_issuer("ES256").sign({}, {"kid": None}), keys_of(an_issuer("ES384"))) is None
    issuer = an_issuer()
    issuer.rotate()
    old = keys_of(issuer)
    issuer.calls["x"] += 1
    issuer.rotate()
    assert verified(issuer.sign({}, {"kid": None}), old) is None


def test_rp17_without_kid_several_keys_are_refused():
    issuer = an_issuer()
    issuer.rotate(keep=True)

    with pytest.raises(ProviderError) as caught:
        verified(issuer.sign({}, {"kid": None}), keys_of(issuer))

    assert parameter_of(caught) == "kid"


def test_x11_two_keys_of_one_kid_are_refused():
    issuer = an_issuer()

    with pytest.raises(ProviderError) as caught:
        verified(issuer.sign({}), keys_of(issuer) * 2)

    assert parameter_of(caught) == "kid"


@pytest.mark.parametrize(
    "change",
    [{"use": "enc"}, {"key_ops": ["sign"]}, {"key_ops": "verify"}, {"kty": "oct"}, {"kty": "AKP"}, {"d": "AQAB"}, {"k": "x"}, {"kid": 5}],
)
def test_x11_keys_that_are_not_for_signatures_or_not_public_are_ignored(change):
    issuer = an_issuer()

    assert judge_jwks({"keys": keys_of(issuer, **change)}) == ()
    assert len(judge_jwks({"keys": [*keys_of(issuer), *keys_of(issuer, **change), "no key", None]})) == 1


def test_a_key_that_says_it_verifies_is_used():
    issuer = an_issuer()

    assert verified(issuer.sign({}), keys_of(issuer, use="sig", key_ops=["verify"], alg="RS256", x5c=5)) == b"{}"


@pytest.mark.parametrize("document", [{}, {"keys": {}}, {"keys": "x"}, {"keys": [{}] * 101}])
def test_x11_a_key_set_that_is_no_list_or_too_long_is_refused(document):
    with pytest.raises(ProviderError) as caught:
        judge_jwks(document)

    assert parameter_of(caught) == "jwks.keys"


@pytest.mark.parametrize("n", ["AQAB", "A" * 342, "_" * 1400, 5, None, "***", "é"])
def test_x11_an_rsa_key_that_is_too_short_too_long_or_broken_verifies_nothing(n):
    issuer = an_issuer()

    with pytest.raises(ProviderError) as caught:
        verified(issuer.sign({}), keys_of(issuer, n=n))

    assert parameter_of(caught) == "signature"


@pytest.mark.parametrize("change", [{"x": "AA"}, {"x": 5}, {"y": None}])
def test_x11_a_curve_point_that_is_broken_verifies_nothing(change):
    issuer = an_issuer("ES256")

    with pytest.raises(ProviderError):
        verified(issuer.sign({}), keys_of(issuer, **change))


@pytest.mark.parametrize(
    "token",
    ["", ".", "..", "a.b", "a.b.c.d", "a.b.c", "a..c", "é.b.c", "e30.e30.e30", forged(b'{"alg":"RS256","alg":"RS256"}'), forged(b"[]")],
)
def test_what_is_no_compact_jws_is_refused(token):
    with pytest.raises(ProviderError):
        parse_jws(token, ALGORITHMS)


@given(
    st.text()
    | st.text("eyJhbGciOiJSUzI1NiJ9._-", max_size=80)
    | st.builds(
        forged, st.dictionaries(st.sampled_from(["alg", "kid", "typ", "crit"]), st.text() | st.integers() | st.just("RS256")), st.binary()
    )
)
def test_no_token_raises_anything_but_our_errors(token):
    issuer = FakeIssuer(serve=False)
    try:
        assert verified(token, keys_of(issuer)) is None
    except ProviderError as error:
        assert error.code == "protocol_violation"


JSON = st.recursive(
    st.none() | st.integers() | st.text(), lambda c: st.lists(c, max_size=3) | st.dictionaries(st.text(), c, max_size=3), max_leaves=4
)
KEY = st.dictionaries(
    st.sampled_from(["kty", "kid", "n", "e", "x", "y", "crv", "use", "alg", "key_ops"]),
    JSON | st.sampled_from(["RSA", "EC", "OKP", "AQAB", "P-256"]),
)


@given(st.lists(KEY | JSON, max_size=4), st.sampled_from(["RS256", "ES256", "EdDSA"]))
def test_no_key_set_raises_anything_but_our_errors(keys, algorithm):
    try:
        assert verified(forged({"alg": algorithm}), keys) is None
        assert verified(forged({"alg": algorithm}), [{**k, "kty": KEY_TYPES[algorithm]} for k in keys if isinstance(k, dict)]) is None
    except ProviderError as error:
        assert error.code == "protocol_violation"


def unpadded(value):
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


@pytest.mark.filterwarnings("ignore:.*key.*")
def test_x10_a_signature_by_an_rsa_key_that_is_too_short_is_refused_though_it_fits():
    key = rsa.generate_private_key(65537, 1024)
    signed = ".".join(unpadded(part) for part in (b'{"alg":"RS256","kid":"k"}', b"{}"))
    token = f"{signed}.{unpadded(key.sign(signed.encode(), padding.PKCS1v15(), SHA256()))}"
    numbers = key.public_key().public_numbers()
    jwk = {"kty": "RSA", "kid": "k", "n": unpadded(numbers.n.to_bytes(128)), "e": "AQAB"}

    with pytest.raises(ProviderError) as caught:
        verified(token, [jwk])

    assert parameter_of(caught) == "signature"


@pytest.mark.parametrize(("bits", "is_sound"), [(2047, False), (2048, True), (8192, True), (8193, False)])
def test_an_rsa_modulus_has_2048_to_8192_bits(bits, is_sound):
    n = 1 << (bits - 1) | 1
    key = {"kty": "RSA", "n": unpadded(n.to_bytes(-(-bits // 8)))}

    if is_sound:
        _require_sound_modulus(key)
    else:
        with pytest.raises(ValueError, match="RSA modulus"):
            _require_sound_modulus(key)
    _require_sound_modulus({**key, "kty": "EC"})


@pytest.mark.parametrize("stray", ["!", "%", "\n", "="])
def test_a_header_with_a_letter_that_is_no_base64url_is_refused(stray):
    head, claims, signature = an_issuer("ES256").sign({"a": 1}).split(".")

    with pytest.raises(ProviderError) as caught:
        parse_jws(f"{head[:8]}{stray}{head[8:]}.{claims}.{signature}", ALGORITHMS)

    assert parameter_of(caught) == "jwt.header"


def test_header_members_that_nobody_knows_are_ignored():
    issuer = an_issuer("ES256")

    assert verified(issuer.sign({"a": 1}, {"x_": {"y": [1]}, "jku": "http://127.0.0.1/"}), keys_of(issuer)) == b'{"a": 1}'


def test_a_hundred_keys_are_read_and_one_more_is_refused():
    junk = [{"kty": "EC", "kid": str(number)} for number in range(101)]

    assert len(judge_jwks({"keys": junk[:100]})) == 100
    with pytest.raises(ProviderError) as caught:
        judge_jwks({"keys": junk})
    assert parameter_of(caught) == "jwks.keys"


@pytest.mark.parametrize("name", "d p q dp dq qi oth k priv".split())  # noqa: SIM905  # one line says it
def test_a_key_that_shows_any_private_part_is_not_used(name):
    assert judge_jwks({"keys": [{"kty": "RSA", "n": "AQAB", "e": "AQAB", name: "AA"}]}) == ()


@pytest.mark.parametrize(("part", "longest"), [("header", 16 * 1024), ("payload", 64 * 1024), ("signature", 2 * 1024)])
def test_each_part_of_a_token_has_a_longest_length(part, longest):
    assert getattr(_Registry, f"max_{part}_length") == longest


def test_x09_a_token_of_long_certificates_and_many_groups_is_read_and_one_without_end_is_not():
    issuer = an_issuer("ES256")

    assert verified(issuer.sign({"groups": "x" * 45_000}, {"x5c": ["x" * 11_000]}), keys_of(issuer))
    for claims, header in (({"groups": "x" * 66_000}, {}), ({}, {"x5c": ["x" * 17_000]})):
        with pytest.raises(ProviderError) as caught:
            verified(issuer.sign(claims, header), keys_of(issuer))
        assert parameter_of(caught) == "signature"


@pytest.mark.parametrize("algorithm", ["EdDSA", "Ed25519"])
@pytest.mark.parametrize("curve", ["X25519", "Ed448", None])
def test_f2_13_a_key_on_another_curve_is_no_choice(algorithm, curve):
    issuer = an_issuer(algorithm)
    other = {**keys_of(issuer)[0], "kid": "other", "crv": curve}

    assert verified(issuer.sign({"a": 1}, {"kid": None}), [other, *keys_of(issuer)]) == b'{"a": 1}'
    assert verified(issuer.sign({"a": 1}, {"kid": None}), [other]) is None
