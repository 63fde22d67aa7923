import re

import pytest
from hypothesis import given, strategies as st

from st_auth.errors import ConfigError
from st_auth.oauth.algorithms import ALGORITHMS
from st_auth.oauth.profile import Provider, load_profile, resolve
from tests.oauth.given import a_provider
from tests.oauth.keys import key_file

NATIVE = {
    "client_id": "app",
    "client_secret": "secret",
    "server_metadata_url": "https://accounts.google.com/.well-known/openid-configuration",
}
OKTA = {"profile": "okta", "domain": "acme.okta.com", "client_id": "app", "client_secret": "secret"}


NAMES = {"name": "name", "email": "email", "groups": "groups"}
SCOPES = ("openid", "email", "profile")


def held(known):
    """What a profile or a provider says of how the provider behaves."""
    fields = ("public", "email_is_verified", "logout_wants_id_token", "logout_landing", "revoke_at_logout", "exchange", "quirks")
    return {field: getattr(known, field) for field in fields} | {"error_codes": dict(known.error_codes), "hints": dict(known.hints)}


def problems(section, name="google"):
    with pytest.raises(ConfigError) as caught:
        resolve(name, section, file="secrets.toml")
    assert "secret" not in re.sub("client_secret|secrets.toml", "", str(caught.value))
    return {problem.key: problem for problem in caught.value.problems}


class TestNative:
    def test_a_section_of_st_login_means_what_it_says_there(self):
        provider = resolve("google", NATIVE, file="secrets.toml")

        assert (provider.name, provider.profile, provider.issuer) == ("google", "", None)
        assert provider.metadata_url == NATIVE["server_metadata_url"]
        assert provider.client_secret.reveal() == "secret"
        assert provider.scopes == ("openid", "email", "profile")
        assert dict(provider.authorization_parameters) == {"prompt": "select_account"}
        assert provider.algorithms == ALGORITHMS
        assert not {a for a in provider.algorithms if a == "none" or a.startswith("HS")}

    def test_a_section_without_a_profile_gets_what_is_known_of_its_host(self):
        okta = resolve("work", {**NATIVE, "server_metadata_url": "https://Acme.okta.com/.well-known/openid-configuration"}, file="f")
        google = resolve(
            "default", {**NATIVE, "server_metadata_url": "https://accounts.google.com/.well-known/openid-configuration"}, file="f"
        )
        entra = "https://login.microsoftonline.com/8eaef023-2b34-4da1-9baa-8bc8c9d6a490/v2.0/.well-known/openid-configuration"

        assert (okta.label, okta.profile, okta.public, okta.logout_wants_id_token, okta.logout_landing) == (
            "Okta",
            "",
            False,
            True,
            "configured",
        )
        assert (google.label, google.public, google.logout_landing) == ("Google", True, "none")
        assert resolve("microsoft", {**NATIVE, "server_metadata_url": entra}, file="f").email_is_verified == "never"

    @pytest.mark.parametrize(
        ("host", "name"),
        [
            ("accounts.google.com", "google"),
            ("cognito-idp.eu-1.amazonaws.com", "cognito"),
            ("login.microsoftonline.com", "entra"),
            ("acme.okta.com", "okta"),
            ("slack.com", "slack"),
        ],
    )
    def test_all_that_is_known_of_a_host_holds_but_what_is_asked_for(self, host, name):
        section = {**NATIVE, "server_metadata_url": f"https://{host}/.well-known/openid-configuration"}
        provider, known = resolve("default", section, file="f"), load_profile(name)

        assert held(provider) == held(known)
        assert (provider.label, dict(provider.claims)) == (known.name, {**NAMES, **known.claims})
        assert (provider.scopes, provider.algorithms, provider.openid, dict(provider.endpoints)) == (SCOPES, ALGORITHMS, True, {})
        assert resolve("a", {**section, "label": "Acme"}, file="f").label == "Acme"

    def test_of_a_host_that_nobody_knows_only_the_specifications_hold(self):
        provider = resolve("a", {**NATIVE, "server_metadata_url": "https://a.example/.well-known/openid-configuration"}, file="f")

        assert held(provider) == {**held(a_provider()), "logout_landing": "redirect_uri"}
        assert held(a_provider()) == {
            **dict.fromkeys(("public", "logout_wants_id_token"), False),
            "email_is_verified": "claim",
            "logout_landing": "configured",
            "revoke_at_logout": True,
            "exchange": "token-exchange",
            "quirks": (),
            "error_codes": {},
            "hints": {},
        }
        assert (provider.openid, provider.subject_from) == (True, "userinfo")
        assert dict(provider.claims) == NAMES
        assert (provider.token_endpoint_auth_method, provider.client_key) == (None, None)

    def test_a_section_at_an_unknown_host_comes_back_after_logout_as_streamlits_own_does(self):
        url = "https://login.acme.com/.well-known/openid-configuration"

        named = resolve("staff", {**NATIVE, "server_metadata_url": url}, file="f")
        unnamed = resolve("default", {**NATIVE, "server_metadata_url": url}, file="f")

        assert (named.label, unnamed.label) == ("Staff", "login.acme.com")
        assert (named.logout_landing, named.logout_wants_id_token, named.public) == ("redirect_uri", False, False)
        assert (
            resolve("staff", {**NATIVE, "server_metadata_url": url, "logout_landing": "configured"}, file="f").logout_landing
            == "configured"
        )

    def test_a_host_that_only_looks_like_a_known_one_is_not_taken_for_it(self):
        url = "https://okta.com.evil.example/.well-known/openid-configuration"

        assert resolve("x", {**NATIVE, "server_metadata_url": url}, file="f").logout_wants_id_token is False

    def test_whether_an_address_counts_may_be_said_otherwise(self):
        assert resolve("a", {**NATIVE, "email_is_verified": "always"}, file="f").email_is_verified == "always"
        assert "auth.google.email_is_verified" in problems({**NATIVE, "email_is_verified": "sometimes"})

    def test_client_kwargs_are_read(self):
        kwargs = {
            "scope": "openid groups openid",
            "prompt": "login",
            "login_hint": "a@b",
            "acr_values": "mfa",
            "max_age": 60,
            "ui_locales": "de",
            "display": "popup",
            "token_endpoint_auth_method": "client_secret_post",
            "code_challenge_method": "S256",
            "response_type": "code",
            "response_mode": "query",
            "timeout": 5,
        }
        provider = resolve("google", {**NATIVE, "client_kwargs": kwargs, "authorize_params": {"hd": "acme.com"}}, file="f")

        assert provider.scopes == ("openid", "groups")
        assert dict(provider.authorization_parameters) == {
            "prompt": "login",
            "login_hint": "a@b",
            "acr_values": "mfa",
            "hd": "acme.com",
            "max_age": "60",
            "ui_locales": "de",
            "display": "popup",
        }
        assert provider.token_endpoint_auth_method == "client_secret_post"

    def test_an_empty_prompt_means_none(self):
        assert not resolve("a", {**NATIVE, "client_kwargs": {"prompt": ""}}, file="f").authorization_parameters

    def test_keys_of_authlib_and_of_auth_itself_are_let_be(self):
        more = {"api_base_url": "https://x", "authorize_url": "x", "redirect_uri": "x", "cookie_secret": "y", "wholly_else": 1}
        more |= {"other": {"client_idd": 1}, "client_idd": {"profile": "okta"}}

        assert resolve("default", {**NATIVE, **more}, file="f").name == "default"

    def test_a_client_without_secret_is_public(self):
        assert resolve("a", {k: v for k, v in NATIVE.items() if k != "client_secret"}, file="f").client_secret is None

    def test_everything_that_is_wrong_is_said_at_once(self):
        found = problems({"client_idd": "x", "server_metadata_url": "http://a.example/meta", "client_secret": 5}, name="my_google")

        assert set(found) == {
            "auth.my_google",
            *(f"auth.my_google.{k}" for k in ("client_id", "client_idd", "server_metadata_url", "client_secret")),
        }
        assert found["auth.my_google.client_idd"].mend == 'Did you mean "client_id"?'
        assert "client_idd" in found["auth.my_google.client_id"].what

    def test_keys_that_stand_in_auth_itself_are_named_so(self):
        assert set(problems({}, name="default")) == {"auth.client_id", "auth.server_metadata_url"}

    @pytest.mark.parametrize("key", ["issuer", "server_metadata_url"])
    @pytest.mark.parametrize("url", ["http://a.example/.well-known/openid-configuration", "nonsense/.well-known/openid-configuration"])
    def test_x18_addresses_must_be_https(self, key, url):
        assert "https" in problems({**NATIVE, key: url})[f"auth.google.{key}"].what

    def test_x18_loopback_may_be_plain_http(self):
        assert resolve("a", {**NATIVE, "server_metadata_url": "http://localhost:9000/.well-known/openid-configuration"}, file="f")

    def test_an_address_that_does_not_tell_the_issuer_needs_one(self):
        section = {**NATIVE, "server_metadata_url": "https://a.example/metadata"}

        assert "issuer" in problems(section)["auth.google.server_metadata_url"].mend
        assert resolve("a", {**section, "issuer": "https://a.example"}, file="f").issuer == "https://a.example"

    @pytest.mark.parametrize(
        ("kwargs", "key"),
        [
            ({"code_challenge_method": "plain"}, "code_challenge_method"),
            ({"response_mode": "form_post"}, "response_mode"),
            ({"response_type": "code id_token"}, "response_type"),
            ({"scope": "email"}, "scope"),
            ({"scope": ["openid"]}, "scope"),
            ({"token_endpoint_auth_method": "client_secret_jwt"}, "token_endpoint_auth_method"),
            ({"scopes": "openid"}, "scopes"),
            ({"max_age": True}, "max_age"),
            ({"max_age": 1.5}, "max_age"),
            *(({name: ["x"]}, name) for name in ("prompt", "login_hint", "acr_values", "ui_locales", "display", "response_type")),
        ],
    )
    def test_pkce_02_client_kwargs_that_would_weaken_or_mean_nothing_are_refused(self, kwargs, key):
        assert f"auth.google.client_kwargs.{key}" in problems({**NATIVE, "client_kwargs": kwargs})

    def test_client_kwargs_unknown_to_us_are_let_be(self):
        assert resolve("a", {**NATIVE, "client_kwargs": {"xyzzy": 1}}, file="f")

    @pytest.mark.parametrize(("key", "value"), [("client_kwargs", "x"), ("authorize_params", ["x"]), ("authorize_params", {"a": 1.5})])
    def test_tables_must_be_tables(self, key, value):
        assert f"auth.google.{key}" in problems({**NATIVE, key: value})

    @pytest.mark.parametrize("name", ["state", "nonce", "redirect_uri", "code_challenge", "response_mode", "request_uri"])
    def test_parameters_that_we_answer_for_cannot_be_replaced(self, name):
        assert f"auth.google.authorize_params.{name}" in problems({**NATIVE, "authorize_params": {name: "x"}})


class TestProfiled:
    def test_a_profile_is_filled_in(self):
        provider = resolve("okta", {**OKTA, "authorization_server": "default"}, file="f")

        assert provider.issuer == "https://acme.okta.com/oauth2/default"
        assert provider.metadata_url == "https://acme.okta.com/oauth2/default/.well-known/openid-configuration"
        assert (provider.label, provider.profile) == ("Okta", "okta")
        assert provider.logout_wants_id_token

    @pytest.mark.parametrize(
        ("name", "section"),
        [
            ("google", {}),
            ("slack", {}),
            ("github", {}),
            ("okta", {"domain": "acme.okta.com"}),
            ("cognito", {"region": "eu-1", "user_pool_id": "p", "domain": "acme.example"}),
            ("entra", {"tenant": "t"}),
        ],
    )
    def test_all_that_the_profile_says_holds(self, name, section):
        profile = load_profile(name)
        provider = resolve("a", {"profile": name, "client_id": "app", "client_secret": "secret", **section}, file="f")

        assert held(provider) == held(profile)
        assert (provider.scopes, provider.algorithms, provider.openid) == (profile.scopes, profile.algorithms, profile.openid)
        assert dict(provider.claims) == {**NAMES, **profile.claims}
        assert dict(provider.authorization_parameters) == dict(profile.authorization_parameters)
        assert (provider.token_endpoint_auth_method or "", provider.subject_from) == (
            profile.token_endpoint_auth_method,
            profile.subject_from,
        )
        assert (provider.name, provider.client_id, provider.client_secret.reveal()) == ("a", "app", "secret")

    def test_keys_that_are_read_elsewhere_may_stand_beside_it(self):
        elsewhere = ("redirect_uri", "cookie_secret", "expose_tokens", "post_logout_redirect_uri", "personas")

        assert resolve("default", {**OKTA, **dict.fromkeys(elsewhere, "x")}, file="f").profile == "okta"
        assert "auth.persona" in problems({**OKTA, "persona": "x"}, "default")

    def test_an_empty_parameter_takes_its_segment_away(self):
        keycloak = {"profile": "keycloak", "host": "kc.acme.com", "realm": "r", "client_id": "a", "client_secret": "b"}

        assert resolve("okta", OKTA, file="f").issuer == "https://acme.okta.com"
        assert resolve("kc", keycloak, file="f").issuer == "https://kc.acme.com/realms/r"
        assert resolve("kc", {**keycloak, "base_path": "auth"}, file="f").issuer == "https://kc.acme.com/auth/realms/r"

    def test_a_section_may_say_otherwise(self):
        more = {
            "label": "Acme",
            "scopes": ["openid", "groups"],
            "prompt": "login",
            "authorization_parameters": {"hd": "acme.com"},
            "token_endpoint_auth_method": "client_secret_post",
            "claims": {"groups": "roles"},
            "email_is_verified": "always",
            "logout_landing": "none",
        }
        provider = resolve("okta", {**OKTA, **more}, file="f")

        assert (provider.label, provider.scopes, provider.token_endpoint_auth_method) == (
            "Acme",
            ("openid", "groups"),
            "client_secret_post",
        )
        assert dict(provider.authorization_parameters) == {"prompt": "login", "hd": "acme.com"}
        assert dict(provider.claims) == {"name": "name", "email": "email", "groups": "roles"}
        assert (provider.email_is_verified, provider.logout_landing) == ("always", "none")

    @pytest.mark.parametrize(
        "domain", ["https://acme.okta.com", "acme.okta.com/x", "acme okta", "a@b", "-a", "a.b:port", "a?b", "a#b", "é.example"]
    )
    def test_a_parameter_of_the_host_must_be_a_host(self, domain):
        assert "host" in problems({**OKTA, "domain": domain}, "okta")["auth.okta.domain"].what

    @pytest.mark.parametrize("server", ["a/b", "..", ".", "a?b", "a b", "%2e", "é", "a\n"])
    def test_a_parameter_of_the_path_must_be_one_segment(self, server):
        assert "segment" in problems({**OKTA, "authorization_server": server}, "okta")["auth.okta.authorization_server"].what

    def test_everything_that_is_wrong_is_said_at_once(self):
        found = problems({"profile": "okta", "domian": "x", "scopes": "openid", "claims": 5, "logout_landing": "home", "prompt": 5}, "okta")

        assert set(found) == {
            f"auth.okta.{k}" for k in ("domain", "domian", "client_id", "client_secret", "scopes", "claims", "logout_landing", "prompt")
        }
        assert found["auth.okta.domian"].mend == 'Did you mean "domain"?'

    def test_a_table_that_is_none_is_named_once(self):
        with pytest.raises(ConfigError) as caught:
            resolve("a", {**OKTA, "claims": 5, "authorization_parameters": 5}, file="f")

        assert sorted(problem.key for problem in caught.value.problems) == ["auth.a.authorization_parameters", "auth.a.claims"]

    def test_where_the_metadata_is_cannot_be_said_otherwise_where_the_profile_knows(self):
        url = "https://evil.example/.well-known/openid-configuration"

        assert set(problems({**OKTA, "server_metadata_url": url}, "okta")) == {"auth.okta.server_metadata_url"}

    def test_an_unknown_key_without_a_likeness_is_to_be_removed(self):
        assert problems({**OKTA, "zzz": 1}, "okta")["auth.okta.zzz"].mend == "Remove it."

    def test_scopes_must_have_openid(self):
        assert "auth.okta.scopes" in problems({**OKTA, "scopes": ["email"]}, "okta")

    def test_parameters_that_we_answer_for_cannot_be_replaced(self):
        assert "auth.okta.authorization_parameters.state" in problems({**OKTA, "authorization_parameters": {"state": "x"}}, "okta")

    def test_a_profile_that_is_not_there_names_those_that_are(self):
        found = problems({"profile": "okto"}, "okta")

        assert "okta" in next(iter(found.values())).mend

    @pytest.mark.parametrize("profile", ["", 5, None])
    def test_a_profile_must_be_named(self, profile):
        assert "auth.okta.profile" in problems({"profile": profile}, "okta")

    def test_generic_takes_any_issuer(self):
        section = {"profile": "generic", "client_id": "a", "client_secret": "b"}

        assert resolve("x", {**section, "issuer": "https://a.example/x"}, file="f").issuer == "https://a.example/x"
        assert resolve("x", {**section, "issuer": "http://localhost:9"}, file="f").metadata_url.startswith("http://localhost:9/")
        elsewhere = {**section, "issuer": "https://a.example", "server_metadata_url": "https://b.example/m"}
        assert resolve("x", elsewhere, file="f").metadata_url == "https://b.example/m"
        assert "auth.x.issuer" in problems({**section, "issuer": "http://a.example"}, "x")
        assert "auth.x.issuer" in problems(section, "x")
        assert "auth.x.server_metadata_url" in problems({**elsewhere, "server_metadata_url": "http://b.example/m"}, "x")

    def test_dev_needs_nothing_at_all(self):
        provider = resolve("dev", {"profile": "dev"}, file="f")

        assert (provider.issuer, provider.client_id) == ("https://dev.st-auth.localhost", "st-auth-dev")

    def test_a_public_client_needs_no_secret(self):
        section = {k: v for k, v in OKTA.items() if k != "client_secret"}

        assert resolve("okta", {**section, "token_endpoint_auth_method": "none"}, file="f").client_secret is None


BOTH = pytest.mark.parametrize(
    "section", [{k: v for k, v in NATIVE.items() if k != "client_secret"}, {k: v for k, v in OKTA.items() if k != "client_secret"}]
)


class TestAsking:
    """How the client asks, in both forms of a section."""

    @BOTH
    def test_bcp14_a_client_key_is_read_from_beside_the_secrets_file(self, section, tmp_path):
        key = key_file(tmp_path)

        by_name = resolve("a", {**section, "client_key": key.name, "client_key_id": "k1"}, file="f", folder=tmp_path)
        by_path = resolve("a", {**section, "client_key": str(key)}, file="f")

        assert (by_name.client_key.kid, by_path.client_key.kid) == ("k1", "")
        assert by_name.client_secret is None
        assert "PRIVATE" not in repr(by_name)

    @BOTH
    @pytest.mark.parametrize(
        ("more", "key"),
        [
            ({"client_key": "missing.pem"}, "client_key"),
            ({"client_key": 5}, "client_key"),
            ({"client_key": "P-256.pem", "client_secret": "x"}, "client_key"),
            ({"client_key": "P-256.pem", "client_key_id": 5}, "client_key_id"),
            ({"client_key": "RSA-1024.pem"}, "client_key"),
            ({"resource": "api.acme.com"}, "resource"),
            ({"resource": "/api"}, "resource"),
            ({"resource": "https://api.acme.com/#part"}, "resource"),
            ({"resource": "https://api.acme.com/ x"}, "resource"),
            ({"resource": ["https://api.acme.com", ""]}, "resource"),
            ({"resource": ["https://api.acme.com", 5]}, "resource"),
            ({"resource": 5}, "resource"),
            ({"pushed_authorization_requests": "yes"}, "pushed_authorization_requests"),
            ({"pushed_authorization_requests": 1}, "pushed_authorization_requests"),
            ({"authorization_parameters": {"max_age": "soon"}}, "authorization_parameters.max_age"),
            ({"authorization_parameters": {"max_age": -1}}, "authorization_parameters.max_age"),
            ({"authorization_parameters": {"max_age": "٣"}}, "authorization_parameters.max_age"),
            ({"authorization_parameters": {"resource": "https://a"}}, "authorization_parameters.resource"),
            ({"authorization_parameters": {"client_assertion": "x"}}, "authorization_parameters.client_assertion"),
            ({"authorization_parameters": {"ui_locales": ["de"]}}, "authorization_parameters"),
        ],
    )
    def test_res01_what_cannot_be_asked_with_is_a_problem_of_its_key(self, section, more, key, tmp_path):
        for kind in ("P-256", "RSA-1024"):
            key_file(tmp_path, kind)
        with pytest.raises(ConfigError) as caught:
            resolve("a", {**section, **more}, file="f", folder=tmp_path)

        assert f"auth.a.{key}" in {problem.key for problem in caught.value.problems}

    def test_a_key_goes_with_one_method_and_the_method_with_a_key(self, tmp_path):
        path = str(key_file(tmp_path))
        okta = {k: v for k, v in OKTA.items() if k != "client_secret"}
        native = {k: v for k, v in NATIVE.items() if k != "client_secret"}

        for method in ("none", "client_secret_post"):
            assert "auth.a.token_endpoint_auth_method" in problems({**okta, "client_key": path, "token_endpoint_auth_method": method}, "a")
            kwargs = {"client_kwargs": {"token_endpoint_auth_method": method}}
            assert "auth.a.client_kwargs.token_endpoint_auth_method" in problems({**native, "client_key": path, **kwargs}, "a")
        for method in ("", "private_key_jwt"):
            assert resolve("a", {**okta, "client_key": path, "token_endpoint_auth_method": method}, file="f").client_key
        for secret in ({}, {"client_secret": "x"}):
            asked = {**okta, **secret, "token_endpoint_auth_method": "private_key_jwt"}
            assert "auth.a.client_key" in problems(asked, "a")
            asked = {**native, **secret, "client_kwargs": {"token_endpoint_auth_method": "private_key_jwt"}}
            assert "auth.a.client_key" in problems(asked, "a")

    def test_an_empty_client_key_is_none(self):
        assert "auth.a.client_secret" in problems({**{k: v for k, v in OKTA.items() if k != "client_secret"}, "client_key": ""}, "a")

    @BOTH
    def test_res01_a_resource_is_one_uri_or_a_list_of_them(self, section):
        uris = ["https://api.acme.com/v1?x=1", "urn:snowflake", "api://0d4b"]
        section = {**section, "client_secret": "x"}

        assert resolve("a", {**section, "resource": uris[0]}, file="f").resource == (uris[0],)
        assert resolve("a", {**section, "resource": [*uris, uris[0]]}, file="f").resource == tuple(uris)
        assert resolve("a", section, file="f").resource == ()

    @BOTH
    def test_parameters_of_any_name_go_along(self, section):
        asked = {"max_age": 3600, "acr_values": "urn:a urn:b", "ui_locales": "de", "hd": "acme.com", "login_hint": ""}
        provider = resolve("a", {**section, "client_secret": "x", "authorization_parameters": asked}, file="f")

        sent = {name: value for name, value in provider.authorization_parameters.items() if name != "prompt"}
        assert sent == {"max_age": "3600", "acr_values": "urn:a urn:b", "ui_locales": "de", "hd": "acme.com"}

    @BOTH
    @pytest.mark.parametrize("wish", [True, False])
    def test_par04_pushing_can_be_asked_for_and_declined(self, section, wish):
        section = {**section, "client_secret": "x"}

        assert resolve("a", {**section, "pushed_authorization_requests": wish}, file="f").pushed_authorization_requests is wish
        assert resolve("a", section, file="f").pushed_authorization_requests is None


ANYTHING = st.none() | st.booleans() | st.integers() | st.text() | st.lists(st.text()) | st.dictionaries(st.text(), st.text())
KEYS = [*NATIVE, "profile", "issuer", "client_kwargs", "authorize_params", "label", "domain", "scopes", "claims", "prompt"]


@given(st.dictionaries(st.sampled_from(KEYS) | st.text(), ANYTHING), st.sampled_from([{}, NATIVE, OKTA, {"profile": "generic"}]))
def test_no_section_raises_anything_but_config_error(changes, base):
    try:
        assert isinstance(resolve("x", {**base, **changes}, file="f"), Provider)
    except ConfigError as error:
        assert error.problems


PLAIN = """
name    = "Acme"
source  = "https://wiki.acme.com/login"
checked = 2026-11-22
openid  = false
issuer  = "https://{host}"
scopes  = ["profile"]
parameters.host = "the host"
authorization_endpoint = "https://{host}/authorize"
token_endpoint         = "https://{host}/token"
userinfo_endpoint      = "https://{host}/me"
claims.sub = "id"
"""
PLAIN_SECTION = {"host": "sso.acme.com", "client_id": "a", "client_secret": "b"}


class TestWithoutOpenID:
    def write(self, tmp_path, text):
        path = tmp_path / "acme.toml"
        path.write_text(text, "utf-8")
        return str(path)

    def problems(self, path):
        with pytest.raises(ConfigError) as caught:
            load_profile(path)
        return {problem.key for problem in caught.value.problems}

    def test_parameters_stand_in_every_address(self, tmp_path):
        provider = resolve("a", {"profile": self.write(tmp_path, PLAIN), **PLAIN_SECTION}, file="f")

        assert provider.issuer == "https://sso.acme.com"
        assert dict(provider.endpoints) == {
            "authorization_endpoint": "https://sso.acme.com/authorize",
            "token_endpoint": "https://sso.acme.com/token",
            "userinfo_endpoint": "https://sso.acme.com/me",
        }

    def test_a_parameter_that_is_wrong_is_named_once(self, tmp_path):
        section = {"profile": self.write(tmp_path, PLAIN), **PLAIN_SECTION, "host": "a/b"}

        with pytest.raises(ConfigError) as caught:
            resolve("a", section, file="f")

        assert [problem.key for problem in caught.value.problems] == ["auth.a.host"]

    def test_x18_every_address_must_be_https(self, tmp_path):
        path = self.write(tmp_path, PLAIN.replace('"https://{host}/me"', '"http://{host}/me"'))

        assert set(problems({"profile": path, **PLAIN_SECTION}, "a")) == {"auth.a.userinfo_endpoint"}

    @pytest.mark.parametrize(
        ("before", "after", "key"),
        [
            ('authorization_endpoint = "https://{host}/authorize"', "", "authorization_endpoint"),
            ('token_endpoint         = "https://{host}/token"', "", "token_endpoint"),
            ('userinfo_endpoint      = "https://{host}/me"', "", "userinfo_endpoint"),
            ('claims.sub = "id"', "", "claims.sub"),
            ('claims.sub = "id"', 'claims.sub = ""', "claims.sub"),
            ('claims.sub = "id"', 'claims.sub = "access_token"', "claims.sub"),
            ('["profile"]', '["openid"]', "scopes"),
            ("openid  = false", 'openid = false\nserver_metadata_url = "https://{host}/m"', "server_metadata_url"),
            ("openid  = false", 'openid = false\nclaims.email = "mail"\nemails_endpoint = "https://{host}/e"', "claims.email"),
            ("openid  = false", 'openid = "no"', "openid"),
            ("openid  = false", 'openid = false\nsubject_from = "access_token"', "subject_from"),
            ("openid  = false", 'openid = false\nerror_codes = { odd = "odder" }', "error_codes"),
            ("openid  = false", 'openid = false\nquirks = ["no_state"]', "quirks"),
            ("openid  = false", "openid = false\nhints = { a = 5 }", "hints"),
        ],
    )
    def test_what_is_missing_or_contradicts_itself_is_named(self, tmp_path, before, after, key):
        assert before in PLAIN
        assert self.problems(self.write(tmp_path, PLAIN.replace(before, after))) == {key}

    def test_x17_without_openid_false_none_of_it_is_believed(self, tmp_path):
        text = PLAIN.replace("openid  = false", 'subject_from = "userinfo"')

        assert self.problems(self.write(tmp_path, text)) == {
            *("authorization_endpoint", "token_endpoint", "userinfo_endpoint"),
            *("subject_from", "claims.sub"),
        }

    def test_from_the_token_response_no_userinfo_is_needed(self, tmp_path):
        text = PLAIN.replace('userinfo_endpoint      = "https://{host}/me"', 'subject_from = "token_response"')

        assert resolve("a", {"profile": self.write(tmp_path, text), **PLAIN_SECTION}, file="f").subject_from == "token_response"

    @pytest.mark.parametrize(
        ("key", "value"), [("scopes", ["openid"]), ("claims", {"sub": "email"}), ("server_metadata_url", "https://a.example/m")]
    )
    def test_a_section_cannot_turn_it_into_something_else(self, tmp_path, key, value):
        found = problems({"profile": self.write(tmp_path, PLAIN), **PLAIN_SECTION, key: value}, "a")

        assert {name.split(".")[2] for name in found} == {key}

    def test_a_section_cannot_choose_who_a_person_is_with_openid_either(self):
        assert "auth.okta.claims.sub" in problems({**OKTA, "claims": {"sub": "email"}}, "okta")

    @pytest.mark.parametrize(
        ("line", "keys"),
        [
            ('issuer = "https://a.example/{tenant}"', {"issuer"}),
            ('issuer = "https://a.example"', {"issuer"}),
            ('issuer = "https://{tenant}/{tenantid}"', {"issuer"}),
            ('server_metadata_url = ""', {"server_metadata_url"}),
        ],
    )
    def test_an_issuer_that_names_the_tenant_must_do_so(self, tmp_path, line, keys):
        assert self.problems(self.write(tmp_path, f'extends = "entra-multitenant"\n{line}')) == keys

    def test_an_issuer_that_names_the_tenant_does_not_tell_where_the_metadata_is(self, tmp_path):
        line = 'quirks = ["issuer_names_the_tenant"]\nissuer = "https://a.example/{tenantid}"'

        assert self.problems(self.write(tmp_path, f'extends = "google"\n{line}')) == {"server_metadata_url"}
