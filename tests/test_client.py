"""One provider as a client: whole logins against a strict provider in this process, and everything that may be wrong with its answers."""

import json
import threading
from dataclasses import replace
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest
from joserfc.jwk import RSAKey

from st_auth.client import Client, PendingLogin
from st_auth.errors import LoginRefused, ProviderError, StAuthError, Unavailable
from st_auth.http import Http
from st_auth.oauth.profile import resolve
from st_auth.secret import Secret
from st_auth.testing.fake_issuer import FakeIssuer
from tests.oauth.given import Hands
from tests.oauth.keys import key_file, public_pem

CALLBACK = "https://app.example/oauth2callback"
NO_LOGOUT = {"id_token": None, "logout_hint": None, "post_logout_redirect_uri": None, "state": None}


@pytest.fixture
def hands():
    return Hands()


@pytest.fixture
def issuer(hands):
    with FakeIssuer(clock=hands.clock(), serve=False, redirect_uris=(CALLBACK,)) as issuer:
        yield issuer


@pytest.fixture
def client(issuer, hands):
    return a_client(issuer, hands)


def a_client(issuer, hands, **fields):
    return Client(issuer.provider(**fields), Http(issuer.transport, clock=hands.clock()), hands.clock())


def login(client, issuer, **settings):
    url, pending = client.begin(CALLBACK, "/", **settings)
    return client.finish(pending, issuer.authorize(url).partition("?")[2])


def parameter_refused(client, issuer, **settings):
    with pytest.raises(ProviderError) as caught:
        login(client, issuer, **settings)
    assert caught.value.code == "protocol_violation"
    return caught.value.parameter


class TestALogin:
    def test_rp02_rp38_rp04_goes_from_the_authorization_request_to_userinfo(self, client, issuer):
        one = login(client, issuer)

        assert (one.provider, one.issuer, one.subject, one.name) == ("fake", issuer.issuer, "ana", "Ana Analyst")
        assert (one.email, one.email_verified, one.groups) == ("ana@example.com", True, ("analysts",))
        assert one.sid
        assert one.tokens.refresh_token
        assert issuer.token_calls == 1

    def test_runs_over_real_http_too(self):
        with FakeIssuer() as issuer:
            client = Client(resolve("fake", issuer.section(), file="secrets.toml"), Http())

            assert login(client, issuer).subject == "ana"
            client.close()

    @pytest.mark.parametrize("algorithm", ["RS256", "PS256", "ES256", "ES512", "EdDSA"])
    def test_rp08_takes_every_kind_of_signature(self, client, issuer, algorithm):
        issuer.rotate(algorithm)

        assert login(client, issuer).subject == "ana"

    def test_authenticates_as_the_metadata_says(self, client, issuer):
        issuer.metadata = {"token_endpoint_auth_methods_supported": ["client_secret_post"]}

        assert login(client, issuer).subject == "ana"

    def test_works_for_a_client_without_secret(self, hands):
        with FakeIssuer(clock=hands.clock(), serve=False, client_secret=None) as issuer:
            assert login(a_client(issuer, hands), issuer).subject == "ana"

    def test_f2_16_f2_15_tolerates_what_the_specifications_tolerate(self, client, issuer):
        issuer.tokens = {"token_type": "bEARER", "expires_in": None, "scope": None}
        issuer.claims = {"aud": ["app"], "at_hash": None}

        one = login(client, issuer)

        assert one.tokens.expires_at is None
        assert one.tokens.scope == ("openid", "profile", "email")

    def test_keeps_the_order_of_claims_and_lets_userinfo_only_add(self, client, issuer):
        issuer.userinfo = {"name": "Somebody Else", "department": "sales", "sid": "x", "_claim_sources": {"s": {"endpoint": "https://e/"}}}

        claims = login(client, issuer).claims

        assert claims["name"] == "Ana Analyst"
        assert claims["department"] == "sales"
        assert list(claims)[-1] == "department"
        assert list(claims)[:3] == ["iss", "sub", "aud"]

    def test_rp03_rp05_never_fetches_the_claims_of_others(self, client, issuer):
        issuer.claims = {"_claim_names": {"x": "s"}, "_claim_sources": {"s": {"endpoint": f"{issuer.issuer}/claims"}}}

        assert "_claim_sources" not in login(client, issuer).claims
        assert issuer.calls["/claims"] == 0

    def test_without_userinfo_the_id_token_is_enough(self, client, issuer):
        issuer.metadata = {"userinfo_endpoint": None}

        assert login(client, issuer).email == "ana@example.com"

    def test_a_step_up_carries_prompt_max_age_and_login_id(self, client, issuer):
        url, pending = client.begin(CALLBACK, "/x", prompt="login", max_age=60, login_hint="ana", login_id="l1")

        sent = parse_qs(urlsplit(url).query)
        assert (sent["prompt"], sent["max_age"], sent["login_hint"]) == (["login"], ["60"], ["ana"])
        assert (pending.login_id, pending.return_to, pending.max_age) == ("l1", "/x", 60)

    def test_a_pending_login_survives_its_seal(self, client, issuer):
        url, pending = client.begin(CALLBACK, "/")

        assert client.finish(PendingLogin.from_json(pending.to_json()), issuer.authorize(url).partition("?")[2]).subject == "ana"


PAR = {"pushed_authorization_request_endpoint": "https://issuer.example/par"}
DEMANDED = {**PAR, "require_pushed_authorization_requests": True}


class TestAPushedRequest:
    def test_par01_par02_par03_is_sent_once_and_the_browser_carries_its_number_only(self, client, issuer):
        issuer.metadata = DEMANDED

        url, pending = client.begin(CALLBACK, "/", prompt="login", max_age=60, login_hint="ana")

        (pushed,) = [r for r in issuer.requests if r.url.path == "/par"]
        form = parse_qs(pushed.content.decode())
        assert pushed.method == "POST"
        assert pushed.headers["Content-Type"] == "application/x-www-form-urlencoded"
        assert pushed.headers["Authorization"].startswith("Basic ")
        assert (form["prompt"], form["max_age"], form["login_hint"], form["state"]) == (["login"], ["60"], ["ana"], [pending.state])
        assert parse_qs(urlsplit(url).query).keys() == {"client_id", "request_uri"}
        for private in (pending.state, pending.nonce.reveal(), CALLBACK, "ana"):
            assert private not in url
        assert client.finish(pending, issuer.authorize(url).partition("?")[2]).subject == "ana"

    def test_par03_each_login_has_a_number_of_its_own(self, client, issuer):
        issuer.metadata = PAR

        urls = {client.begin(CALLBACK, "/")[0] for _ in range(3)}

        assert (len(urls), issuer.calls["/par"]) == (3, 3)

    @pytest.mark.parametrize("metadata", [PAR, DEMANDED])
    @pytest.mark.parametrize(
        ("answer", "error"),
        [
            (httpx2.Response(400, json={"error": "invalid_request"}), ProviderError),
            (httpx2.Response(401, json={"error": "invalid_client"}), ProviderError),
            (httpx2.Response(405, json={"error": "x"}), ProviderError),
            (httpx2.Response(404, text="nothing here"), ProviderError),
            (httpx2.Response(302, headers={"Location": "https://evil.example/"}), ProviderError),
            (httpx2.Response(201, html="<p>hello"), ProviderError),
            (httpx2.Response(201, json={"request_uri": "", "expires_in": 60}), ProviderError),
            (httpx2.Response(413, json={"error": "x"}), ProviderError),
            (httpx2.Response(429, json={"error": "x"}), Unavailable),
            (httpx2.Response(500, json={"error": "x"}), Unavailable),
            (httpx2.Response(503), Unavailable),
        ],
    )
    def test_par04_par05_that_fails_is_no_login_after_one_call_and_nothing_goes_by_the_address_bar(
        self, client, issuer, metadata, answer, error
    ):
        issuer.metadata = metadata
        issuer.answers["/par"] = answer

        with pytest.raises(error):
            client.begin(CALLBACK, "/")

        assert issuer.calls["/par"] == 1

    def test_par04_that_is_demanded_without_an_endpoint_is_no_login(self, client, issuer):
        issuer.metadata = {"require_pushed_authorization_requests": True}

        with pytest.raises(ProviderError) as caught:
            client.begin(CALLBACK, "/")

        assert caught.value.parameter == "pushed_authorization_request_endpoint"

    def test_par05_an_error_that_repeats_what_was_pushed_is_withheld(self, client, issuer):
        issuer.metadata = PAR
        issuer.answers["/par"] = lambda r: httpx2.Response(
            400, json={"error": "invalid_request", "error_description": parse_qs(r.content.decode())["code_challenge"][0]}
        )

        with pytest.raises(ProviderError) as caught:
            client.begin(CALLBACK, "/")

        assert caught.value.description == "(withheld: it repeats what was sent)"

    def test_par04_is_not_sent_where_the_configuration_declines_and_nobody_demands_it(self, issuer, hands):
        issuer.metadata = PAR

        assert login(a_client(issuer, hands, pushed_authorization_requests=False), issuer).subject == "ana"
        assert issuer.calls["/par"] == 0

    @pytest.mark.parametrize("name", ["pushed_authorization_request_endpoint"])
    def test_x18_its_endpoint_must_be_https(self, client, issuer, name):
        issuer.metadata = {name: "http://issuer.example/par"}

        assert parameter_refused(client, issuer) == name


class TestAClientKey:
    @pytest.fixture(params=["RSA", "P-256", "Ed25519"])
    def keyed(self, request, hands, tmp_path):
        """A strict provider that knows the public half of a key, and a section that names the private one."""
        with FakeIssuer(
            clock=hands.clock(), serve=False, redirect_uris=(CALLBACK,), client_secret=None, client_key=public_pem(request.param)
        ) as one:
            section = {**one.section(), "client_key": str(key_file(tmp_path, request.param)), "client_key_id": "k1"}
            yield one, Client(resolve("fake", section, file="f"), Http(one.transport, clock=hands.clock()), hands.clock())

    def test_f2_01_bcp14_signs_who_pushes_and_who_asks_for_tokens_with_pkce(self, keyed):
        """The FAPI 2.0 flow without sender-constrained tokens: PAR, PKCE S256 and private_key_jwt."""
        issuer, client = keyed
        issuer.metadata = DEMANDED

        assert login(client, issuer).subject == "ana"

        assert (issuer.calls["/par"], issuer.calls["/token"]) == (1, 1)
        assert [claims["aud"] for claims in issuer.assertions.claims] == [issuer.issuer] * 2
        assert len({claims["jti"] for claims in issuer.assertions.claims}) == 2
        assert {header["kid"] for header in issuer.assertions.headers} == {"k1"}
        assert not [r for r in issuer.requests if "Authorization" in r.headers and r.url.path in ("/par", "/token")]

    def test_bcp14_signs_with_what_the_metadata_takes(self, keyed):
        issuer, client = keyed
        issuer.metadata = {"token_endpoint_auth_signing_alg_values_supported": ["PS256", "ES256", "EdDSA", "HS256"]}

        assert login(client, issuer).subject == "ana"
        assert {header["alg"] for header in issuer.assertions.headers} < {"PS256", "ES256", "EdDSA"}

    def test_f2_19_no_token_goes_in_a_query_or_form_of_another_endpoint(self, keyed):
        issuer, client = keyed
        issuer.metadata = DEMANDED

        token = login(client, issuer).tokens.access_token.reveal()

        assert not [r for r in issuer.requests if token in str(r.url) or token.encode() in r.content]


class TestAResource:
    API = ("https://api.acme.com", "urn:snowflake")

    @pytest.mark.parametrize("metadata", [None, PAR], ids=["address bar", "pushed"])
    def test_res01_bcp11_is_asked_for_at_each_step_and_the_token_goes_nowhere_else(self, issuer, hands, metadata):
        issuer.metadata = metadata
        client = a_client(issuer, hands, resource=self.API)
        url, pending = client.begin(CALLBACK, "/")

        assert client.finish(pending, issuer.authorize(url).partition("?")[2]).subject == "ana"

        begun = [r.content.decode() for r in issuer.requests if r.url.path == "/par"] or [urlsplit(url).query]
        (exchange,) = [r.content.decode() for r in issuer.requests if r.url.path == "/token"]
        assert [parse_qs(text)["resource"] for text in (*begun, exchange)] == [list(self.API)] * 2
        assert issuer.calls["/userinfo"] == 0

    @pytest.mark.parametrize("path", ["/par", "/token"])
    def test_res02_that_the_provider_does_not_know_is_its_error_after_one_call(self, issuer, hands, path):
        issuer.metadata = PAR
        issuer.answers[path] = httpx2.Response(400, json={"error": "invalid_target"})

        with pytest.raises(ProviderError) as caught:
            login(a_client(issuer, hands, resource=self.API), issuer)

        assert (caught.value.code, caught.value.error, issuer.calls[path]) == ("request_refused", "invalid_target", 1)
        assert "resource" in caught.value.hint


class TestARefusal:
    def test_of_the_person_is_said_with_its_code(self, client, issuer):
        issuer.person = None

        with pytest.raises(LoginRefused) as caught:
            login(client, issuer)

        assert caught.value.code == "access_denied"
        assert issuer.token_calls == 0

    @pytest.mark.parametrize("change", [{"state": "x"}, {"state": None}, {"iss": "https://evil.example"}, {"iss": None}, {"error": "x"}])
    def test_f2_06_f2_04_f2_05_x20_of_the_answer_asks_nobody_for_tokens(self, client, issuer, change):
        issuer.response = change

        with pytest.raises(LoginRefused) as caught:
            login(client, issuer)

        assert caught.value.code == "response_mismatch"
        assert issuer.token_calls == 0

    def test_x22_bcp17_of_another_browsers_answer(self, client, issuer):
        first, _ = client.begin(CALLBACK, "/")
        _, second = client.begin(CALLBACK, "/")

        with pytest.raises(LoginRefused):
            client.finish(second, issuer.authorize(first).partition("?")[2])

        assert issuer.token_calls == 0

    @pytest.mark.parametrize("change", [{"provider": "other"}, {"issuer": "https://other.example"}])
    def test_bcp04_bcp18_of_an_attempt_at_another_provider(self, client, issuer, change):
        url, pending = client.begin(CALLBACK, "/")

        with pytest.raises(LoginRefused) as caught:
            client.finish(replace(pending, **change), issuer.authorize(url).partition("?")[2])

        assert (caught.value.code, caught.value.parameter) == ("response_mismatch", "issuer")
        assert issuer.token_calls == 0

    def test_after_ten_minutes(self, client, issuer, hands):
        url, pending = client.begin(CALLBACK, "/")
        callback = issuer.authorize(url)
        hands.advance(601)

        with pytest.raises(LoginRefused) as caught:
            client.finish(pending, callback.partition("?")[2])

        assert caught.value.code == "expired"

    def test_x21_of_a_code_that_was_used(self, client, issuer):
        url, pending = client.begin(CALLBACK, "/")
        query = issuer.authorize(url).partition("?")[2]
        client.finish(pending, query)

        with pytest.raises(LoginRefused) as caught:
            client.finish(pending, query)

        assert caught.value.code == "invalid_grant"
        assert issuer.violations == ["a code was used twice"]
        issuer.violations.clear()


class TestAnIdToken:
    @pytest.mark.parametrize(
        ("claims", "parameter"),
        [
            ({"iss": "https://evil.example"}, "iss"),
            ({"iss": None}, "iss"),
            ({"aud": "other"}, "aud"),
            ({"aud": None}, "aud"),
            ({"aud": ["app", "other"]}, "azp"),
            ({"azp": "other"}, "azp"),
            ({"sub": None}, "sub"),
            ({"iat": None}, "iat"),
            ({"iat": 1}, "iat"),
            ({"exp": 1}, "exp"),
            ({"exp": None}, "exp"),
            ({"nbf": 10**10}, "nbf"),
            ({"nonce": "other"}, "nonce"),
            ({"nonce": None}, "nonce"),
            ({"at_hash": "wrong"}, "at_hash"),
            ({"c_hash": "wrong"}, "c_hash"),
        ],
    )
    def test_rp15_rp10_rp20_rp22_rp23_rp26_rp09_bcp06_with_wrong_claims_is_refused_before_any_token_is_used(
        self, client, issuer, claims, parameter
    ):
        issuer.claims = claims

        assert parameter_refused(client, issuer) == parameter
        assert issuer.calls["/userinfo"] == 0

    def test_x05_with_a_claim_twice_is_refused(self, client, issuer):
        issuer.claims = lambda claims: json.dumps(claims)[:-1] + ', "sub": "bob"}'

        assert parameter_refused(client, issuer) == "jwt.claims"

    @pytest.mark.parametrize(
        ("header", "parameter"),
        [({"alg": "none"}, "jwt"), ({"crit": ["x"], "x": 1}, "crit"), ({"typ": "logout+jwt"}, "typ")],
    )
    def test_rp07_f2_13_x06_with_a_wrong_header_is_refused(self, client, issuer, header, parameter):
        issuer.header = header

        assert parameter_refused(client, issuer) == parameter

    def test_x08_rp13_signed_with_the_public_key_as_secret_is_refused(self, client, issuer):
        issuer.tokens = {"id_token": issuer.sign({"sub": "ana"}, {"alg": "HS256"}, issuer.keys[0].as_pem())}

        assert parameter_refused(client, issuer) == "alg"

    def test_f2_14_signed_otherwise_than_the_provider_is_known_to_is_refused(self, issuer, hands):
        assert parameter_refused(a_client(issuer, hands, algorithms=("ES256",)), issuer) == "alg"

    def test_rp14_with_a_bad_signature_is_refused(self, client, issuer):
        issuer.tokens = lambda answer: {**answer, "id_token": answer["id_token"][:-8] + "AAAAAAAA"}

        assert parameter_refused(client, issuer) == "signature"
        assert issuer.calls["/userinfo"] == 0

    def test_x07_that_brings_its_own_key_is_refused_and_nothing_is_fetched(self, client, issuer):
        attacker = RSAKey.generate_key(2048)
        header = {"jwk": attacker.as_dict(private=False), "jku": f"{issuer.issuer}/evil", "x5u": f"{issuer.issuer}/evil"}
        issuer.tokens = lambda answer: {**answer, "id_token": issuer.sign({"sub": "ana"}, {**header, "kid": "evil"}, attacker)}

        assert parameter_refused(client, issuer) == "signature"
        assert issuer.calls["/evil"] == 0

    @pytest.mark.parametrize("value", [None, 5, ["x"], "no jws", ""])
    def test_x17_x14_that_is_missing_or_no_jws_is_refused(self, client, issuer, value):
        issuer.tokens = lambda answer: {**answer, "id_token": value}

        assert parameter_refused(client, issuer) in ("id_token", "jwt")

    def test_a_provider_without_openid_has_none_to_judge(self, issuer, hands):
        issuer.tokens = {"id_token": None}
        client = a_client(issuer, hands, scopes=("email",))

        assert parameter_refused(client, issuer) == "id_token"
        assert issuer.violations.pop() == "scope lacks openid"

    def test_x25_a_max_age_is_held_to_even_if_it_comes_from_the_configuration(self, issuer, hands):
        issuer.claims = {"auth_time": int(hands.at.timestamp()) - 3600}
        configured = a_client(issuer, hands, authorization_parameters={"max_age": "60"})

        assert parameter_refused(configured, issuer) == "auth_time"
        assert login(configured, issuer, max_age=7200).subject == "ana"
        assert parameter_refused(a_client(issuer, hands), issuer, max_age=60) == "auth_time"
        assert login(a_client(issuer, hands), issuer).subject == "ana"


class TestALevelOfLogin:
    GOLD = "urn:acme:gold"

    def test_x25_that_was_asked_for_is_given_or_there_is_no_login(self, client, issuer):
        issuer.claims = {"acr": self.GOLD}
        assert login(client, issuer, acr=(self.GOLD, "urn:acme:silver")).claims["acr"] == self.GOLD

        for weaker in ("urn:acme:bronze", "0", None):
            issuer.claims = {"acr": weaker}
            assert parameter_refused(client, issuer, acr=(self.GOLD,)) == "acr"

    def test_x25_that_the_configuration_asks_for_is_held_to_in_the_same_way(self, issuer, hands):
        configured = a_client(issuer, hands, authorization_parameters={"acr_values": f"{self.GOLD} urn:acme:silver"})

        assert parameter_refused(configured, issuer) == "acr"
        issuer.claims = {"acr": "urn:acme:silver"}
        assert login(configured, issuer).subject == "ana"
        assert parameter_refused(configured, issuer, acr=(self.GOLD,)) == "acr"

    def test_x25_is_held_to_after_the_seal_too(self, client, issuer):
        url, pending = client.begin(CALLBACK, "/", acr=(self.GOLD,), max_age=300, login_id="l1")
        sealed = PendingLogin.from_json(pending.to_json())

        assert (sealed.acr, sealed.max_age, sealed.login_id) == ((self.GOLD,), 300, "l1")
        assert parse_qs(urlsplit(url).query)["acr_values"] == [self.GOLD]
        with pytest.raises(ProviderError) as caught:
            client.finish(sealed, issuer.authorize(url).partition("?")[2])
        assert caught.value.parameter == "acr"


class TestKeys:
    def test_rp42_rp43_that_rotate_between_or_during_logins_are_fetched_again(self, client, issuer):
        login(client, issuer)
        issuer.rotate()

        assert login(client, issuer).subject == "ana"
        assert issuer.jwks_calls == 2

    def test_x12_a_flood_of_unknown_keys_fetches_once_a_minute(self, client, issuer, hands):
        login(client, issuer)
        issuer.header = {"kid": "unknown"}

        for _ in range(5):
            assert parameter_refused(client, issuer) == "signature"
        assert issuer.jwks_calls == 2
        hands.advance(61)
        assert parameter_refused(client, issuer) == "signature"
        assert issuer.jwks_calls == 3

    def test_rp17_rp18_without_kid_one_key_serves_and_several_do_not(self, client, issuer):
        issuer.header = {"kid": None}
        assert login(client, issuer).subject == "ana"
        issuer.rotate()
        assert login(client, issuer).subject == "ana"  # and a rotation is noticed by the signature

        issuer.rotate(keep=True)
        hourless = a_client(issuer, Hands())
        assert parameter_refused(hourless, issuer) == "kid"

    def test_x13_are_used_for_a_day_while_the_provider_does_not_give_them(self, client, issuer, hands):
        login(client, issuer)
        issuer.answers["/jwks"] = lambda _: httpx2.Response(503)
        issuer.answers["/.well-known/openid-configuration"] = lambda _: httpx2.Response(503)

        hands.advance(23 * 3600)
        assert login(client, issuer).subject == "ana"

        hands.advance(3600)
        with pytest.raises(Unavailable):
            login(client, issuer)

    def test_are_kept_for_an_hour(self, client, issuer, hands):
        login(client, issuer)
        hands.advance(3599)
        login(client, issuer)
        assert (issuer.jwks_calls, issuer.metadata_calls) == (1, 1)

        hands.advance(2)
        login(client, issuer)
        assert (issuer.jwks_calls, issuer.metadata_calls) == (2, 2)

    @pytest.mark.parametrize("document", [{"keys": [{}] * 10_000}, {"keys": "x"}, {}])
    def test_x11_that_are_no_reasonable_set_are_refused(self, client, issuer, document):
        issuer.answers["/jwks"] = lambda _: httpx2.Response(200, json=document)

        assert parameter_refused(client, issuer) == "jwks.keys"


class TestTheTokenEndpoint:
    @pytest.mark.parametrize(
        "response",
        [
            lambda _: httpx2.Response(200, html="<p>hello"),
            lambda _: httpx2.Response(200, text="no json"),
            lambda _: httpx2.Response(200, text='{"access_token": "a", "access_token": "b"}'),
            lambda _: httpx2.Response(200, text='{"expires_in": NaN}'),
            lambda _: httpx2.Response(200, text="[]"),
            lambda _: httpx2.Response(200, stream=httpx2.ByteStream(b" " * 20_000_000)),
            lambda _: httpx2.Response(307, headers={"Location": "https://evil.example/"}),
            lambda _: httpx2.Response(404, text="?"),
        ],
    )
    def test_x14_x23_that_answers_nonsense_is_the_providers_error_after_one_call(self, client, issuer, response):
        issuer.answers["/token"] = response

        with pytest.raises(ProviderError):
            login(client, issuer)

        assert issuer.token_calls == 1

    def test_x14_that_is_down_is_unavailable_after_one_call(self, client, issuer):
        issuer.answers["/token"] = httpx2.Response(500)

        with pytest.raises(Unavailable):
            login(client, issuer)

        assert issuer.token_calls == 1

    @pytest.mark.parametrize(("change", "parameter"), [({"token_type": "mac"}, "token_type"), ({"access_token": "a\r\nb"}, "access_token")])
    def test_x15_x16_that_gives_what_we_cannot_use_is_refused(self, client, issuer, change, parameter):
        issuer.tokens = change

        assert parameter_refused(client, issuer) == parameter

    def test_that_does_not_know_us_says_what_to_check(self, issuer, hands):
        client = a_client(issuer, hands, client_secret=Secret("wrong"))

        with pytest.raises(ProviderError) as caught:
            login(client, issuer)

        assert (caught.value.error, caught.value.code) == ("invalid_client", "request_refused")
        assert issuer.violations.pop() == "client authentication is missing or wrong"


class TestUserinfo:
    def test_rp16_about_somebody_else_is_refused(self, client, issuer):
        issuer.userinfo = {"sub": "bob"}

        assert parameter_refused(client, issuer) == "userinfo.sub"

    def test_rp33_that_is_signed_is_verified(self, client, issuer):
        issuer.userinfo = lambda claims: issuer.sign({**claims, "iss": issuer.issuer, "aud": "app", "department": "sales"})

        assert login(client, issuer).claims["department"] == "sales"

    @pytest.mark.parametrize(
        ("change", "parameter"),
        [
            ({"iss": "https://evil.example"}, "userinfo.iss"),
            ({"iss": None}, "userinfo.iss"),
            ({"aud": "other"}, "aud"),
            ({"sub": "bob"}, "userinfo.sub"),
        ],
    )
    def test_rp33_that_is_signed_by_or_for_others_is_refused(self, client, issuer, change, parameter):
        issuer.userinfo = lambda claims: issuer.sign({**claims, "iss": issuer.issuer, "aud": "app", **change})

        assert parameter_refused(client, issuer) == parameter

    def test_x24_that_is_signed_with_another_key_is_refused(self, client, issuer):
        issuer.userinfo = lambda claims: issuer.sign(
            {**claims, "iss": issuer.issuer, "aud": "app"}, key=RSAKey.generate_key(2048, {"kid": issuer.keys[0].kid})
        )

        assert parameter_refused(client, issuer) == "signature"

    def test_x24_that_is_a_page_is_refused(self, client, issuer):
        issuer.answers["/userinfo"] = httpx2.Response(200, html='{"sub": "ana"}')

        assert parameter_refused(client, issuer) == "body"

    def test_that_is_down_makes_the_login_unavailable(self, client, issuer):
        issuer.answers["/userinfo"] = httpx2.Response(503)

        with pytest.raises(Unavailable):
            login(client, issuer)

    def test_rp35_bcp10_is_asked_with_the_token_in_the_header(self, client, issuer):
        token = login(client, issuer).tokens.access_token.reveal()

        assert [r.headers["Authorization"] for r in issuer.requests if r.url.path == "/userinfo"] == [f"Bearer {token}"]
        assert not [r for r in issuer.requests if token in str(r.url)]


class TestMetadata:
    @pytest.mark.parametrize(
        ("change", "parameter"),
        [
            ({"issuer": "https://evil.example"}, "issuer"),
            ({"token_endpoint": "http://issuer.example/token"}, "token_endpoint"),
            ({"jwks_uri": None}, "jwks_uri"),
        ],
    )
    def test_rp36_f2_03_x18_that_is_wrong_stops_before_any_redirect(self, client, issuer, change, parameter):
        issuer.metadata = change

        with pytest.raises(ProviderError) as caught:
            client.begin(CALLBACK, "/")

        assert caught.value.parameter == parameter

    def test_x19_bcp07_that_offers_no_pkce_changes_nothing(self, client, issuer):
        issuer.metadata = {"code_challenge_methods_supported": ["plain"]}

        url, pending = client.begin(CALLBACK, "/")

        sent = parse_qs(urlsplit(url).query)
        assert sent["code_challenge_method"] == ["S256"]
        assert (sent["state"], sent["nonce"]) == ([pending.state], [pending.nonce.reveal()])

    def test_a_failure_leaves_the_provider_alone_for_five_seconds(self, client, issuer, hands):
        issuer.answers["/.well-known/openid-configuration"] = lambda _: httpx2.Response(503)
        for _ in range(5):
            with pytest.raises(Unavailable):
                client.begin(CALLBACK, "/")
        assert issuer.metadata_calls == 1

        hands.advance(5)
        issuer.answers.clear()
        assert client.begin(CALLBACK, "/")

    def test_that_turns_wrong_is_not_covered_by_the_old(self, client, issuer, hands):
        client.metadata()
        issuer.metadata = {"issuer": "https://evil.example"}
        hands.advance(3601)

        with pytest.raises(ProviderError):
            client.metadata()

    def test_is_fetched_once_however_many_ask(self, client, issuer):
        everybody = threading.Barrier(8)
        seen = []

        def ask():
            everybody.wait(5)
            seen.append(client.metadata())

        threads = [threading.Thread(target=ask) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert issuer.metadata_calls == 1
        assert len(seen) == 8

    def test_who_finds_another_one_fetching_takes_the_old(self, client, issuer, hands):
        old = client.metadata()
        hands.advance(3601)
        meanwhile = []

        def answer(_):
            other = threading.Thread(target=lambda: meanwhile.append(client.metadata()))
            other.start()
            other.join(5)
            return httpx2.Response(503)

        issuer.answers["/.well-known/openid-configuration"] = answer

        assert client.metadata() is old
        assert meanwhile == [old]


class TestLogout:
    def test_rp54_says_which_client_and_where_to_land(self, client, issuer):
        client.metadata()

        url = client.logout_url(id_token=Secret("a.b.c"), logout_hint="ana", post_logout_redirect_uri="https://app.example/", state="s")

        assert url.startswith(f"{issuer.issuer}/logout?")
        assert parse_qs(urlsplit(url).query) == {
            "client_id": ["app"],
            "logout_hint": ["ana"],
            "post_logout_redirect_uri": ["https://app.example/"],
            "state": ["s"],
        }

    def test_rpl01_the_id_token_goes_along_only_where_the_provider_insists(self, issuer, hands):
        client = a_client(issuer, hands, logout_wants_id_token=True)
        client.metadata()

        assert "id_token_hint=a.b.c" in client.logout_url(**{**NO_LOGOUT, "id_token": Secret("a.b.c")})
        assert "id_token_hint" not in client.logout_url(**NO_LOGOUT)

    def test_keeps_the_query_of_the_endpoint_and_sends_no_state_without_a_landing(self, client, issuer):
        issuer.metadata = {"end_session_endpoint": "https://issuer.example/logout?p=1"}
        client.metadata()

        assert client.logout_url(**{**NO_LOGOUT, "state": "s"}) == "https://issuer.example/logout?p=1&client_id=app"

    def test_asks_nobody(self, client, issuer, hands):
        assert client.logout_url(**NO_LOGOUT) is None
        client.metadata()
        hands.advance(3 * 3600)
        assert client.logout_url(**NO_LOGOUT)
        hands.advance(24 * 3600)
        assert client.logout_url(**NO_LOGOUT) is None
        assert issuer.metadata_calls == 1

    def test_is_none_where_the_provider_has_no_such_page(self, client, issuer):
        issuer.metadata = {"end_session_endpoint": None}
        client.metadata()

        assert client.logout_url(**NO_LOGOUT) is None


class TestTheFakeIssuer:
    """It is strict: a client that misbehaves fails the test."""

    def test_notes_what_an_authorization_request_lacks(self):
        with pytest.raises(AssertionError) as caught, FakeIssuer(serve=False, redirect_uris=(CALLBACK,)) as issuer:
            issuer.authorize(f"{issuer.issuer}/authorize?redirect_uri=https://evil.example/&client_secret=x")

        for what in ("redirect_uri", "client_id", "response_type", "openid", "state", "nonce", "code_challenge", "client secret"):
            assert what in str(caught.value)

    def test_notes_a_verifier_that_does_not_fit_and_another_redirect_uri(self, client, issuer):
        url, pending = client.begin(CALLBACK, "/")
        query = issuer.authorize(url).partition("?")[2]

        with pytest.raises(StAuthError):
            client.finish(replace(pending, code_verifier=Secret("x" * 64), redirect_uri="https://app.example/other"), query)

        assert len(issuer.violations) == 2
        issuer.violations.clear()

    def test_shows_a_page_when_it_is_told_to_ask(self):
        with FakeIssuer() as issuer, httpx2.Client(trust_env=False) as browser:
            client = Client(issuer.provider(), Http())
            url, pending = client.begin(CALLBACK, "/", prompt="login")

            page = browser.get(url)
            assert page.status_code == 200
            assert "<button>" in page.text
            answer = browser.get(f"{url}&confirmed=1")

            assert client.finish(pending, answer.headers["Location"].partition("?")[2]).subject == "ana"
            assert (
                browser.get(f"{issuer.issuer}/logout?client_id=app&post_logout_redirect_uri=https://a/&state=s").headers["Location"]
                == "https://a/?state=s"
            )
            assert browser.get(f"{issuer.issuer}/logout?client_id=app").status_code == 200
            assert [sent.get("state") for sent in issuer.logouts] == ["s", None]
            client.close()

    def test_revokes_the_grant_of_a_refresh_token(self, client, issuer):
        token = login(client, issuer).tokens.refresh_token.reveal()
        credentials = {"client_id": "app", "client_secret": issuer.client_secret}
        with httpx2.Client(transport=issuer.transport) as http:
            assert http.post(f"{issuer.issuer}/revoke", data={"token": token}).status_code == 401
            assert http.post(f"{issuer.issuer}/revoke", data={"token": token, **credentials}).status_code == 200
            refresh = {"grant_type": "refresh_token", "refresh_token": token, **credentials}
            assert http.post(f"{issuer.issuer}/token", data=refresh).status_code == 400
            assert http.post(f"{issuer.issuer}/token", data={"grant_type": "password", **credentials}).status_code == 400

        assert issuer.revoked == [token]
        assert issuer.violations == ["client authentication is missing or wrong"]
        issuer.violations.clear()

    def test_rotates_refresh_tokens_and_notes_a_second_use(self, client, issuer):
        tokens = login(client, issuer).tokens
        form = {
            "grant_type": "refresh_token",
            "refresh_token": tokens.refresh_token.reveal(),
            "client_id": "app",
            "client_secret": issuer.client_secret,
        }
        with httpx2.Client(transport=issuer.transport) as http:
            assert http.post(f"{issuer.issuer}/token", data=form).json()["refresh_token"] != form["refresh_token"]
            assert http.post(f"{issuer.issuer}/token", data=form).json() == {"error": "invalid_grant"}

        assert issuer.refresh_count == 1
        assert issuer.violations == ["a refresh token was used twice"]
        issuer.violations.clear()
