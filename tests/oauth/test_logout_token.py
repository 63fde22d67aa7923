"""The judge of logout tokens (OpenID Connect Back-Channel Logout 1.0 sections 2.4 and 2.6)."""

import base64
import json
from datetime import timedelta

import httpx2
import pytest
from hypothesis import given, strategies as st

from st_auth.client import Client
from st_auth.errors import ProviderError, Unavailable
from st_auth.http import Http
from st_auth.oauth.logout_token import EVENT, addressed, judge_logout
from st_auth.testing.fake_issuer import FakeIssuer
from tests.oauth.given import NOW, Hands

ISSUER = "https://issuer.example"
AT = int(NOW.timestamp())
CLAIMS = {"iss": ISSUER, "aud": "app", "iat": AT, "exp": AT + 120, "jti": "j1", "sub": "ana", "sid": "s1", "events": {EVENT: {}}}


def payload(**changes):
    return json.dumps({name: value for name, value in {**CLAIMS, **changes}.items() if value is not ...}).encode()


def judge(now=NOW, **changes):
    return judge_logout(payload(**changes), ISSUER, "app", now)


def refused_for(**changes):
    with pytest.raises(ProviderError) as caught:
        judge(**changes)
    assert caught.value.code == "protocol_violation"
    return caught.value.parameter


@pytest.fixture
def issuer():
    with FakeIssuer(serve=False, clock=Hands().clock()) as one:
        yield one


@pytest.fixture
def client(issuer):
    return a_client(issuer)


def a_client(at, **fields):
    hands = Hands()
    return Client(at.provider(**fields), Http(at.transport, clock=hands.clock()), hands.clock())


def refused_by(client, token):
    with pytest.raises(ProviderError) as caught:
        client.logout_token(token)
    assert caught.value.code == "protocol_violation"
    return caught.value.parameter


def test_rp44_a_token_that_is_right_says_whose_session_is_over(issuer, client):
    logout = client.logout_token(issuer.logout_token("ana", claims={"sid": "s1", "jti": "j1"}))

    assert (logout.issuer, logout.subject, logout.sid, logout.jti) == (ISSUER, "ana", "s1", "j1")
    assert logout.expires_at == NOW + timedelta(seconds=180)


def test_rp44_claims_that_nobody_knows_are_ignored(issuer, client):
    assert client.logout_token(issuer.logout_token("ana", claims={"ignored_claim": {"x": [1]}})).subject == "ana"
    assert judge(events={EVENT: {"x": 1}, "https://other.example/event": "y"}).sid == "s1"


def test_what_it_asks_for_does_not_print_what_would_end_a_session():
    assert "s1" not in repr(judge())
    assert "j1" not in repr(judge())


@pytest.mark.parametrize("typ", ["logout+jwt", "LOGOUT+JWT", "application/logout+jwt", "Application/Logout+JWT", None])
def test_a_type_that_is_a_logout_tokens_or_none_is_taken(issuer, client, typ):
    assert client.logout_token(issuer.logout_token("ana", header={"typ": typ})).subject == "ana"


@pytest.mark.parametrize("typ", ["JWT", "at+jwt", "", 5, "logout+jwt "])
def test_another_type_is_refused(issuer, client, typ):
    token = issuer.logout_token("ana", header={"typ": typ})

    assert refused_by(client, token) == "typ"
    with pytest.raises(ProviderError, match=r"logout\+jwt"):
        addressed(token)


def test_an_id_token_is_no_logout_token(issuer, client):
    url, pending = client.begin("https://app.example/oauth2callback", "/")
    tokens = client.finish(pending, issuer.authorize(url).partition("?")[2]).tokens

    assert refused_by(client, tokens.id_token.reveal()) == "typ"


@pytest.mark.parametrize("alg", ["none", "None", "HS256", "ES256K"])
def test_rp45_rp48_bcl02_without_a_signature_or_with_another_algorithm_it_is_refused(issuer, client, alg):
    unsigned = issuer.logout_token("ana", header={"alg": alg}, key=b"secret")

    assert refused_by(client, f"{unsigned}{'x' if unsigned.endswith('.') else ''}") == "alg"


def test_rp45_bcl02_a_token_of_two_parts_and_a_dot_is_refused(issuer, client):
    token = issuer.logout_token("ana", header={"alg": "none"})

    assert token.endswith(".")
    assert refused_by(client, token) == "jwt"


def test_rp48_an_algorithm_that_this_provider_is_not_known_to_use_is_refused(issuer):
    assert refused_by(a_client(issuer, algorithms=("ES256",)), issuer.logout_token("ana")) == "alg"


def test_rp48_bcl02_hmac_with_the_public_key_or_the_client_secret_is_refused(issuer, client):
    for key in (issuer.keys[0].as_pem(private=False), issuer.client_secret.encode()):
        assert refused_by(client, issuer.logout_token("ana", header={"alg": "HS256"}, key=key)) == "alg"


def test_bcl02_a_bad_signature_is_refused(issuer, client):
    head, _, signature = issuer.logout_token("ana").split(".")
    other = issuer.logout_token("bob").split(".")[1]

    assert refused_by(client, f"{head}.{other}.{signature}") == "signature"


def test_bcl02_another_key_than_the_providers_is_refused(issuer, client):
    client.logout_token(issuer.logout_token("ana"))
    with FakeIssuer(serve=False) as other:
        other.rotate()

        assert refused_by(client, issuer.logout_token("ana", key=other.keys[0])) == "signature"


def test_a_key_that_is_new_is_fetched(issuer, client):
    client.logout_token(issuer.logout_token("ana"))
    issuer.rotate()

    assert client.logout_token(issuer.logout_token("ana")).subject == "ana"


def test_while_the_keys_are_out_of_reach_nothing_is_decided(issuer, client):
    issuer.answers["/jwks"] = httpx2.Response(503)

    with pytest.raises(Unavailable):
        client.logout_token(issuer.logout_token("ana"))


@pytest.mark.parametrize("iss", [f"{ISSUER}/", "https://other.example", "", ..., None, 5, [ISSUER]])
def test_rp51_bcl03_another_issuer_is_refused(iss):
    assert refused_for(iss=iss) == "iss"


@pytest.mark.parametrize("aud", ["other", ["other"], [], ..., None, "", 5, {"app": 1}, "app "])
def test_rp49_bcl04_another_audience_is_refused(aud):
    assert refused_for(aud=aud) == "aud"


def test_bcl04_the_audience_is_judged_as_an_id_tokens_is():
    assert judge(aud=["app"])
    assert refused_for(aud=["app", "other"]) == "azp"
    assert judge(aud=["app", "other"], azp="app")
    assert refused_for(azp="other") == "azp"


@pytest.mark.parametrize("name", ["exp", "iat"])
@pytest.mark.parametrize("value", [..., None, True, "1", str(AT), [], {}])
def test_bcl05_times_are_required_and_numbers(name, value):
    assert refused_for(**{name: value}) == name


def test_bcl05_a_token_lives_as_long_as_it_says_and_at_most_five_minutes_give_or_take_one():
    assert judge(exp=AT - 59)
    assert refused_for(exp=AT - 60) == "exp"
    assert judge(iat=AT + 60)
    assert refused_for(iat=AT + 61) == "iat"
    assert judge(iat=AT - 360)
    assert refused_for(iat=AT - 361) == "iat"
    assert refused_for(nbf=AT + 61) == "nbf"


@pytest.mark.parametrize(("exp", "kept"), [(AT + 120, 180), (AT + 10**9, 360), (10**400, 360), (AT - 30, 30)])
def test_bcl05_bcl09_its_id_need_not_be_known_longer_than_it_would_be_taken(exp, kept):
    logout = judge(exp=exp)

    assert logout.expires_at == NOW + timedelta(seconds=kept)
    with pytest.raises(ProviderError):
        judge(now=logout.expires_at + timedelta(seconds=1), exp=exp)


def test_bcl06_a_subject_or_a_session_is_enough_and_neither_is_not():
    assert judge(sub=...).subject == ""
    assert judge(sid=...).sid == ""
    assert refused_for(sub=..., sid=...) == "sub"


@pytest.mark.parametrize("name", ["sub", "sid", "jti"])
@pytest.mark.parametrize("value", [None, "", 5, ["ana"], {}])
def test_bcl06_bcl09_what_is_no_text_names_nobody(name, value):
    assert refused_for(**{name: value}) == name


def test_bcl06_a_subject_is_as_long_as_an_id_tokens_may_be():
    assert judge(sub="x" * 255)
    assert refused_for(sub="x" * 256) == "sub"


def test_bcl09_a_token_without_id_is_refused():
    assert refused_for(jti=...) == "jti"


@pytest.mark.parametrize("events", [..., None, [], [EVENT], EVENT, 5, True])
def test_rp46_bcl07_without_events_it_is_refused(events):
    assert refused_for(events=events) == "events"


@pytest.mark.parametrize("events", [{}, {f"{EVENT}x": {}}, {"https://other.example": {}}, {EVENT: None}, {EVENT: []}, {EVENT: "x"}])
def test_rp50_bcl07_without_the_back_channel_event_as_an_object_it_is_refused(events):
    assert refused_for(events=events) == "events"


@pytest.mark.parametrize("nonce", ["n0nce", "", None])
def test_rp47_bcl08_with_a_nonce_it_is_refused(nonce):
    assert refused_for(nonce=nonce) == "nonce"


@pytest.mark.parametrize("claims", [b"", b"[]", b'{"sub":"ana","sub":"bob"}', b'{"exp": NaN}', b"\xff"])
def test_claims_that_are_no_strict_object_are_refused(claims):
    with pytest.raises(ProviderError) as caught:
        judge_logout(claims, ISSUER, "app", NOW)

    assert caught.value.parameter == "jwt.claims"


def test_who_it_is_from_and_for_is_read_without_believing_it(issuer):
    assert addressed(issuer.logout_token("ana", header={"kid": "nobody's"})) == addressed(issuer.logout_token("ana"))
    one = addressed(issuer.logout_token("ana", claims={"aud": ["app", 5, "b"], "iss": 7}))
    assert (one.issuer, one.audience) == ("", ("app", "b"))


@pytest.mark.parametrize("second", ["", "!", "bnVsbA", "W10", "é", "A"])
def test_a_form_that_is_none_is_refused_before_anything_else(second):
    head = base64.urlsafe_b64encode(b'{"alg":"RS256"}').decode().rstrip("=")
    with pytest.raises(ProviderError) as caught:
        addressed(f"{head}.{second}.c2ln")

    assert caught.value.parameter in ("jwt", "jwt.claims")


def test_who_it_is_from_is_what_its_claims_say(issuer):
    assert (addressed(issuer.logout_token("ana")).issuer, addressed(issuer.logout_token("ana")).audience) == (ISSUER, ("app",))


@pytest.mark.parametrize("stray", ["!", "!!!!", "%", "=", "é", " ", "\n\n\n\n"])
def test_claims_with_a_letter_that_is_no_base64url_are_not_read(issuer, stray):
    head, claims, signature = issuer.logout_token("ana").split(".")

    with pytest.raises(ProviderError) as caught:
        addressed(f"{head}.{claims[:8]}{stray}{claims[8:]}.{signature}")

    assert caught.value.parameter == "jwt.claims"


def test_the_event_is_the_one_of_the_specification():
    assert EVENT == "http://schemas.openid.net/event/backchannel-logout"  # Back-Channel Logout 1.0 section 2.4


def test_a_client_knows_whose_words_it_may_judge(issuer):
    exact, by_address = a_client(issuer, issuer=ISSUER), a_client(issuer, issuer=None)

    assert exact.may_be(ISSUER)
    assert not exact.may_be(f"{ISSUER}/")
    assert by_address.may_be(ISSUER)
    assert not by_address.may_be("https://other.example")


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([EVENT, "x"]), inner, max_size=2),
    max_leaves=4,
)


@given(st.dictionaries(st.sampled_from([*CLAIMS, "azp", "nbf", "nonce"]), ANYTHING))
def test_no_claims_raise_anything_but_our_error(changes):
    try:
        judge(**changes)
    except ProviderError as error:
        assert error.code == "protocol_violation"


@given(st.text() | st.lists(st.text(alphabet="ABCDabcd01-_", max_size=12), min_size=3, max_size=3).map(".".join))
def test_no_text_raises_anything_but_our_error(text):
    with pytest.raises(ProviderError):
        addressed(text)
