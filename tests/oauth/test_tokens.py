import base64
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given, strategies as st

from st_auth.errors import LoginRefused, ProviderError
from st_auth.oauth.authorization import Grant
from st_auth.oauth.tokens import code_request, judge_refresh_response, judge_token_response, refresh_request, refusal, revocation_request
from st_auth.secret import Secret
from tests.oauth.given import METADATA, NOW, a_provider

GRANT = Grant(Secret("c0de"), Secret("v" * 64), "https://app.example/cb")
ANSWER = {"access_token": "acc3ss", "token_type": "Bearer", "id_token": "a.b.c", "expires_in": 3600}
SCOPES = ("openid", "email")


def judge(status=200, **changes):
    answer = {name: value for name, value in {**ANSWER, **changes}.items() if value is not ...}
    return judge_token_response(status, answer, SCOPES, NOW)


def test_the_request_holds_code_verifier_and_the_same_redirect_uri():
    form = dict(code_request(GRANT, a_provider(), METADATA, NOW).pairs())

    assert form == {
        "grant_type": "authorization_code",
        "code": "c0de",
        "code_verifier": "v" * 64,
        "redirect_uri": "https://app.example/cb",
    }


def test_res01_bcp11_the_token_request_repeats_the_resources():
    pairs = code_request(GRANT, a_provider(resource=("https://api.acme.com", "urn:snowflake")), METADATA, NOW).pairs()

    assert [value for name, value in pairs if name == "resource"] == ["https://api.acme.com", "urn:snowflake"]


def test_res02_a_resource_that_the_token_endpoint_does_not_know_is_refused_with_a_hint():
    with pytest.raises(ProviderError) as caught:
        judge(400, error="invalid_target")

    assert (caught.value.code, caught.value.error) == ("request_refused", "invalid_target")
    assert "resource" in caught.value.hint


def test_rp04_basic_is_the_default_and_both_halves_are_form_encoded():
    provider = a_provider(client_id="a:b c", client_secret=Secret("p%+/é"))

    header = code_request(GRANT, provider, METADATA, NOW).headers["Authorization"].reveal()

    assert base64.b64decode(header.removeprefix("Basic ")) == b"a%3Ab+c:p%25%2B%2F%C3%A9"


@pytest.mark.parametrize(
    ("configured", "offered", "expected"),
    [
        (None, ("client_secret_post",), "post"),
        (None, ("client_secret_post", "client_secret_basic"), "basic"),
        (None, ("private_key_jwt",), "basic"),
        ("client_secret_post", ("client_secret_basic",), "post"),
        ("client_secret_basic", ("client_secret_post",), "basic"),
        ("none", (), "none"),
    ],
)
def test_the_configuration_decides_how_we_authenticate_then_the_metadata(configured, offered, expected):
    provider = a_provider(token_endpoint_auth_method=configured)

    request = code_request(GRANT, provider, replace(METADATA, token_endpoint_auth_methods_supported=offered), NOW)

    form = dict(request.pairs())
    assert ("Authorization" in request.headers) == (expected == "basic")
    assert form.get("client_secret") == ("secret" if expected == "post" else None)
    assert form.get("client_id") == (None if expected == "basic" else "app")


def test_a_client_without_secret_says_only_who_it_is():
    request = code_request(GRANT, a_provider(client_secret=None), METADATA, NOW)

    assert dict(request.pairs())["client_id"] == "app"
    assert not request.headers


def test_a_request_shows_no_secret():
    request = code_request(GRANT, a_provider(token_endpoint_auth_method="client_secret_post"), METADATA, NOW)

    assert "'secret'" not in repr(request)
    assert "c0de" not in repr(request)


def test_a_token_response_is_a_token_set():
    tokens = judge(refresh_token="r3fresh", scope="openid email groups")

    assert tokens.access_token.reveal() == "acc3ss"
    assert tokens.refresh_token.reveal() == "r3fresh"
    assert tokens.expires_at == NOW + timedelta(hours=1)
    assert tokens.scope == ("openid", "email", "groups")


@pytest.mark.parametrize("token_type", ["Bearer", "bearer", "bEARER"])
def test_f2_16_the_token_type_is_taken_in_any_case(token_type):
    assert judge(token_type=token_type).token_type == "Bearer"


@pytest.mark.parametrize("token_type", ["mac", "DPoP", "", None, 1, ...])
def test_x15_another_token_type_is_refused(token_type):
    with pytest.raises(ProviderError) as caught:
        judge(token_type=token_type)

    assert caught.value.parameter == "token_type"


@pytest.mark.parametrize("scope", [..., None, ""])
def test_a_response_without_scope_means_what_was_asked_for(scope):
    assert judge(scope=scope).scope == SCOPES


@pytest.mark.parametrize("value", [5, True, ["openid"]])
def test_a_scope_that_is_no_string_is_refused(value):
    with pytest.raises(ProviderError) as caught:
        judge(scope=value)

    assert caught.value.parameter == "scope"


@pytest.mark.parametrize("expires_in", ["3600", 3600.0, 3600])
def test_x14_a_lifetime_may_be_a_number_or_a_numeric_string(expires_in):
    assert judge(expires_in=expires_in).expires_at == NOW + timedelta(hours=1)


@pytest.mark.parametrize("expires_in", [..., None, -1, 0, 1e99, 10**30, True, "soon", "1e3", "٣", "9" * 40, [], {}])
def test_f2_15_x14_a_lifetime_that_is_missing_or_senseless_is_unknown(expires_in):
    tokens = judge(expires_in=expires_in)

    assert tokens.expires_at is None
    assert tokens.is_fresh(NOW + timedelta(days=9))


def test_a_token_is_fresh_until_a_minute_before_its_end():
    tokens = judge(expires_in=3600)

    assert tokens.is_fresh(NOW + timedelta(minutes=58))
    assert not tokens.is_fresh(NOW + timedelta(minutes=59))
    assert tokens.is_valid(NOW + timedelta(minutes=59))
    assert not tokens.is_valid(NOW + timedelta(minutes=60))


@pytest.mark.parametrize("name", ["access_token", "refresh_token", "id_token"])
@pytest.mark.parametrize("value", ["a\r\nX: y", "a b", "a\x7f", "é", "x" * 70_000, 5, ["a"], {"a": 1}])
def test_x16_x14_a_token_that_is_not_fit_for_a_header_is_refused(name, value):
    with pytest.raises(ProviderError) as caught:
        judge(**{name: value})

    assert caught.value.parameter == name
    assert "X: y" not in str(caught.value)


@pytest.mark.parametrize(("name", "longest"), [("access_token", 16 * 1024), ("refresh_token", 16 * 1024), ("id_token", 64 * 1024)])
def test_x16_a_token_has_a_longest_length_and_any_printable_letter(name, longest):
    assert getattr(judge(**{name: "!~" + "x" * (longest - 2)}), name).reveal()[:2] == "!~"
    with pytest.raises(ProviderError) as caught:
        judge(**{name: "x" * (longest + 1)})
    assert caught.value.parameter == name


def test_x14_a_lifetime_of_ten_years_is_the_longest():
    assert judge(expires_in=10 * 366 * 86_400).expires_at == NOW + timedelta(days=3660)
    assert judge(expires_in=10 * 366 * 86_400 + 1).expires_at is None
    assert judge(expires_in=0.5).expires_at == NOW + timedelta(seconds=0.5)


def test_rp27_a_refresh_asks_with_the_refresh_token_for_the_same_resources():
    pairs = refresh_request(Secret("r1"), a_provider(client_secret=None, resource=("urn:snowflake",)), METADATA, NOW).pairs()

    assert pairs == [("grant_type", "refresh_token"), ("refresh_token", "r1"), ("resource", "urn:snowflake"), ("client_id", "app")]


def test_a_refresh_for_one_resource_is_for_no_other():
    provider = a_provider(client_secret=None, resource=("urn:a", "urn:b"))

    pairs = refresh_request(Secret("r1"), provider, METADATA, NOW, resource="urn:c").pairs()

    assert [pair for pair in pairs if pair[0] not in ("grant_type", "refresh_token", "client_id")] == [("resource", "urn:c")]


def test_a_revocation_names_the_token_and_its_kind():
    pairs = revocation_request(Secret("r1"), "refresh_token", a_provider(client_secret=None), METADATA, NOW).pairs()

    assert pairs == [("token", "r1"), ("token_type_hint", "refresh_token"), ("client_id", "app")]


def test_a_refresh_keeps_what_its_answer_does_not_bring():
    before = judge(refresh_token="r1", id_token="a.b.c", scope="openid email")

    kept = judge_refresh_response(200, {"access_token": "new", "token_type": "Bearer"}, before, NOW)
    brought = judge_refresh_response(
        200, {"access_token": "new", "token_type": "Bearer", "refresh_token": "r2", "id_token": "d.e.f", "scope": "x"}, before, NOW
    )

    assert (kept.access_token, kept.refresh_token, kept.id_token) == (Secret("new"), Secret("r1"), Secret("a.b.c"))
    assert kept.scope == ("openid", "email")
    assert (brought.refresh_token, brought.id_token, brought.scope) == (Secret("r2"), Secret("d.e.f"), ("x",))


def test_a_refusal_has_the_providers_words_made_printable():
    error = refusal("No.", {"error": "invalid_client", "error_description": 'a"b\n'})

    assert (str(error), error.code, error.error, error.description) == ("No.", "request_refused", "invalid_client", "ab")
    assert "client_id" in error.hint


def test_the_margin_is_a_tenth_of_the_lifetime_and_at_most_a_minute():
    assert judge(expires_in=100).margin == timedelta(seconds=10)
    assert judge(expires_in=601).margin == timedelta(seconds=60)
    assert judge(expires_in=None).margin == timedelta(seconds=60)


@pytest.mark.parametrize("name", ["access_token", "id_token"])
@pytest.mark.parametrize("value", [..., None, ""])
def test_x17_access_token_and_with_openid_an_id_token_are_required(name, value):
    with pytest.raises(ProviderError) as caught:
        judge(**{name: value})

    assert caught.value.parameter == name


def test_without_openid_no_id_token_is_needed():
    assert judge_token_response(200, {**ANSWER, "id_token": None}, ("email",), NOW).id_token is None


def test_x21_a_code_that_the_provider_does_not_take_is_a_refused_login():
    with pytest.raises(LoginRefused) as caught:
        judge(400, error="invalid_grant", access_token=...)

    assert caught.value.code == "invalid_grant"


@pytest.mark.parametrize("status", [200, 400, 401])
def test_an_error_is_an_error_whatever_its_status(status):
    with pytest.raises(ProviderError) as caught:
        judge(status, error="invalid_client", error_description='bad "secret"\n')

    assert (caught.value.code, caught.value.error) == ("request_refused", "invalid_client")
    assert caught.value.description == "bad secret"
    assert "client_secret" in caught.value.hint


def test_a_status_that_is_no_success_is_refused_even_without_error():
    with pytest.raises(ProviderError) as caught:
        judge(403)

    assert (caught.value.error, caught.value.hint) == ("", "")


ANYTHING = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.lists(st.text())


@given(st.dictionaries(st.sampled_from([*ANSWER, "scope", "error", "refresh_token"]), ANYTHING), st.integers(200, 499))
def test_no_answer_raises_anything_but_our_errors(changes, status):
    try:
        judge(status, **changes)
    except (ProviderError, LoginRefused) as error:
        assert error.code
