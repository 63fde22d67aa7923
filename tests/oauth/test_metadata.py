import pytest
from hypothesis import given, strategies as st

from st_auth.errors import ProviderError
from st_auth.oauth.metadata import Metadata, judge_metadata, metadata_of
from tests.oauth.given import METADATA, a_provider

DOCUMENT = {
    "issuer": "https://issuer.example",
    "authorization_endpoint": "https://issuer.example/authorize",
    "token_endpoint": "https://issuer.example/token",
    "jwks_uri": "https://issuer.example/jwks",
}


def test_rp38_a_discovery_document_is_read():
    assert judge_metadata(DOCUMENT, a_provider()) == METADATA


@pytest.mark.parametrize("name", ["token_endpoint", "userinfo_endpoint", "jwks_uri", "pushed_authorization_request_endpoint"])
def test_x18_bba05_only_a_provider_on_this_machine_may_name_endpoints_on_it_in_plain_http(name):
    here = {key: value.replace("https://issuer.example", "http://127.0.0.1:9000") for key, value in DOCUMENT.items()}
    local = a_provider(issuer="http://127.0.0.1:9000")

    assert judge_metadata({**here, name: "http://localhost:9001/x"}, local)
    with pytest.raises(ProviderError) as caught:
        judge_metadata({**DOCUMENT, name: "http://127.0.0.1:9000/x"}, a_provider())
    assert caught.value.parameter == name


def test_what_pushing_and_client_keys_need_is_read():
    more = {
        "pushed_authorization_request_endpoint": "https://issuer.example/par",
        "require_pushed_authorization_requests": True,
        "token_endpoint_auth_signing_alg_values_supported": ["PS256", "ES256"],
    }

    metadata = judge_metadata({**DOCUMENT, **more}, a_provider())

    assert metadata.pushed_authorization_request_endpoint == "https://issuer.example/par"
    assert metadata.require_pushed_authorization_requests is True
    assert metadata.token_endpoint_auth_signing_alg_values_supported == ("PS256", "ES256")


def test_the_profile_knows_better_than_the_metadata_where_people_log_out():
    said = {**DOCUMENT, "end_session_endpoint": "https://issuer.example/bye"}

    assert judge_metadata(said, a_provider()).end_session_endpoint == "https://issuer.example/bye"
    ours = a_provider(endpoints={"end_session_endpoint": "https://bye.example/"})
    assert judge_metadata(said, ours).end_session_endpoint == "https://bye.example/"


def test_without_openid_the_profile_is_the_metadata_and_there_are_no_keys():
    needed = {name: f"https://sso.example/{name}" for name in ("authorization_endpoint", "token_endpoint")}
    more = {name: f"https://sso.example/{name}" for name in ("userinfo_endpoint", "end_session_endpoint", "revocation_endpoint")}
    here = {"issuer": "https://sso.example", "jwks_uri": ""}

    assert metadata_of(a_provider(issuer="https://sso.example", endpoints=needed)) == Metadata(**here, **needed)
    assert metadata_of(a_provider(issuer="https://sso.example", endpoints=needed | more)) == Metadata(**here, **needed, **more)


def test_rp37_keys_come_from_where_the_metadata_says():
    assert judge_metadata({**DOCUMENT, "jwks_uri": "https://keys.example/k"}, a_provider()).jwks_uri == "https://keys.example/k"


def test_optional_endpoints_and_methods_are_read():
    more = {"userinfo_endpoint": "https://u.example/", "end_session_endpoint": None, "token_endpoint_auth_methods_supported": ["none"]}

    metadata = judge_metadata({**DOCUMENT, **more, "authorization_response_iss_parameter_supported": True}, a_provider())

    assert metadata.userinfo_endpoint == "https://u.example/"
    assert metadata.end_session_endpoint is None
    assert metadata.token_endpoint_auth_methods_supported == ("none",)
    assert metadata.authorization_response_iss_parameter_supported


@pytest.mark.parametrize(
    "issuer",
    [
        "https://issuer.example/",
        "https://ISSUER.example",
        "https://other.example",
        "http://issuer.example",
        None,
        "https://issuer.example?x",
        "https://issuer.example/?",
        5,
    ],
)
@pytest.mark.parametrize("configured", [None, "https://issuer.example"])
def test_rp36_f2_03_an_issuer_that_is_not_the_one_we_asked_is_refused(issuer, configured):
    if (issuer, configured) == ("https://issuer.example/", None):
        return  # one slash at the end does not change the discovery URL
    with pytest.raises(ProviderError) as caught:
        judge_metadata({**DOCUMENT, "issuer": issuer}, a_provider(issuer=configured))

    assert (caught.value.code, caught.value.parameter) == ("protocol_violation", "issuer")


def test_bcp15_an_issuer_that_is_given_decides_wherever_the_metadata_is():
    provider = a_provider(issuer="https://issuer.example", metadata_url="https://elsewhere.example/metadata")

    assert judge_metadata(DOCUMENT, provider).issuer == "https://issuer.example"


@pytest.mark.parametrize("name", ["authorization_endpoint", "token_endpoint", "jwks_uri"])
@pytest.mark.parametrize("value", [None, "http://issuer.example/x", "/x", 5])
def test_x18_an_endpoint_that_is_missing_or_not_https_is_refused(name, value):
    with pytest.raises(ProviderError) as caught:
        judge_metadata({**DOCUMENT, name: value}, a_provider())

    assert caught.value.parameter == name


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("userinfo_endpoint", "http://issuer.example/"),
        ("end_session_endpoint", 7),
        ("revocation_endpoint", "javascript:alert(1)"),
        ("token_endpoint_auth_methods_supported", "none"),
        ("token_endpoint_auth_methods_supported", [1]),
        ("authorization_response_iss_parameter_supported", "true"),
    ],
)
def test_what_is_optional_must_still_be_right(name, value):
    with pytest.raises(ProviderError) as caught:
        judge_metadata({**DOCUMENT, name: value}, a_provider())

    assert caught.value.parameter == name


@pytest.mark.parametrize("issuer", ["https://issuer.example?y", "https://issuer.example/?", "http://issuer.example"])
def test_an_issuer_with_a_query_or_without_https_is_refused_even_if_it_is_the_configured_one(issuer):
    with pytest.raises(ProviderError) as caught:
        judge_metadata({**DOCUMENT, "issuer": issuer}, a_provider(issuer=issuer))

    assert caught.value.parameter == "issuer"


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(), lambda c: st.lists(c) | st.dictionaries(st.text(), c), max_leaves=5
)


@given(st.dictionaries(st.sampled_from([*DOCUMENT, "userinfo_endpoint", "token_endpoint_auth_methods_supported"]), ANYTHING))
def test_no_document_raises_anything_but_our_error(document):
    with pytest.raises(ProviderError):
        judge_metadata(document, a_provider())
