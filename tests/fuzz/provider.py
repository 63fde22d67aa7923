"""The provider that answers with a case, and the client, the vault and the sessions that are asked to believe it."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from random import Random
from urllib.parse import parse_qs

import httpx2
from joserfc.jwk import OKPKey

from st_auth.client import Client, PendingLogin
from st_auth.errors import LoginRefused, ProviderError, StAuthError, Unavailable
from st_auth.http import Http
from st_auth.keyring import Keyring
from st_auth.oauth.client_key import ClientKey
from st_auth.oauth.logout_token import LogoutRequest, addressed
from st_auth.oauth.tokens import TokenSet
from st_auth.secret import Secret
from st_auth.sessions import Limits, Session, Sessions
from st_auth.stores.memory import MemoryStore
from st_auth.vault import Vault
from tests.fuzz.answers import (
    AT,
    BARE,
    BARE_LOGINS,
    CLIENT_ID,
    ISSUER,
    LOGINS,
    PLAIN_ENDPOINTS,
    SECOND_TENANT,
    SUBJECT_TOKEN,
    TENANT,
    USED_REFRESH_TOKEN,
    Case,
    Keys,
    Reply,
)
from tests.oauth.given import NOW, Hands, a_provider

CALLBACK = "https://app.example/oauth2callback"
REFUSALS = (LoginRefused, ProviderError, Unavailable)
COMMON = {"issuer": ISSUER, "client_id": CLIENT_ID, "client_secret": Secret("s3cret-of-app")}
_NO_ADDRESS = {name: address for name, address in PLAIN_ENDPOINTS.items() if name not in ("userinfo_endpoint", "emails_endpoint")}
_PEOPLE: dict[str, object] = {
    "openid": False,
    "endpoints": PLAIN_ENDPOINTS,
    "scopes": ("read:user", "user:email"),
    "claims": {"sub": "id", "preferred_username": "login"},
    "error_codes": {"bad_verification_code": "invalid_grant", "incorrect_client_credentials": "invalid_client"},
    "quirks": ("scope_with_commas",),
    "token_endpoint_auth_method": "client_secret_post",
}
SETTINGS: dict[str, dict[str, object]] = {
    "people": _PEOPLE,
    "people_again": _PEOPLE,
    "named": {
        "openid": False,
        "endpoints": _NO_ADDRESS,
        "scopes": ("refresh_token",),
        "claims": {"sub": "username", "name": "username"},
        "subject_from": "token_response",
    },
    "tenants": {
        "issuer": f"{ISSUER}/{{tenantid}}/v2.0",
        "tenants": (TENANT, SECOND_TENANT),
        "quirks": ("issuer_names_the_tenant",),
    },
    "on_behalf": {"exchange": "jwt-bearer"},
    "by_url": {"issuer": None},
    "keyed": {"client_secret": None, "client_key": ClientKey(OKPKey.generate_key("Ed25519"))},
    "no_openid": {"scopes": ("profile",)},
}


class World:
    """Everything around a case: a provider without sockets, and an app. It does not know what has been changed."""

    def __init__(self, rng: Random) -> None:
        self.rng, self.keys, self.hands = rng, Keys(rng), Hands()
        self._case: Case | None = None
        self._http = Http(httpx2.MockTransport(self._answer), clock=self.hands.clock())
        self._standing: dict[str, Client] = {}
        self._keyring = Keyring.from_secret("only for tests, only in memory, never in a file")

    def play(self, case: Case, *, anew: bool) -> StAuthError | None:
        """Let a case happen: None if all of it was believed, else the refusal. Raises whatever else comes out.

        A client that has read metadata and keys before takes the case, unless it begins `anew`.
        """
        self._case, self._jwks_calls = case, 0
        self.hands.advance(61)  # past the minute between two renewals of keys; wall time stands still
        self.hands.at = NOW
        client = self._client(case.kind, anew=anew)
        store = MemoryStore(self.hands.clock())
        sessions = Sessions(Vault(self._keyring, store, self.rng.randbytes), Limits(), self.hands.clock(), self.rng.randbytes)
        acts = {
            "refresh": self._refresh,
            "people_again": self._people_again,
            "exchange": self._exchange,
            "on_behalf": self._exchange,
            "logout": self._logout,
            "revoke": self._revoke,
        }
        try:
            acts.get(case.kind, self._login)(case, client, sessions)
        except REFUSALS as error:
            assert not store._records, "a session was made and then refused"
            return error
        assert len(store._records) == (case.kind in (*LOGINS, *BARE_LOGINS)), "the number of sessions is wrong"
        return None

    def _client(self, kind: str, *, anew: bool) -> Client:
        if anew or kind not in self._standing:
            client = Client(a_provider(**{**COMMON, **SETTINGS.get(kind, {})}), self._http, self.hands.clock())
            if anew:
                return client
            self._standing[kind] = client
        return self._standing[kind]

    def _login(self, case: Case, client: Client, sessions: Sessions) -> None:
        asked = {"max_age": 300, "acr": ("gold", "silver")} if case.kind == "strong" else {}
        _, begun = client.begin(CALLBACK, "/", **asked)  # type: ignore[arg-type]  # two settings of different types in one table
        known = {"state": case.state, "nonce": Secret(case.nonce), "created_at": NOW - case.delay, **case.pending}
        pending = PendingLogin.from_json(replace(begun, **known).to_json())
        login = client.finish(pending, case.query_text())
        cookie, session = sessions.begin(login)
        assert login.subject == session.card.subject == login.claims["sub"] == case.subject, "somebody else logged in"
        assert session.card.issuer == login.issuer == login.claims["iss"] == case.issuer
        assert login.tokens.access_token.reveal() == case.access
        assert not {"_claim_sources", "_claim_names"} & set(login.claims)
        assert isinstance(sessions.resume(cookie), Session), "the session cannot be resumed"
        if case.kind == "tenants":
            assert login.claims["tid"] == case.tenant, "the person came into another tenant"
        if case.kind in BARE:
            assert login.tokens.id_token is None, "a token that nobody looked at would count as an ID token"
            assert not any(secret in repr(dict(login.claims)) for secret in (case.access, case.refresh)), "a token became a claim"
        if case.kind == "people":
            assert (login.email, login.email_verified) == case.email, "another address, or one that is not verified"
            assert set(login.tokens.scope) == case.scope

    def _refresh(self, case: Case, client: Client, _: Sessions) -> None:
        before = TokenSet(Secret("access-of-before"), "Bearer", NOW - timedelta(hours=1), Secret(USED_REFRESH_TOKEN), None, ("openid",))
        claims = {"sub": "ana", "iss": ISSUER, "auth_time": AT - 5}
        after = client.refresh(before)
        login = client.judge_refreshed(before, after, (ISSUER, "ana"), claims)
        assert (login.issuer, login.subject) == (ISSUER, "ana"), "somebody else's refresh"
        assert after.access_token.reveal() == case.access

    def _people_again(self, case: Case, client: Client, _: Sessions) -> None:
        before = TokenSet(Secret("access-of-before"), "Bearer", NOW - timedelta(hours=1), Secret(USED_REFRESH_TOKEN), None, ("user:email",))
        claims = {"sub": "7001", "iss": ISSUER, "email": "ana@example.com", "email_verified": True}
        after = client.refresh(before)
        login = client.judge_refreshed(before, after, (ISSUER, "7001"), claims)
        assert (login.issuer, login.subject, login.claims["iss"], login.claims["sub"]) == (ISSUER, "7001") * 2, "somebody else's refresh"
        assert after.access_token.reveal() == case.access
        assert after.id_token is None
        assert (login.email, login.email_verified) == case.email, "another address, or one that is not verified"

    def _exchange(self, case: Case, client: Client, _: Sessions) -> None:
        tokens = client.exchange(Secret(SUBJECT_TOKEN), "https://api.example")
        assert (tokens.access_token.reveal(), tokens.token_type) == (case.access, "Bearer")

    def _logout(self, case: Case, client: Client, _: Sessions) -> None:
        text = str(case.jwt)
        claimed = addressed(text)
        logout = client.logout_token(text)
        assert isinstance(logout, LogoutRequest)
        assert (claimed.issuer, CLIENT_ID in claimed.audience) == (ISSUER, True)
        assert logout.subject in ("ana", "")
        assert logout.sid in ("s1", "")
        assert logout.subject or logout.sid
        assert logout.expires_at > NOW, "it could be used again after it was forgotten"

    def _revoke(self, case: Case, client: Client, _: Sessions) -> None:
        client.revoke(TokenSet(Secret(case.access), "Bearer", None, Secret(case.refresh), None, ()))

    def _answer(self, request: httpx2.Request) -> httpx2.Response:
        case, where = self._case, request.url.path.rpartition("/")[2].replace("openid-configuration", "metadata")
        assert case
        reply = self._reply(case, where, request)
        if bend := case.http.get(where):
            bend(reply)
        if reply.fails:
            raise reply.fails
        return httpx2.Response(reply.status, headers=reply.headers, stream=_Body(reply, self.hands))

    def _reply(self, case: Case, where: str, request: httpx2.Request) -> Reply:
        kind = {"Content-Type": "application/json"}
        if where == "jwks":
            self._jwks_calls += 1
            shown = case.later_jwks if case.later_jwks and self._jwks_calls > 1 else case.jwks
            return Reply(200, kind, shown.text())
        if where == "token":
            form = parse_qs(request.content.decode())
            given = {"code": case.code, "refresh_token": USED_REFRESH_TOKEN, "subject_token": SUBJECT_TOKEN, "assertion": SUBJECT_TOKEN}
            is_theirs = any(form.get(name) == [value] for name, value in given.items())
            return Reply(200, kind, case.token.text()) if is_theirs else Reply(400, kind, b'{"error":"invalid_grant"}')
        if where in ("userinfo", "emails") and request.headers.get("Authorization") != f"Bearer {case.access}":
            return Reply(401, kind, b'{"error":"invalid_token"}')
        if where == "userinfo" and case.userinfo_jwt:
            return Reply(200, {"Content-Type": "application/jwt"}, str(case.userinfo_jwt).encode())
        texts = {"metadata": case.metadata, "par": case.pushed, "userinfo": case.userinfo, "emails": case.emails}
        if where in texts:
            return Reply(201 if where == "par" else 200, kind, texts[where].text())
        return Reply(200 if where == "revoke" else 404, kind, b"{}")


class _Body(httpx2.SyncByteStream):
    """A body in two pieces, with a pause of the turned clock between them."""

    def __init__(self, reply: Reply, hands: Hands) -> None:
        self._reply, self._hands = reply, hands

    def __iter__(self) -> Iterator[bytes]:
        half = len(self._reply.body) // 2
        yield self._reply.body[:half]
        self._hands.seconds += self._reply.pause
        yield self._reply.body[half:]
