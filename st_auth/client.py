"""One provider as a client: begin → finish → logout URL. Asks through `http`, judges with `oauth`."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from st_auth.clock import SYSTEM, Clock
from st_auth.errors import LoginRefused, ProviderError
from st_auth.http import Answer, Http, Text, json_of
from st_auth.kept import Kept
from st_auth.oauth import jwks
from st_auth.oauth.authorization import Grant, authorization_request, judge_response, new_code_verifier, new_token
from st_auth.oauth.dialect import in_standard_words
from st_auth.oauth.id_token import Expectation, claims_of, judge_claims, judge_userinfo, merged, require_audience
from st_auth.oauth.login import Login, judge_login
from st_auth.oauth.metadata import Metadata, judge_metadata, metadata_of
from st_auth.oauth.pending import PendingLogin
from st_auth.oauth.plain import judge_emails, judge_person
from st_auth.oauth.profile import Provider
from st_auth.oauth.quirks import ISSUER_NAMES_THE_TENANT, LOGOUT_TAKES_LOGOUT_URI
from st_auth.oauth.tenants import issuer_of, keys_of, require_tenant
from st_auth.oauth.tokens import TokenSet, code_request, judge_token_response
from st_auth.oauth.violations import protocol_violation
from st_auth.secret import Secret

__all__ = ["Client", "Login", "PendingLogin"]


class Client:
    """One provider as a client; safe to share between threads.

    Keeps the provider's metadata and keys: fresh for an hour, and for a day where the provider is down.
    """

    def __init__(self, provider: Provider, http: Http, clock: Clock = SYSTEM) -> None:
        self.provider = provider
        self._http = http
        self._clock = clock
        self._metadata = Kept(self._fetch_metadata, clock)
        self._keys = Kept(self._fetch_keys, clock)

    def metadata(self) -> Metadata:
        """Return the provider's metadata; raises `Unavailable` or `ProviderError`."""
        return self._metadata.get()

    def begin(
        self,
        redirect_uri: str,
        return_to: str,
        *,
        prompt: str | None = None,
        max_age: int | None = None,
        login_hint: str | None = None,
        login_id: str = "",
    ) -> tuple[str, PendingLogin]:
        """Return the URL that the browser is sent to, and what must be sealed meanwhile."""
        metadata = self.metadata()
        max_age = self._max_age() if max_age is None else max_age
        if max_age is not None and not self.provider.openid:
            raise _cannot_say_when()
        pending = PendingLogin(
            provider=self.provider.name,
            issuer=metadata.issuer,
            state=new_token(),
            nonce=Secret(new_token()),
            code_verifier=new_code_verifier(),
            redirect_uri=redirect_uri,
            return_to=return_to,
            login_id=login_id,
            max_age=max_age,
            created_at=self._clock.now(),
        )
        return authorization_request(metadata, self.provider, pending, prompt=prompt, login_hint=login_hint), pending

    def finish(self, pending: PendingLogin, query: str) -> Login:
        """Return who logged in, from the raw query string of the callback.

        Asks the token endpoint once. No token is used before the ID token has been accepted (RFC 9700 section 4.5.3.2). Only where
        the profile says `openid = false` there is none, and the answer that it names says who logged in.
        Raises `LoginRefused`, `ProviderError` or `Unavailable`.
        """
        metadata = self.metadata()
        _require_ours(pending, self.provider.name, metadata.issuer)
        grant = judge_response(query, metadata, pending, self._clock.now())
        answer = self._token_answer(grant, metadata)
        tokens = judge_token_response(answer.status, answer.json, self.provider.scopes, self._clock.now())
        if not self.provider.openid:
            return self._plain_login(tokens, answer.json, metadata)
        id_claims = self._id_claims(tokens, grant, pending, metadata)
        metadata = replace(metadata, issuer=str(id_claims["iss"]))
        userinfo = self._userinfo(tokens, str(id_claims["sub"]), metadata)
        return judge_login(self.provider, metadata.issuer, merged(id_claims, userinfo), tokens)

    def logout_url(
        self, *, id_token: Secret[str] | None, logout_hint: str | None, post_logout_redirect_uri: str | None, state: str | None
    ) -> str | None:
        """Return where the browser logs out at the provider (RP-Initiated Logout 1.0 section 2), or None.

        Asks nobody: None if the provider has no such page, the profile says that it
        is of no use, or the metadata has not been read. `id_token` goes along only
        where the profile says that the provider insists, as it would end up in logs and histories.
        """
        metadata = self._metadata.kept()
        if metadata is None or metadata.end_session_endpoint is None or self.provider.logout_landing == "none":
            return None
        if LOGOUT_TAKES_LOGOUT_URI in self.provider.quirks:
            sent = {"client_id": self.provider.client_id, "logout_uri": post_logout_redirect_uri or ""}
            return _with_query(metadata.end_session_endpoint, sent) if post_logout_redirect_uri else None
        parameters = {
            "client_id": self.provider.client_id,
            "id_token_hint": id_token.reveal() if id_token and self.provider.logout_wants_id_token else None,
            "logout_hint": logout_hint,
            "post_logout_redirect_uri": post_logout_redirect_uri,
            "state": state if post_logout_redirect_uri else None,
        }
        return _with_query(metadata.end_session_endpoint, {name: value for name, value in parameters.items() if value})

    def close(self) -> None:
        """Close the connections to the provider."""
        self._http.close()

    def _max_age(self) -> int | None:
        """Return the `max_age` that the configuration asks for, so that the answer is held to it."""
        configured = self.provider.authorization_parameters.get("max_age", "")
        return int(configured) if configured.isascii() and configured.isdigit() else None

    def _fetch_metadata(self) -> Metadata:
        if not self.provider.openid:
            return metadata_of(self.provider)
        return judge_metadata(self._http.get_json(self.provider.metadata_url), self.provider)

    def _fetch_keys(self) -> tuple[jwks.Jwk, ...]:
        return jwks.judge_jwks(self._http.get_json(self.metadata().jwks_uri))

    def _token_answer(self, grant: Grant, metadata: Metadata) -> Answer:
        request = code_request(grant, self.provider, metadata)
        answer = self._http.post_form(metadata.token_endpoint, request.pairs(), headers=request.headers)
        return Answer(answer.status, in_standard_words(answer.json, self.provider))

    def _plain_login(self, tokens: TokenSet, answer: Mapping[str, Any], metadata: Metadata) -> Login:
        """Return who logged in at a provider without OpenID; an ID token that came all the same is judged by nobody, so it goes."""
        if self.provider.subject_from == "userinfo":
            answer = self._http.get_json(str(metadata.userinfo_endpoint), bearer=tokens.access_token)
        claims = judge_person(answer, self.provider, metadata.issuer)
        if (emails := self.provider.endpoints.get("emails_endpoint")) is not None:
            claims |= judge_emails(self._http.get_list(emails, bearer=tokens.access_token))
        return judge_login(self.provider, metadata.issuer, claims, replace(tokens, id_token=None))

    def _id_claims(self, tokens: TokenSet, grant: Grant, pending: PendingLogin, metadata: Metadata) -> dict[str, Any]:
        if tokens.id_token is None:
            raise protocol_violation("id_token", "present")
        signed = jwks.parse_jws(tokens.id_token.reveal(), self.provider.algorithms)
        payload = self._verified(signed)
        expected = Expectation(
            issuer=self._issuer(signed, payload, metadata.issuer),
            client_id=self.provider.client_id,
            nonce=pending.nonce,
            algorithm=signed.algorithm,
            access_token=tokens.access_token,
            code=grant.code,
            max_age=pending.max_age,
        )
        claims = judge_claims(payload, expected, self._clock.now())
        require_tenant(claims, self.provider.tenants)
        return claims

    def _issuer(self, signed: jwks.Jws, payload: bytes, issuer: str) -> str:
        """Return who must have issued a verified ID token; where the issuer names the tenant, by a key that may sign for it."""
        if ISSUER_NAMES_THE_TENANT not in self.provider.quirks:
            return issuer
        filled = issuer_of(issuer, payload)
        if jwks.verified_payload(signed, keys_of(filled, issuer, self._keys.get())) is None:
            raise protocol_violation("signature", "valid, by a key of the token's own issuer")
        return filled

    def _verified(self, signed: jwks.Jws) -> bytes:
        """Return the payload; an unknown key makes us ask for the keys again, at most once a minute (RP-42, X-12)."""
        keys = self._keys.get()
        payload = jwks.verified_payload(signed, keys)
        if payload is None:
            payload = jwks.verified_payload(signed, self._keys.renewed(unlike=keys))
        if payload is None:
            raise protocol_violation("signature", "valid, by one of the provider's keys")
        return payload

    def _userinfo(self, tokens: TokenSet, subject: str, metadata: Metadata) -> dict[str, Any]:
        if metadata.userinfo_endpoint is None:
            return {}
        answer = self._http.get_text(metadata.userinfo_endpoint, bearer=tokens.access_token)
        claims = self._signed_userinfo(answer, metadata) if answer.media_type == "application/jwt" else json_of(answer)
        return judge_userinfo(claims, subject)

    def _signed_userinfo(self, answer: Text, metadata: Metadata) -> dict[str, Any]:
        """Accept userinfo as a JWT: signed by the provider, from it and for us (OpenID Connect Core 1.0 section 5.3.2)."""
        claims = claims_of(self._verified(jwks.parse_jws(answer.text.strip(), self.provider.algorithms)))
        if claims.get("iss") != metadata.issuer:
            raise protocol_violation("userinfo.iss", "the configured issuer")
        require_audience(claims, self.provider.client_id)
        return claims


def _require_ours(pending: PendingLogin, provider: str, issuer: str) -> None:
    """Refuse a pending login that began at another provider (RFC 9700 section 4.4.2)."""
    if (pending.provider, pending.issuer) != (provider, issuer):
        message = "This attempt to log in began at another provider."
        raise LoginRefused(message, code="response_mismatch", parameter="issuer", hint="Log in again.")


def _cannot_say_when() -> ProviderError:
    message = "This provider cannot say when somebody logged in, so no max_age can be asked of it."
    return ProviderError(message, code="request_refused", parameter="max_age", hint="Ask without max_age, or use an OpenID provider.")


def _with_query(url: str, parameters: Mapping[str, str]) -> str:
    parts = urlsplit(url)
    query = urlencode([*parse_qsl(parts.query, keep_blank_values=True), *parameters.items()])
    return urlunsplit(parts._replace(query=query))
