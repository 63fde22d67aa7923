"""One provider as a client: begin → finish → refresh → revoke → logout URL. Asks through `http`, judges with `oauth`."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from http import HTTPStatus
from typing import Any

from st_auth.clock import SYSTEM, Clock
from st_auth.errors import LoginRefused, ProviderError, Unavailable
from st_auth.http import Answer, Http, Text, json_of
from st_auth.kept import Kept
from st_auth.oauth import jwks
from st_auth.oauth.authorization import (
    Grant,
    authorization_parameters,
    authorization_url,
    judge_response,
    new_code_verifier,
    new_token,
)
from st_auth.oauth.client_auth import ClientRequest
from st_auth.oauth.dialect import in_standard_words
from st_auth.oauth.exchange import exchange_request, judge_exchange_response
from st_auth.oauth.id_token import (
    Expectation,
    Identity,
    claims_of,
    judge_claims,
    judge_refreshed_claims,
    judge_userinfo,
    merged,
    require_audience,
)
from st_auth.oauth.login import Login, judge_login
from st_auth.oauth.logout_token import TOKEN_TYPES, LogoutRequest, judge_logout
from st_auth.oauth.metadata import Metadata, judge_metadata, metadata_of
from st_auth.oauth.pending import PendingLogin
from st_auth.oauth.plain import judge_emails, judge_person
from st_auth.oauth.profile import Provider
from st_auth.oauth.pushed import is_pushed, judge_pushed, pushed_request, pushed_url
from st_auth.oauth.quirks import ISSUER_NAMES_THE_TENANT, LOGOUT_TAKES_LOGOUT_URI
from st_auth.oauth.tenants import is_issuer_of, issuer_of, keys_of, require_tenant
from st_auth.oauth.tokens import (
    TokenSet,
    code_request,
    judge_refresh_response,
    judge_token_response,
    refresh_request,
    refusal,
    revocation_request,
)
from st_auth.oauth.urls import discovery_url, with_query
from st_auth.oauth.violations import protocol_violation
from st_auth.secret import Secret

__all__ = ["Client", "Login", "LogoutRequest", "PendingLogin"]


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
        acr: tuple[str, ...] = (),
        login_hint: str | None = None,
        login_id: str = "",
    ) -> tuple[str, PendingLogin]:
        """Return the URL that the browser is sent to, and what must be sealed meanwhile.

        The answer is held to `max_age` (seconds since the person showed who they are) and to `acr` (how: one of these),
        which are the configured ones where none are given. Asks the provider where requests are pushed.
        Raises `ProviderError` or `Unavailable`.
        """
        metadata = self.metadata()
        pending = PendingLogin(
            provider=self.provider.name,
            issuer=metadata.issuer,
            state=new_token(),
            nonce=Secret(new_token()),
            code_verifier=new_code_verifier(),
            redirect_uri=redirect_uri,
            return_to=return_to,
            login_id=login_id,
            max_age=self._max_age() if max_age is None else max_age,
            created_at=self._clock.now(),
            acr=acr or self._acr(),
        )
        if not self.provider.openid:
            _require_provable(pending)
        asked = authorization_parameters(self.provider, pending, prompt=prompt, login_hint=login_hint)
        if is_pushed(self.provider, metadata):
            return self._push(asked, metadata), pending
        return authorization_url(metadata, asked), pending

    def finish(self, pending: PendingLogin, query: str) -> Login:
        """Return who logged in, from the raw query string of the callback.

        Asks the token endpoint once. No token is used before the ID token has been accepted (RFC 9700 section 4.5.3.2). Only where
        the profile says `openid = false` there is none, and the answer that it names says who logged in.
        Raises `LoginRefused`, `ProviderError` or `Unavailable`.
        """
        metadata = self.metadata()
        _require_ours(pending, self.provider.name, metadata.issuer)
        grant = judge_response(query, metadata, pending, self._clock.now())
        answer = self._token_answer(code_request(grant, self.provider, metadata, self._clock.now()), metadata)
        tokens = judge_token_response(answer.status, answer.json, self.provider.scopes, self._clock.now())
        if not self.provider.openid:
            person = self._plain_claims(tokens, metadata, answer.json)
            return judge_login(self.provider, metadata.issuer, person, replace(tokens, id_token=None))
        id_claims = self._id_claims(tokens, grant, pending)
        metadata = replace(metadata, issuer=str(id_claims["iss"]))
        userinfo = self._userinfo(tokens, str(id_claims["sub"]), metadata)
        return judge_login(self.provider, metadata.issuer, merged(id_claims, userinfo), tokens)

    def refresh(self, tokens: TokenSet, resource: str = "") -> TokenSet:
        """Return fresh tokens for a refresh token; asks the token endpoint once (RFC 6749 section 6).

        With `resource`, the access token is for that alone (RFC 8707 section 2.2), which the grant must allow.
        The old refresh token counts as used from here on. Raises `LoginRefused` when the grant is over, `ProviderError` or
        `Unavailable`.
        """
        if tokens.refresh_token is None:
            raise LoginRefused("There is no refresh token.", code="invalid_grant", hint="Log in again.")
        metadata = self.metadata()
        request = refresh_request(tokens.refresh_token, self.provider, metadata, self._clock.now(), resource)
        answer = self._token_answer(request, metadata)
        after = judge_refresh_response(answer.status, answer.json, tokens, self._clock.now())
        return after if self.provider.openid else replace(after, id_token=None)

    def judge_refreshed(
        self, before: TokenSet, after: TokenSet, who: tuple[str, str], claims: Mapping[str, Any], *, resource: str = ""
    ) -> Login:
        """Return who the session is after a refresh: the claims of before, laid over by what the provider says now.

        `who` is issuer and subject of the session. With `resource` the new access token is for that alone, and not for userinfo.
        Raises `ProviderError` when that is somebody else or not signed by the provider. Userinfo that cannot be had changes nothing.
        """
        issuer, subject = who
        metadata = replace(self.metadata(), issuer=issuer)
        fresh: dict[str, Any] = {}
        if after.id_token is not None and after.id_token != before.id_token:
            signed = jwks.parse_jws(after.id_token.reveal(), self.provider.algorithms)
            identity = Identity(issuer, self.provider.client_id, subject)
            now, access = self._clock.now(), after.access_token
            fresh = judge_refreshed_claims(self._verified(signed), identity, access_token=access, algorithm=signed.algorithm, now=now)
        userinfo = {} if resource else self._userinfo_again(after, subject, metadata)
        return judge_login(self.provider, issuer, {**claims, **merged(fresh, userinfo)}, after)

    def exchange(self, subject_token: Secret[str], target: str) -> TokenSet:
        """Return tokens for `target` in exchange for a person's access token (RFC 8693, or on-behalf-of); asks once.

        Raises `LoginRefused`, `ProviderError` or `Unavailable`.
        """
        metadata = self.metadata()
        request = exchange_request(subject_token, target, self.provider, metadata, self._clock.now())
        answer = self._token_answer(request, metadata)
        return judge_exchange_response(answer.status, answer.json, self.provider, self._clock.now())

    def revoke(self, tokens: TokenSet) -> bool:
        """Ask the provider to forget a grant (RFC 7009): the refresh token, which ends the grant, or else the access token.

        False if it has no address for that. Raises `ProviderError` or `Unavailable`.
        """
        metadata = self.metadata()
        if metadata.revocation_endpoint is None:
            return False
        token, kind = (tokens.refresh_token, "refresh_token") if tokens.refresh_token else (tokens.access_token, "access_token")
        request = revocation_request(token, kind, self.provider, metadata, self._clock.now())
        answer = self._http.post_form(metadata.revocation_endpoint, request.pairs(), headers=request.headers, may_be_empty=True)
        if answer.status != HTTPStatus.OK:
            raise refusal("The provider did not revoke the token.", answer.json)
        return True

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
            sent = [("client_id", self.provider.client_id), ("logout_uri", post_logout_redirect_uri or "")]
            return with_query(metadata.end_session_endpoint, sent) if post_logout_redirect_uri else None
        parameters = {
            "client_id": self.provider.client_id,
            "id_token_hint": id_token.reveal() if id_token and self.provider.logout_wants_id_token else None,
            "logout_hint": logout_hint,
            "post_logout_redirect_uri": post_logout_redirect_uri,
            "state": state if post_logout_redirect_uri else None,
        }
        return with_query(metadata.end_session_endpoint, [(name, value) for name, value in parameters.items() if value])

    def logout_token(self, text: str) -> LogoutRequest:
        """Return what a logout token of the provider asks for (Back-Channel Logout 1.0 section 2.6).

        Raises `ProviderError` or `Unavailable`. Whether it was used before is for the caller to see.
        """
        signed = jwks.parse_jws(text, self.provider.algorithms, TOKEN_TYPES)
        payload = self._verified(signed)
        return judge_logout(payload, self._issuer(payload), self.provider.client_id, self._clock.now())

    def may_be(self, issuer: str) -> bool:
        """Say whether this issuer's words are for this client to judge; asks nobody, and decides nothing."""
        if ISSUER_NAMES_THE_TENANT in self.provider.quirks:
            return is_issuer_of(str(self.provider.issuer), issuer)
        if self.provider.issuer is not None:
            return issuer == self.provider.issuer
        return discovery_url(issuer) == self.provider.metadata_url

    def close(self) -> None:
        """Close the connections to the provider."""
        self._http.close()

    def _max_age(self) -> int | None:
        """Return the `max_age` that the configuration asks for, so that the answer is held to it."""
        configured = self.provider.authorization_parameters.get("max_age", "")
        return int(configured) if configured.isascii() and configured.isdigit() else None

    def _acr(self) -> tuple[str, ...]:
        """Return the `acr_values` that the configuration asks for, so that the answer is held to them."""
        return tuple(self.provider.authorization_parameters.get("acr_values", "").split())

    def _push(self, asked: Sequence[tuple[str, str]], metadata: Metadata) -> str:
        """Push the authorization request, once, and return the URL that stands for it."""
        endpoint, request = pushed_request(asked, self.provider, metadata, self._clock.now())
        answer = self._http.post_form(endpoint, request.pairs(), headers=request.headers, created=True)
        return pushed_url(metadata, self.provider, judge_pushed(answer.status, answer.json))

    def _fetch_metadata(self) -> Metadata:
        if not self.provider.openid:
            return metadata_of(self.provider)
        return judge_metadata(self._http.get_json(self.provider.metadata_url), self.provider)

    def _fetch_keys(self) -> tuple[jwks.Jwk, ...]:
        return jwks.judge_jwks(self._http.get_json(self.metadata().jwks_uri))

    def _token_answer(self, request: ClientRequest, metadata: Metadata) -> Answer:
        answer = self._http.post_form(metadata.token_endpoint, request.pairs(), headers=request.headers)
        return Answer(answer.status, in_standard_words(answer.json, self.provider))

    def _plain_claims(self, tokens: TokenSet, metadata: Metadata, answer: Mapping[str, Any]) -> dict[str, Any]:
        """Return who the tokens belong to at a provider without OpenID; `answer` is the token response that brought them."""
        return {**self._plain_person(tokens, metadata, answer), **self._plain_emails(tokens)}

    def _plain_person(self, tokens: TokenSet, metadata: Metadata, answer: Mapping[str, Any]) -> dict[str, Any]:
        if self.provider.subject_from == "userinfo":
            answer = self._http.get_json(str(metadata.userinfo_endpoint), bearer=tokens.access_token)
        return judge_person(answer, self.provider, metadata.issuer)

    def _plain_emails(self, tokens: TokenSet) -> dict[str, Any]:
        emails = self.provider.endpoints.get("emails_endpoint")
        return {} if emails is None else judge_emails(self._http.get_list(emails, bearer=tokens.access_token))

    def _plain_again(self, tokens: TokenSet, subject: str, metadata: Metadata) -> dict[str, Any]:
        """Return what a provider without OpenID says of the person now; nothing where only the first token response named them."""
        if self.provider.subject_from != "userinfo":
            return {}
        person = self._plain_person(tokens, metadata, {})
        if person["sub"] != subject:  # whether or not there are addresses to be had
            raise protocol_violation("userinfo.sub", "the subject of the session")
        return {**person, **self._plain_emails(tokens)}

    def _id_claims(self, tokens: TokenSet, grant: Grant, pending: PendingLogin) -> dict[str, Any]:
        if tokens.id_token is None:
            raise protocol_violation("id_token", "present")
        signed = jwks.parse_jws(tokens.id_token.reveal(), self.provider.algorithms)
        payload = self._verified(signed)
        expected = Expectation(
            issuer=self._issuer(payload),
            client_id=self.provider.client_id,
            nonce=pending.nonce,
            algorithm=signed.algorithm,
            access_token=tokens.access_token,
            code=grant.code,
            max_age=pending.max_age,
            acr=pending.acr,
        )
        claims = judge_claims(payload, expected, self._clock.now())
        require_tenant(claims, self.provider.tenants)
        return claims

    def _issuer(self, payload: bytes) -> str:
        """Return who must have issued what was verified: the metadata's issuer, filled where it leaves a gap for the tenant."""
        issuer = self.metadata().issuer
        return issuer_of(issuer, payload) if ISSUER_NAMES_THE_TENANT in self.provider.quirks else issuer

    def _verified(self, signed: jwks.Jws) -> bytes:
        """Return the payload; an unknown key makes us ask for the keys again, at most once a minute (RP-42, X-12)."""
        keys = self._keys.get()
        payload = jwks.verified_payload(signed, keys)
        if payload is None:
            payload = jwks.verified_payload(signed, self._keys.renewed(unlike=keys))
        if payload is None:
            raise protocol_violation("signature", "valid, by one of the provider's keys")
        if ISSUER_NAMES_THE_TENANT in self.provider.quirks:
            own = keys_of(self._issuer(payload), self.metadata().issuer, self._keys.get())
            if jwks.verified_payload(signed, own) is None:
                raise protocol_violation("signature", "valid, by a key of the token's own issuer")
        return payload

    def _userinfo_again(self, tokens: TokenSet, subject: str, metadata: Metadata) -> dict[str, Any]:
        """Userinfo after a refresh; nothing where it cannot be had now, but another person's is refused."""
        try:
            return self._userinfo(tokens, subject, metadata) if self.provider.openid else self._plain_again(tokens, subject, metadata)
        except Unavailable:
            return {}
        except ProviderError as error:
            if error.parameter != "body":
                raise
            return {}

    def _userinfo(self, tokens: TokenSet, subject: str, metadata: Metadata) -> dict[str, Any]:
        """Ask for userinfo, where there is one and the access token is not meant for other APIs alone (RFC 8707 section 2)."""
        if metadata.userinfo_endpoint is None or self.provider.resource:
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


def _require_provable(pending: PendingLogin) -> None:
    """Refuse to ask a provider without OpenID for what nothing in its answer would prove."""
    if pending.max_age is not None or pending.acr:
        parameter = "acr_values" if pending.acr else "max_age"
        message = f"This provider cannot say when and how somebody logged in, so no {parameter} can be asked of it."
        hint = f"Ask without {parameter}, or use an OpenID provider."
        raise ProviderError(message, code="request_refused", parameter=parameter, hint=hint)


def _require_ours(pending: PendingLogin, provider: str, issuer: str) -> None:
    """Refuse a pending login that began at another provider (RFC 9700 section 4.4.2)."""
    if (pending.provider, pending.issuer) != (provider, issuer):
        message = "This attempt to log in began at another provider."
        raise LoginRefused(message, code="response_mismatch", parameter="issuer", hint="Log in again.")
