"""Logins at providers without OpenID, over real HTTP: GitHub, Snowflake, and one that only a file of the user describes."""

from contextlib import closing

import httpx2
import pytest

from st_auth.client import Client
from st_auth.errors import LoginRefused, ProviderError, Unavailable
from st_auth.http import Http
from st_auth.oauth.profile import resolve
from tests.plain_server import PlainServer

CALLBACK = "https://app.example/oauth2callback"
GITHUB = {"profile": "github", "client_id": "app", "client_secret": "s3cret/+="}
OCTOCAT = {"login": "octocat", "id": 583231, "name": None, "email": "public@example.com", "sid": "x", "nonce": "y"}
EMAILS = [
    {"email": "other@example.com", "primary": False, "verified": True},
    {"email": "octocat@example.com", "primary": True, "verified": True, "visibility": None},
]
USER, MAILS = "/api.github.com/user", "/api.github.com/user/emails"
ISS = {"iss": "https://github.com/login/oauth"}


def login(server, section, *, http=None, **more):
    with closing(Client(resolve("there", section, file="f"), http or Http(server.transport))) as client:
        url, pending = client.begin(CALLBACK, "/")
        return client.finish(pending, server.authorize(url, **more))


def refused(server, section, **more):
    with pytest.raises(ProviderError) as caught:
        login(server, section, **more)
    assert "acc3ss" not in f"{caught.value} {caught.value.description} {caught.value.hint}"
    return caught.value


@pytest.fixture
def github():
    token = {"scope": "read:user,user:email"}
    with PlainServer("/github.com/login/oauth/access_token", {USER: OCTOCAT, MAILS: EMAILS}, token=token) as server:
        yield server


class TestGitHub:
    def test_a_login_is_the_owner_of_the_token_with_the_verified_primary_address(self, github):
        one = login(github, GITHUB, **ISS)

        assert (one.issuer, one.subject, one.name) == ("https://github.com/login/oauth", "583231", "octocat")
        assert (one.email, one.email_verified) == ("octocat@example.com", True)
        assert one.tokens.scope == ("read:user", "user:email")
        assert (one.claims["iss"], one.claims["sub"], one.claims["login"]) == (one.issuer, "583231", "octocat")
        assert not {"nonce", "sid"} & one.claims.keys()

    def test_it_works_without_iss_in_the_response_as_older_servers_answer(self, github):
        assert login(github, GITHUB).subject == "583231"

    def test_bcp15_f2_04_an_answer_that_names_another_issuer_asks_nobody_for_tokens(self, github):
        with pytest.raises(LoginRefused) as caught:
            login(github, GITHUB, iss="https://evil.example")

        assert caught.value.parameter == "iss"
        assert not github.calls

    def test_an_address_that_is_not_verified_counts_for_nothing(self, github):
        github.answers[MAILS] = [{"email": "octocat@example.com", "primary": True, "verified": "true"}]

        one = login(github, GITHUB)

        assert (one.email, one.email_verified) == ("octocat@example.com", False)

    def test_without_a_primary_address_the_public_one_is_not_taken(self, github):
        github.answers[MAILS] = [{"email": "octocat@example.com", "primary": False, "verified": True}, "odd", {"primary": True, "email": 5}]

        assert (login(github, GITHUB).email, login(github, GITHUB).email_verified) == ("", None)

    @pytest.mark.parametrize(
        ("error", "kind", "code"),
        [
            ("bad_verification_code", LoginRefused, "invalid_grant"),
            ("incorrect_client_credentials", ProviderError, "request_refused"),
            ("redirect_uri_mismatch", ProviderError, "request_refused"),
            ("something_else", ProviderError, "request_refused"),
        ],
    )
    def test_an_error_with_status_200_is_an_error(self, github, error, kind, code):
        github.answers[github.token_path] = {"error": error, "error_description": "Sorry."}

        with pytest.raises(kind) as caught:
            login(github, GITHUB)

        assert caught.value.code == code
        assert github.calls[USER] == 0

    @pytest.mark.parametrize("subject", [None, True, False, 583231.0, 0, -1, "", " ", [583231], {"a": 1}, "x" * 256])
    def test_a_person_without_a_fit_id_is_nobody(self, github, subject):
        github.answers[USER] = {**OCTOCAT, "id": subject}

        assert refused(github, GITHUB).parameter == "sub"

    def test_a_person_whose_id_is_missing_is_nobody(self, github):
        github.answers[USER] = {"message": "Bad credentials", "status": "401", "sub": "583231"}

        assert refused(github, GITHUB).parameter == "sub"

    @pytest.mark.parametrize("path", [USER, MAILS])
    @pytest.mark.parametrize(
        ("answer", "kind"),
        [
            (httpx2.Response(401, json={"message": "Bad credentials"}), ProviderError),
            (httpx2.Response(302, headers={"Location": "https://evil.example/"}), ProviderError),
            (httpx2.Response(503), Unavailable),
            (httpx2.Response(200, text="not JSON"), ProviderError),
            (httpx2.Response(200, text='"text"'), ProviderError),
            (httpx2.Response(200, text='{"id": 1, "id": 2}'), ProviderError),
            (httpx2.Response(200, content=b" " * 10_000_000), ProviderError),
        ],
        ids=["401", "redirect", "503", "no JSON", "a text", "a key twice", "10 MB"],
    )
    def test_an_answer_that_cannot_be_used_logs_nobody_in(self, github, path, answer, kind):
        github.answers[path] = answer

        with pytest.raises(kind):
            login(github, GITHUB)

    def test_a_form_encoded_token_answer_is_not_guessed_at(self, github):
        github.answers[github.token_path] = httpx2.Response(200, text="access_token=acc3ss&token_type=bearer")

        assert refused(github, GITHUB).parameter == "body"

    def test_x17_an_id_token_that_nobody_judged_is_not_kept(self, github):
        github.token["id_token"] = "e30.e30.x"

        assert login(github, GITHUB).tokens.id_token is None

    @pytest.mark.parametrize(
        ("asked", "configured", "parameter"),
        [
            ({"max_age": 60}, {}, "max_age"),
            ({"acr": ("mfa",)}, {}, "acr_values"),
            ({}, {"max_age": "60"}, "max_age"),
            ({}, {"acr_values": "mfa"}, "acr_values"),
        ],
    )
    def test_what_nothing_would_prove_is_refused_before_anybody_leaves(self, github, asked, configured, parameter):
        client = Client(resolve("github", {**GITHUB, "authorization_parameters": configured}, file="f"), Http(github.transport))

        with pytest.raises(ProviderError) as caught:
            client.begin(CALLBACK, "/", **asked)

        assert caught.value.parameter == parameter

    @pytest.mark.parametrize("emails", [{"no": "list"}, httpx2.Response(404, text="gone"), httpx2.Response(503)])
    def test_another_person_at_a_refresh_is_refused_whether_or_not_there_are_addresses(self, github, emails):
        github.token["refresh_token"] = "r3fresh"
        with closing(Client(resolve("there", GITHUB, file="f"), Http(github.transport))) as client:
            url, pending = client.begin(CALLBACK, "/")
            one = client.finish(pending, github.authorize(url, **ISS))
            after = client.refresh(one.tokens)
            github.answers |= {USER: {**OCTOCAT, "id": 1}, MAILS: emails}

            with pytest.raises(ProviderError) as caught:
                client.judge_refreshed(one.tokens, after, (one.issuer, one.subject), one.claims)

        assert caught.value.parameter == "userinfo.sub"

    def test_a_refresh_asks_who_it_is_again_and_keeps_to_the_same_person(self, github):
        github.token["refresh_token"] = "r3fresh"
        with closing(Client(resolve("github", GITHUB, file="f"), Http(github.transport))) as client:
            url, pending = client.begin(CALLBACK, "/")
            one = client.finish(pending, github.authorize(url))
            github.answers[USER] = {**OCTOCAT, "login": "mona", "company": "Acme"}
            after = client.refresh(one.tokens)
            now = client.judge_refreshed(one.tokens, after, (one.issuer, one.subject), one.claims)

            assert (after.scope, after.id_token, after.refresh_token.reveal()) == (("a", "b"), None, "r3fresh")
            assert (now.subject, now.name, now.claims["company"], now.email) == ("583231", "mona", "Acme", "octocat@example.com")

            github.answers[USER] = {**OCTOCAT, "id": 1}
            with pytest.raises(ProviderError) as caught:
                client.judge_refreshed(one.tokens, after, (one.issuer, one.subject), one.claims)
            assert caught.value.parameter == "userinfo.sub"

            github.answers[USER] = httpx2.Response(503)
            assert client.judge_refreshed(one.tokens, after, (one.issuer, one.subject), one.claims).name == "octocat"

    def test_a_prompt_of_openids_is_not_sent(self, github):
        client = Client(resolve("github", GITHUB, file="f"), Http(github.transport))

        assert "prompt=select_account" in client.begin(CALLBACK, "/", prompt="login")[0]

    def test_there_is_no_logout_at_the_provider(self, github):
        client = Client(resolve("github", GITHUB, file="f"), Http(github.transport))
        client.metadata()

        assert client.logout_url(id_token=None, logout_hint=None, post_logout_redirect_uri=CALLBACK, state=None) is None


SNOWFLAKE = {"profile": "snowflake", "account": "acme", "client_id": "a+b/c=", "client_secret": "s3cret/+="}
TOKEN = {
    "refresh_token": "r3fresh",
    "expires_in": 600,
    "scope": "refresh_token session:role:ANALYST",
    "username": "ANA",
    "user_first_name": "Ana",
    "id_token": None,
}


@pytest.fixture
def snowflake():
    path = "/acme.snowflakecomputing.com/oauth/token-request"
    with PlainServer(path, {}, token=TOKEN, client=("a+b/c=", "s3cret/+=")) as server:
        yield server


class TestSnowflake:
    def test_a_login_is_who_the_token_response_names(self, snowflake):
        one = login(snowflake, SNOWFLAKE)

        assert (one.issuer, one.subject, one.name) == ("https://acme.snowflakecomputing.com", "ANA", "ANA")
        assert (one.email, one.email_verified, one.groups) == ("", None, ())
        assert one.tokens.refresh_token.reveal() == "r3fresh"
        assert one.tokens.scope == ("refresh_token", "session:role:ANALYST")
        assert snowflake.calls.total() == 1

    def test_of_the_token_response_only_what_the_profile_names_is_a_claim(self, snowflake):
        assert dict(login(snowflake, SNOWFLAKE).claims) == {"iss": "https://acme.snowflakecomputing.com", "sub": "ANA", "username": "ANA"}

    def test_a_token_is_never_a_claim_even_if_the_section_names_one(self, snowflake):
        one = login(snowflake, {**SNOWFLAKE, "claims": {"name": "access_token", "groups": "refresh_token"}})

        assert (one.name, one.groups) == ("ANA", ())
        assert "acc3ss" not in str(dict(one.claims))

    @pytest.mark.parametrize("username", [None, "", 5.0, True, ["ANA"]])
    def test_a_response_without_user_name_logs_nobody_in(self, snowflake, username):
        snowflake.token["username"] = username

        assert refused(snowflake, SNOWFLAKE).parameter == "sub"

    def test_a_refusal_is_said_with_its_code(self, snowflake):
        body = {"data": None, "error": "invalid_client", "code": None, "message": "This is an invalid client.", "success": False}
        snowflake.answers[snowflake.token_path] = httpx2.Response(400, json=body)

        assert refused(snowflake, SNOWFLAKE).error == "invalid_client"

    def test_a_refresh_leaves_the_person_as_the_first_token_response_named_them(self, snowflake):
        with closing(Client(resolve("there", SNOWFLAKE, file="f"), Http(snowflake.transport))) as client:
            url, pending = client.begin(CALLBACK, "/")
            one = client.finish(pending, snowflake.authorize(url))
            after = client.refresh(one.tokens)

            now = client.judge_refreshed(one.tokens, after, (one.issuer, one.subject), one.claims)

        assert (now.subject, dict(now.claims)) == ("ANA", dict(one.claims))

    def test_a_role_is_asked_for_in_the_scopes(self, snowflake):
        section = {**SNOWFLAKE, "scopes": ["session:role:ANALYST"]}
        client = Client(resolve("there", section, file="f"), Http(snowflake.transport))

        assert "scope=session%3Arole%3AANALYST&" in client.begin(CALLBACK, "/")[0]


OWN = """
name    = "Acme"
source  = "https://wiki.acme.com/login"
checked = 2026-11-22
openid  = false
issuer  = "https://sso.acme.com"
scopes  = ["profile"]
authorization_endpoint = "{origin}/authorize"
token_endpoint         = "{origin}/token"
userinfo_endpoint      = "{origin}/me"
email_is_verified      = "always"
[claims]
sub    = "user.id"
name   = "user.display"
email  = "user.mail"
groups = "teams"
"""


@pytest.fixture
def acme(tmp_path):
    me = {"user": {"id": "u-1", "display": "Ana", "mail": "ana@acme.com"}, "teams": ["sales"]}
    with PlainServer("/token", {"/me": me}) as server:
        (tmp_path / "acme.toml").write_text(OWN.replace("{origin}", server.origin))
        yield server


def test_a_file_of_ones_own_describes_a_whole_provider(acme, tmp_path):
    section = {"profile": str(tmp_path / "acme.toml"), "client_id": "app", "client_secret": "s3cret/+="}

    one = login(acme, section, http=Http())

    assert (one.issuer, one.subject, one.name, one.email) == ("https://sso.acme.com", "u-1", "Ana", "ana@acme.com")
    assert (one.email_verified, one.groups) == (True, ("sales",))


def test_x17_the_same_provider_without_openid_false_logs_nobody_in(acme, tmp_path):
    text = """
    name = "Acme"
    source = "https://wiki.acme.com/login"
    checked = 2026-11-22
    issuer = "{origin}"
    scopes = ["openid"]
    """
    (tmp_path / "openid.toml").write_text(text.replace("{origin}", acme.origin))
    endpoints = {name: f"{acme.origin}/{name}" for name in ("authorization_endpoint", "jwks_uri")}
    document = {"issuer": acme.origin, "token_endpoint": f"{acme.origin}/token", **endpoints, "userinfo_endpoint": f"{acme.origin}/me"}
    acme.answers["/.well-known/openid-configuration"] = document
    section = {"profile": str(tmp_path / "openid.toml"), "client_id": "app", "client_secret": "s3cret/+="}

    with closing(Client(resolve("there", section, file="f"), Http())) as client, pytest.raises(ProviderError) as caught:
        url, pending = client.begin(CALLBACK, "/")
        client.finish(pending, acme.authorize(url))
    acme.violations.clear()  # the server is strict about plain OAuth, and this client spoke OpenID Connect

    assert caught.value.parameter == "id_token"
    assert acme.calls["/me"] == 0
