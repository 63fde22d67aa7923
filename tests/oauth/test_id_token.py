import base64
import hashlib
import json

import pytest
from hypothesis import given, strategies as st

from st_auth.errors import ProviderError
from st_auth.oauth.id_token import (
    MOMENT,
    SUBJECT_LIMIT,
    Expectation,
    Identity,
    is_usable,
    judge_claims,
    judge_refreshed_claims,
    judge_userinfo,
    merged,
)
from st_auth.secret import Secret
from tests.oauth.given import NOW

AT = int(NOW.timestamp())
CLAIMS = {"iss": "https://issuer.example", "sub": "ana", "aud": "app", "exp": AT + 300, "iat": AT, "nonce": "n0nce"}


def expectation(**changes):
    known = {
        "issuer": "https://issuer.example",
        "client_id": "app",
        "nonce": Secret("n0nce"),
        "algorithm": "RS256",
        "access_token": Secret("acc3ss"),
        "code": Secret("c0de"),
        "max_age": None,
    }
    return Expectation(**{**known, **changes})


def judge(expected=None, **changes):
    claims = {name: value for name, value in {**CLAIMS, **changes}.items() if value is not ...}
    return judge_claims(json.dumps(claims).encode(), expected or expectation(), NOW)


def refused_for(expected=None, **changes):
    with pytest.raises(ProviderError) as caught:
        judge(expected, **changes)
    assert caught.value.code == "protocol_violation"
    return caught.value.parameter


def half_hash(value, digest="sha256"):
    whole = hashlib.new(digest, value.encode()).digest()
    return base64.urlsafe_b64encode(whole[: len(whole) // 2]).rstrip(b"=").decode()


def test_rp02_claims_that_are_right_come_back_in_their_order():
    assert list(judge(name="Ana")) == [*CLAIMS, "name"]


@pytest.mark.parametrize("iss", ["https://issuer.example/", "https://other.example", "", ..., None, 5, ["https://issuer.example"]])
def test_rp15_f2_07_an_id_token_of_another_issuer_is_refused(iss):
    assert refused_for(iss=iss) == "iss"


@pytest.mark.parametrize("aud", ["other", ["other"], [], ..., None, "", 5, {"app": 1}, "app "])
def test_rp10_rp20_f2_08_an_id_token_for_another_client_is_refused(aud):
    assert refused_for(aud=aud) == "aud"


def test_f2_10_an_audience_as_a_list_is_taken():
    assert judge(aud=["app"])["aud"] == ["app"]


@pytest.mark.parametrize("aud", [["app", "other"], ["other", "app"], ["app", 5], ["app", None]])
def test_f2_09_a_second_audience_needs_an_authorized_party(aud):
    assert refused_for(aud=aud) == "azp"
    assert judge(aud=aud, azp="app")


@pytest.mark.parametrize("azp", ["other", "", 5, ["app"]])
@pytest.mark.parametrize("aud", ["app", ["app", "other"]])
def test_another_authorized_party_is_refused(azp, aud):
    assert refused_for(azp=azp, aud=aud) == "azp"


@pytest.mark.parametrize("sub", [..., None, "", 5, ["ana"], "x" * 256])
def test_rp23_an_id_token_without_subject_is_refused(sub):
    assert refused_for(sub=sub) == "sub"


@pytest.mark.parametrize("name", ["exp", "iat"])
@pytest.mark.parametrize("value", [..., None, True, "1", str(AT), [], {}])
def test_rp22_f2_11_times_are_required_and_numbers(name, value):
    assert refused_for(**{name: value}) == name


def test_x01_f2_11_an_id_token_may_have_ended_a_minute_ago_and_not_more():
    assert judge(exp=AT - 59)
    assert refused_for(exp=AT - 60) == "exp"
    assert refused_for(exp=AT - 301) == "exp"
    assert refused_for(exp=-(10**400)) == "exp"


def test_x03_an_id_token_may_be_issued_in_a_minute_and_not_later():
    assert judge(iat=AT + 60)
    assert refused_for(iat=AT + 61) == "iat"


def test_x04_an_id_token_is_at_most_ten_minutes_old():
    assert judge(iat=AT - 660)
    assert refused_for(iat=AT - 661) == "iat"
    assert refused_for(iat=AT - 7 * 86_400) == "iat"


def test_x02_an_id_token_that_is_not_valid_yet_is_refused():
    assert judge(nbf=AT + 60)
    assert refused_for(nbf=AT + 61) == "nbf"
    assert refused_for(nbf="now") == "nbf"


@pytest.mark.parametrize("nonce", [..., None, "", "other", 5, "n0nce ", "ñ"])
def test_rp26_rp25_f2_12_another_nonce_is_refused(nonce):
    assert refused_for(nonce=nonce) == "nonce"


@pytest.mark.parametrize(
    ("algorithm", "digest"), [("RS256", "sha256"), ("PS384", "sha384"), ("ES512", "sha512"), ("EdDSA", "sha512"), ("Ed25519", "sha512")]
)
def test_at_hash_and_c_hash_follow_the_signatures_digest(algorithm, digest):
    assert judge(expectation(algorithm=algorithm), at_hash=half_hash("acc3ss", digest), c_hash=half_hash("c0de", digest))


@pytest.mark.parametrize("value", ["", "x", 5, "é", half_hash("other"), half_hash("acc3ss") + "="])
def test_rp09_rp11_a_wrong_hash_is_refused(value):
    assert refused_for(at_hash=value) == "at_hash"
    assert refused_for(c_hash=value) == "c_hash"


def test_a_hash_is_compared_whole_whatever_letter_it_ends_in():
    """Half of SHA-384 is 32 letters without padding, so that any of the 64 may come last."""
    for token in map(str, range(400)):
        assert judge(expectation(algorithm="ES384", access_token=Secret(token)), at_hash=half_hash(token, "sha384"))


def test_without_a_code_c_hash_says_nothing():
    assert judge(expectation(code=None), c_hash="x")


def test_x25_a_max_age_that_was_asked_for_is_held():
    asked = expectation(max_age=300)

    assert judge(asked, auth_time=AT - 300)
    assert judge(asked, auth_time=AT - 360)
    assert judge(asked, auth_time=AT + 60)
    assert refused_for(asked, auth_time=AT - 361) == "auth_time"
    assert refused_for(asked, auth_time=AT + 61) == "auth_time"
    assert refused_for(asked) == "auth_time"
    assert refused_for(asked, auth_time=True) == "auth_time"
    assert refused_for(expectation(max_age=0), auth_time=AT - 61) == "auth_time"


def test_x25_an_acr_that_was_asked_for_is_held():
    asked = expectation(acr=("urn:acme:gold", "urn:acme:silver"))

    assert judge(asked, acr="urn:acme:silver")
    for weaker in (
        {},
        {"acr": "urn:acme:bronze"},
        {"acr": ""},
        {"acr": None},
        {"acr": ["urn:acme:gold"]},
        {"acr": "urn:acme:gold urn:acme:silver"},
    ):
        assert refused_for(asked, **weaker) == "acr"
    assert judge(expectation(), acr="urn:acme:bronze")


@pytest.mark.parametrize("payload", [b"", b"[]", b'{"sub":"ana","sub":"bob"}', b'{"exp": NaN}', b"\xff"])
def test_x05_claims_that_are_no_strict_object_are_refused(payload):
    with pytest.raises(ProviderError) as caught:
        judge_claims(payload, expectation(), NOW)

    assert caught.value.parameter == "jwt.claims"


def test_rp03_rp05_aggregated_and_distributed_claims_are_dropped():
    names = {"_claim_names": {"groups": "src"}, "_claim_sources": {"src": {"endpoint": "https://evil.example/"}}}

    assert judge(**names) == CLAIMS
    assert judge_userinfo({"sub": "ana", **names}, "ana") == {"sub": "ana"}


@pytest.mark.parametrize("sub", ["bob", "", None, 5, "ana "])
def test_rp16_userinfo_about_somebody_else_is_refused(sub):
    with pytest.raises(ProviderError) as caught:
        judge_userinfo({"sub": sub, "name": "Bob"}, "ana")

    assert caught.value.parameter == "userinfo.sub"


def test_rp32_userinfo_adds_claims_and_replaces_none():
    userinfo = {"sub": "bob", "name": "Other", "email": "ana@example.com", "sid": "x", "acr": "high", "auth_time": 1}

    assert merged({"sub": "ana", "name": "Ana"}, userinfo) == {"sub": "ana", "name": "Ana", "email": "ana@example.com"}


@pytest.mark.parametrize(
    "name",
    [
        "iss",
        "sub",
        "aud",
        "exp",
        "iat",
        "nbf",
        "jti",
        "auth_time",
        "nonce",
        "acr",
        "amr",
        "azp",
        "at_hash",
        "c_hash",
        "s_hash",
        "sid",
        "events",
    ],
)
def test_rp32_userinfo_says_nothing_about_the_protocol(name):
    assert merged({"name": "Ana"}, {name: "x", "email": "ana@example.com"}) == {"name": "Ana", "email": "ana@example.com"}


def test_a_subject_of_255_characters_is_the_longest():
    assert judge(sub="a" * SUBJECT_LIMIT)["sub"] == "a" * 255
    assert judge(sub="a")["sub"] == "a"


WHO = Identity("https://issuer.example", "app", "ana")


def refreshed(who=WHO, **changes):
    claims = {name: value for name, value in {**CLAIMS, "auth_time": AT - 5, **changes}.items() if value is not ...}
    return judge_refreshed_claims(json.dumps(claims).encode(), who, access_token=Secret("acc3ss"), algorithm="RS256", now=NOW)


def refreshed_is_refused_for(who=WHO, **changes):
    with pytest.raises(ProviderError) as caught:
        refreshed(who, **changes)
    assert caught.value.code == "protocol_violation"
    return caught.value.parameter


def test_rp27_claims_that_come_with_a_refresh_are_taken_in_their_order_without_those_of_others():
    names = {"_claim_names": {"x": "s"}, "_claim_sources": {"s": {}}}

    assert list(refreshed(name="Ana", **names)) == [*(name for name in CLAIMS if name != "nonce"), "name"]


@pytest.mark.parametrize("iss", ["https://issuer.example/", "https://other.example", "", ..., None, 5])
def test_rp28_a_refresh_that_brings_an_id_token_of_another_issuer_is_refused(iss):
    assert refreshed_is_refused_for(iss=iss) == "iss"


@pytest.mark.parametrize("sub", ["bob", "Ana", "ana ", "", ..., None, 5])
def test_rp29_a_refresh_that_brings_an_id_token_about_somebody_else_is_refused(sub):
    assert refreshed_is_refused_for(sub=sub) == "sub"


@pytest.mark.parametrize(
    ("changes", "parameter"),
    [
        ({"aud": "other"}, "aud"),
        ({"aud": ["app", "other"]}, "azp"),
        ({"exp": AT - 60}, "exp"),
        ({"iat": AT - 661}, "iat"),
        ({"nbf": AT + 61}, "nbf"),
        ({"at_hash": half_hash("another")}, "at_hash"),
    ],
)
def test_a_refreshed_id_token_is_held_to_audience_time_and_access_token_like_any_other(changes, parameter):
    assert refreshed_is_refused_for(**changes) == parameter


def test_a_refreshed_id_token_needs_no_nonce_and_may_be_ten_minutes_old():
    assert refreshed(nonce=..., iat=AT - 660)
    assert refreshed(nonce="another", at_hash=half_hash("acc3ss"))


@pytest.mark.parametrize("auth_time", [AT - 6, AT, 0, str(AT - 5), None, ...])
def test_x25_a_refreshed_id_token_says_nothing_of_how_and_when_somebody_logged_in(auth_time):
    claims = refreshed(auth_time=auth_time, acr="gold", amr=["hwk"], nonce="another")

    assert not claims.keys() & {"auth_time", "acr", "amr", "nonce"}
    assert claims["sub"] == "ana"


ANYTHING = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
    | st.lists(st.text() | st.integers())
)


@given(st.dictionaries(st.sampled_from([*CLAIMS, "azp", "nbf", "at_hash", "auth_time"]), ANYTHING), st.none() | st.integers(0, 1000))
def test_no_claims_raise_anything_but_our_error(changes, max_age):
    try:
        judge(expectation(max_age=max_age), **changes)
    except ProviderError as error:
        assert error.code == "protocol_violation"


# -- to be shown to somebody now -----------------------------------------------------------------------------------------------


def id_token(payload):
    """An ID token as it is kept: verified when it came, so that nobody asks for its header and signature any more."""
    text = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return Secret(f"header.{base64.urlsafe_b64encode(text).rstrip(b'=').decode()}.signature")


def test_an_id_token_that_is_valid_for_a_while_may_be_shown():
    assert is_usable(id_token(CLAIMS), None, NOW)


def test_where_there_is_no_id_token_none_may_be_shown():
    assert not is_usable(None, None, NOW)
    assert not is_usable(None, id_token(CLAIMS), NOW)


def test_the_id_token_that_was_refused_is_not_shown_again_and_another_is():
    kept, same, other = id_token(CLAIMS), id_token(CLAIMS), id_token({**CLAIMS, "jti": "other"})
    assert not is_usable(kept, same, NOW)
    assert is_usable(kept, other, NOW)


@pytest.mark.parametrize(("left", "may"), [(-1, False), (0, False), (MOMENT - 1, False), (MOMENT, False), (MOMENT + 1, True), (3600, True)])
def test_an_id_token_that_ends_before_it_could_arrive_is_not_shown(left, may):
    assert is_usable(id_token({**CLAIMS, "exp": AT + left}), None, NOW) is may


@pytest.mark.parametrize("filling", range(4))
def test_an_id_token_is_read_whatever_its_length_leaves_of_the_last_group_of_four(filling):
    token = id_token({**CLAIMS, "name": "x" * filling})
    assert is_usable(token, None, NOW)


@pytest.mark.parametrize("exp", ["soon", None, True, [1], {}])
def test_an_id_token_with_an_end_that_is_no_time_is_an_error_and_not_shown(exp):
    with pytest.raises(ProviderError) as caught:
        is_usable(id_token({**CLAIMS, "exp": exp}), None, NOW)
    assert caught.value.parameter == "exp"


def test_an_id_token_without_an_end_or_without_claims_is_an_error_and_not_shown():
    for payload, parameter in (
        ({"iss": "x"}, "exp"),
        (b"[]", "jwt.claims"),
        (b'{"exp": 1, "exp": 2}', "jwt.claims"),
        (b"\xff", "jwt.claims"),
    ):
        with pytest.raises(ProviderError) as caught:
            is_usable(id_token(payload), None, NOW)
        assert caught.value.parameter == parameter
