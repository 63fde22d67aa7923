"""Logins at providers with habits of their own: Entra's many tenants behind one issuer, Cognito's logout, Slack's errors with 200."""

import time
from contextlib import closing
from dataclasses import replace
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest

from st_auth.client import Client
from st_auth.errors import LoginRefused, ProviderError
from st_auth.http import Http
from st_auth.oauth.logout_token import EVENT
from st_auth.oauth.profile import resolve
from st_auth.testing.fake_issuer import FakeIssuer

CALLBACK = "https://app.example/oauth2callback"
OURS, THEIRS = "8eaef023-2b34-4da1-9baa-8bc8c9d6a490", "11111111-2222-3333-4444-555555555555"
PERSONAL = "9188040d-6c67-4c5b-b112-36a304b66dad"
ENTRA = {"profile": "entra-multitenant", "tenant": "organizations", "client_id": "app", "client_secret": "s3cret/+ %&é"}
COGNITO = {
    "profile": "cognito",
    "region": "eu-central-1",
    "user_pool_id": "eu-central-1_x",
    "domain": "acme.auth.eu-central-1.amazoncognito.com",
    "client_id": "app",
    "client_secret": "s3cret/+ %&é",
}


@pytest.fixture
def issuer():
    with FakeIssuer() as issuer:
        yield issuer


def template(issuer):
    return f"{issuer.issuer}/{{tenantid}}/v2.0"


@pytest.fixture
def entra(issuer):
    """The issuer as Entra answers: a template in the metadata, the person's tenant in the token, no `iss` in the response."""
    issuer.metadata = {"issuer": template(issuer), "authorization_response_iss_parameter_supported": False}
    issuer.response = {"iss": None}
    issuer.claims = {"iss": template(issuer).replace("{tenantid}", OURS), "tid": OURS}
    return issuer


def a_client(section, there, issuer):
    """The client of a section whose provider is on loopback, with that issuer; to be closed."""
    return closing(Client(replace(resolve("work", section, file="f"), metadata_url=there.metadata_url, issuer=issuer), Http()))


def login(client, issuer):
    with client as opened:
        url, pending = opened.begin(CALLBACK, "/")
        return opened.finish(pending, issuer.authorize(url).partition("?")[2])


def entra_login(issuer, **section):
    return login(a_client({**ENTRA, **section}, issuer, template(issuer)), issuer)


def refused(issuer, **section):
    with pytest.raises(ProviderError) as caught:
        entra_login(issuer, **section)
    assert issuer.calls["/userinfo"] == 0
    return caught.value.parameter


class TestManyTenants:
    def test_the_sessions_issuer_is_the_one_of_the_persons_own_tenant(self, entra):
        one = entra_login(entra)

        assert one.issuer == f"{entra.issuer}/{OURS}/v2.0"
        assert (one.subject, one.claims["tid"], one.email_verified) == ("ana", OURS, False)

    def test_the_same_subject_in_two_tenants_is_two_people(self, entra):
        first = entra_login(entra)
        entra.claims = {"iss": template(entra).replace("{tenantid}", THEIRS), "tid": THEIRS}

        assert (first.issuer, first.subject) != (entra_login(entra).issuer, "ana")

    @pytest.mark.parametrize(
        "issued",
        [f"https://login.example/{OURS}/v2.0", "{template}", "{origin}", f"{{origin}}/{THEIRS}/v2.0", f"{{origin}}/{OURS}/v2.0/", None],
    )
    def test_rp15_bcp15_an_issuer_that_is_not_the_template_with_the_tokens_own_tenant_is_refused(self, entra, issued):
        text = issued and issued.replace("{template}", template(entra)).replace("{origin}", entra.issuer)
        entra.claims = {"iss": text, "tid": OURS}

        assert refused(entra) == "iss"

    @pytest.mark.parametrize("tenant", [None, "", "common", "{tenantid}", OURS.upper(), f"{OURS}/..", f"{OURS}\n", 5, [OURS]])
    def test_a_tenant_that_is_no_guid_is_refused(self, entra, tenant):
        entra.claims = {"iss": template(entra).replace("{tenantid}", str(tenant)), "tid": tenant}

        assert refused(entra) == "tid"

    def test_rp36_metadata_with_any_other_issuer_than_the_template_is_refused(self, entra):
        entra.metadata = {"issuer": template(entra).replace("{tenantid}", OURS)}

        assert refused(entra) == "issuer"
        assert entra.token_calls == 0

    def test_only_the_tenants_that_are_listed_come_in(self, entra):
        assert entra_login(entra, tenants=[OURS.upper()]).subject == "ana"

        with pytest.raises(LoginRefused) as caught:
            entra_login(entra, tenants=[THEIRS])

        assert (caught.value.code, caught.value.parameter) == ("not_allowed", "tenant")

    @pytest.mark.parametrize(("whose", "is_taken"), [(OURS, True), ("{tenantid}", True), (None, True), (THEIRS, False), (PERSONAL, False)])
    def test_a_key_that_says_whose_it_is_signs_for_nobody_else(self, entra, whose, is_taken):
        named = {} if whose is None else {"issuer": template(entra).replace("{tenantid}", whose)}
        keys = [{**key.as_dict(private=False, use="sig"), **named} for key in entra.keys]
        entra.answers["/jwks"] = _json({"keys": keys})

        if is_taken:
            assert entra_login(entra).subject == "ana"
        else:
            assert refused(entra) == "signature"

    def test_a_token_with_a_bad_signature_says_nothing_about_its_tenant(self, entra):
        entra.tokens = lambda answer: {**answer, "id_token": answer["id_token"][:-8] + "AAAAAAAA"}

        assert refused(entra) == "signature"

    def test_after_a_refresh_it_must_be_the_same_tenant(self, entra):
        with a_client(ENTRA, entra, template(entra)) as client:
            url, pending = client.begin(CALLBACK, "/")
            one = client.finish(pending, entra.authorize(url).partition("?")[2])
            who = (one.issuer, one.subject)
            after = client.refresh(one.tokens)
            assert client.judge_refreshed(one.tokens, after, who, one.claims).issuer == one.issuer

            entra.claims = {"iss": template(entra).replace("{tenantid}", THEIRS), "tid": THEIRS}
            with pytest.raises(ProviderError) as caught:
                client.judge_refreshed(one.tokens, client.refresh(after), who, one.claims)

        assert caught.value.parameter == "iss"

    def test_a_logout_is_for_the_persons_own_issuer(self, entra):
        claims = {"aud": "app", "sid": "s", "jti": "j", "events": {EVENT: {}}, "iat": int(time.time()), "exp": int(time.time()) + 60}
        ours, theirs = (template(entra).replace("{tenantid}", tenant) for tenant in (OURS, THEIRS))

        with a_client(ENTRA, entra, template(entra)) as client:
            token = entra.sign({**claims, "iss": ours, "tid": OURS}, {"typ": "logout+jwt"})
            assert client.logout_token(token).issuer == ours
            with pytest.raises(ProviderError) as caught:
                client.logout_token(entra.sign({**claims, "iss": theirs, "tid": OURS}, {"typ": "logout+jwt"}))
            assert caught.value.parameter == "iss"
            assert client.may_be(ours) and client.may_be(theirs)
            assert not any(client.may_be(issuer) for issuer in (template(entra), f"{ours}/", entra.issuer, ""))

    def test_a_single_tenant_is_compared_as_always(self, issuer):
        section = {"profile": "entra", "tenant": OURS, "client_id": "app", "client_secret": issuer.client_secret}
        issuer.claims = {"iss": f"{issuer.issuer}/{THEIRS}/v2.0", "tid": THEIRS}

        with pytest.raises(ProviderError) as caught:
            login(a_client(section, issuer, issuer.issuer), issuer)

        assert caught.value.parameter == "iss"


class TestCognito:
    def test_its_logout_gets_its_own_parameter_and_nothing_else(self, issuer):
        landing = "https://app.example/bye"
        with a_client(COGNITO, issuer, issuer.issuer) as client:
            client.metadata()
            url = client.logout_url(id_token=None, logout_hint="ana@example.com", post_logout_redirect_uri=landing, state="s")

        assert url.startswith("https://acme.auth.eu-central-1.amazoncognito.com/logout?")
        assert parse_qs(urlsplit(url).query) == {"client_id": ["app"], "logout_uri": ["https://app.example/bye"]}

    def test_without_a_registered_page_nobody_is_sent_to_an_error(self, issuer):
        with a_client(COGNITO, issuer, issuer.issuer) as client:
            client.metadata()

            assert client.logout_url(id_token=None, logout_hint="x", post_logout_redirect_uri=None, state=None) is None

    def test_groups_and_verified_addresses_are_read_as_it_writes_them(self, issuer):
        issuer.claims = {"cognito:groups": ["sales"], "cognito:username": "ana-1", "name": None, "email_verified": "true", "groups": None}
        issuer.userinfo = {"name": None, "groups": None}

        one = login(a_client(COGNITO, issuer, issuer.issuer), issuer)

        assert (one.groups, one.name, one.email_verified) == (("sales",), "ana-1", True)


@pytest.mark.parametrize(("error", "kind"), [("invalid_code", LoginRefused), ("bad_client_secret", ProviderError), ("odd", ProviderError)])
def test_slacks_errors_with_status_200_are_errors(issuer, error, kind):
    section = {"profile": "slack", "client_id": "app", "client_secret": issuer.client_secret}
    issuer.answers["/token"] = _json({"ok": False, "error": error})

    with pytest.raises(kind):
        login(a_client(section, issuer, issuer.issuer), issuer)


def _json(body):
    return httpx2.Response(200, json=body)
