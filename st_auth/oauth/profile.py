"""One provider as its section in `[auth]` and its profile describe it, checked: all problems of a section at once."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, cast

from st_auth.errors import ConfigError, Problem
from st_auth.oauth.algorithms import ALGORITHMS
from st_auth.oauth.client_key import ClientKey, read_client_key
from st_auth.oauth.profile_file import (
    AUTH_METHODS,
    EMAIL_RULES,
    KEY_METHOD,
    LANDINGS,
    Profile,
    fill,
    load_profile,
    nearest,
    profile_of_host,
)
from st_auth.oauth.urls import DISCOVERY_SUFFIX, discovery_url, host_of, is_absolute_uri, is_secure
from st_auth.secret import Secret

__all__ = ["Provider", "load_profile", "resolve"]

EmailRule = Literal["claim", "always", "never"]
Landing = Literal["redirect_uri", "configured", "none"]
Exchange = Literal["token-exchange", "jwt-bearer"]


@dataclass(frozen=True, slots=True)
class Provider:
    """An identity provider and this app as its client.

    `profile` is empty for a section in Streamlit's own form, `issuer` is None where the metadata's address stands for it.
    `claims` maps our names (name, email, groups) to the provider's. `public` says that anybody can have an account there.
    `algorithms` are those an ID token may be signed with; never `none`, never HMAC.
    `client_key` stands in the place of `client_secret`; `resource` are the APIs that tokens are asked for;
    `pushed_authorization_requests` is None where the provider's metadata decides.
    """

    name: str
    label: str
    profile: str
    issuer: str | None
    metadata_url: str
    client_id: str
    client_secret: Secret[str] | None
    scopes: tuple[str, ...]
    authorization_parameters: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    token_endpoint_auth_method: str | None = None
    algorithms: tuple[str, ...] = ALGORITHMS
    claims: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    public: bool = False
    email_is_verified: EmailRule = "claim"
    logout_wants_id_token: bool = False
    logout_landing: Landing = "configured"
    exchange: Exchange = "token-exchange"
    client_key: ClientKey | None = None
    resource: tuple[str, ...] = ()
    pushed_authorization_requests: bool | None = None


_NATIVE = (
    *("client_id", "client_secret", "server_metadata_url", "client_kwargs", "issuer", "authorize_params", "label"),
    *("email_is_verified", "logout_landing", "authorization_parameters"),
    *("client_key", "client_key_id", "resource", "pushed_authorization_requests"),
)
_PROFILED = (
    *("profile", "label", "client_id", "client_secret", "scopes", "prompt", "authorization_parameters"),
    *("token_endpoint_auth_method", "claims", "email_is_verified", "logout_landing"),
    *("client_key", "client_key_id", "resource", "pushed_authorization_requests"),
)
_ELSEWHERE = ("redirect_uri", "cookie_secret", "expose_tokens", "post_logout_redirect_uri", "personas")  # read by st_auth.config
_AUTHLIB = (  # keys that Authlib takes and that change nothing here
    *("access_token_url", "access_token_params", "authorize_url", "api_base_url", "userinfo_endpoint", "request_token_url"),
    *("request_token_params", "jwks_uri", "jwks", "fetch_token", "update_token", "compliance_fix", "client_auth_methods"),
    *("client_cls", "overwrite", "name"),
)
_SENT = ("prompt", "login_hint", "max_age", "acr_values", "ui_locales", "display")
_KWARGS = (
    *("scope", "token_endpoint_auth_method", "code_challenge_method", "response_type", "response_mode", *_SENT),
    *("timeout", "verify", "follow_redirects", "trust_env", "headers", "leeway"),
)
_STRINGS = ("scope", "prompt", "login_hint", "token_endpoint_auth_method", "code_challenge_method", "response_type", "response_mode")
_OURS = frozenset(
    (
        *("response_type", "response_mode", "client_id", "redirect_uri", "scope", "state", "nonce"),
        *("code_challenge", "code_challenge_method", "request", "request_uri"),
        *("client_secret", "client_assertion", "client_assertion_type", "resource"),
    )
)
_NOT_SECURE = "is not an https URL (http is for loopback only)"
_DEFAULT_CLAIMS = {"name": "name", "email": "email", "groups": "groups"}


def resolve(section_name: str, section: Mapping[str, Any], *, file: str, folder: Path = Path()) -> Provider:
    """Return the provider that a section of `[auth]` describes, or raise `ConfigError` with all that is wrong in it.

    `section_name` is "default" for keys that stand in `[auth]` itself. A section without `profile` means what `st.login` makes of it.
    `client_key` is read here; its path is relative to `folder`, where `file` stands.
    """
    reader = _Reader(section_name, section, file, folder)
    provider = _from_profile(reader) if "profile" in section else _native(reader)
    if reader.problems or provider is None:
        raise ConfigError(reader.problems)
    return provider


class _Reader:
    """Reads typed values out of one section and keeps what is wrong with them."""

    def __init__(self, name: str, section: Mapping[str, Any], file: str, folder: Path) -> None:
        self.name, self.section, self.file, self.folder = name, section, file, folder
        self.problems: list[Problem] = []

    def wrong(self, key: str, what: str, mend: str) -> None:
        place = "auth" if self.name == "default" else f"auth.{self.name}"
        self.problems.append(Problem(self.file, f"{place}.{key}" if key else place, what, mend))

    def text(self, key: str, *, required: bool = False, mend: str = "Give a string.", default: str = "") -> str:
        value = self.section.get(key, default)
        if not isinstance(value, str):
            self.wrong(key, "is not a string", mend)
            return ""
        if required and not value.strip():
            close = [other for other in self.section if other not in _NATIVE and nearest(other, [key])]
            self.wrong(key, "is missing" + (f' ("{close[0]}" is not a known key)' if close else ""), mend)
        return value

    def table(self, key: str) -> dict[str, str]:
        """Read a table of strings; a whole number, such as a max_age, is taken as one."""
        value = self.section.get(key, {})
        if not isinstance(value, Mapping) or not all(isinstance(k, str) and type(v) in (str, int) for k, v in value.items()):
            self.wrong(key, "is not a table of strings", f'Write it as {key} = {{ name = "value" }}.')
            return {}
        return {name: str(item) for name, item in value.items()}

    def choice(self, key: str, choices: tuple[str, ...], default: str) -> str:
        value = self.section.get(key, default)
        if value not in choices:
            self.wrong(key, "is not a known value", "Choose one of " + ", ".join(c for c in choices if c) + ".")
            return default
        return cast("str", value)

    def words(self, key: str, default: tuple[str, ...]) -> tuple[str, ...]:
        value = self.section.get(key, list(default))
        if not isinstance(value, list | tuple) or not all(isinstance(word, str) and word and word == word.strip() for word in value):
            self.wrong(key, "is not a list of words", f'Write it as {key} = ["one", "two"].')
            return default
        return tuple(value)

    def only(self, known: tuple[str, ...]) -> None:
        for key in self.section:
            if key not in known and not isinstance(self.section[key], Mapping):
                close = nearest(key, known)
                self.wrong(key, "is not a known key", f'Did you mean "{close}"?' if close else "Remove it.")

    def flag(self, key: str) -> bool | None:
        value = self.section.get(key)
        if value is not None and not isinstance(value, bool):
            self.wrong(key, "is neither true nor false", "Write true or false, without quotes.")
            return None
        return value

    def resource(self) -> tuple[str, ...]:
        """Read one URI or a list of them (RFC 8707 section 2)."""
        value = self.section.get("resource", [])
        uris = [value] if isinstance(value, str) else value
        if not isinstance(uris, list | tuple) or not all(isinstance(uri, str) and is_absolute_uri(uri) for uri in uris):
            self.wrong("resource", "is not an absolute URI without fragment, nor a list of them", "Copy it from the API's documentation.")
            return ()
        return tuple(dict.fromkeys(uris))

    def parameters(self, key: str, values: Mapping[str, str]) -> dict[str, str]:
        """Refuse authorization parameters that would replace those we answer for, and a max_age that no answer could be held to."""
        for name in sorted(_OURS & values.keys()):
            self.wrong(f"{key}.{name}", "is set by st_auth itself", "Remove it.")
        if not (age := values.get("max_age", "0") or "0").isdecimal() or not age.isascii():
            self.wrong(f"{key}.max_age", "is not a whole number of seconds", "Write it like max_age = 3600.")
        return {name: value for name, value in values.items() if value and name not in _OURS}


def _native(reader: _Reader) -> Provider | None:
    """Read a section in the form that `st.login` documents."""
    if "_" in reader.name:
        reader.wrong("", "has an underscore in its name, which Streamlit does not allow", "Rename the section without it.")
    client_id = reader.text("client_id", required=True, mend="Copy it from the provider's console.")
    secret = reader.text("client_secret", mend="Copy it from the provider's console.")
    url = reader.text("server_metadata_url", required=True, mend=f"Give the provider's address that ends in {DISCOVERY_SUFFIX}.")
    issuer = reader.text("issuer") or None
    _check_addresses(reader, url, issuer)
    _check_spelling(reader)
    kwargs = _client_kwargs(reader)
    host = host_of(url)
    known = profile_of_host(host)
    sent = {**{k: kwargs[k] for k in _SENT if k in kwargs}, **reader.table("authorize_params"), **reader.table("authorization_parameters")}
    place = "authorize_params" if "authorize_params" in reader.section else "authorization_parameters"
    method = kwargs.get("token_endpoint_auth_method")
    key = _client_key(reader, "client_kwargs.token_endpoint_auth_method", method, method)
    return Provider(
        name=reader.name,
        label=reader.text("label") or _label(reader.name, known, host),
        profile="",
        issuer=issuer,
        metadata_url=url,
        client_id=client_id,
        client_secret=Secret(secret) if secret else None,
        scopes=tuple(dict.fromkeys(kwargs.get("scope", "openid email profile").split())),
        authorization_parameters=MappingProxyType(reader.parameters(place, {"prompt": "select_account", **sent})),
        token_endpoint_auth_method=method,
        claims=MappingProxyType({**_DEFAULT_CLAIMS, **(known.claims if known else {})}),
        public=known is not None and known.public,
        email_is_verified=cast("EmailRule", reader.choice("email_is_verified", EMAIL_RULES, known.email_is_verified if known else "claim")),
        logout_wants_id_token=known is not None and known.logout_wants_id_token,
        logout_landing=cast("Landing", reader.choice("logout_landing", LANDINGS, known.logout_landing if known else "redirect_uri")),
        client_key=key,
        resource=reader.resource(),
        pushed_authorization_requests=reader.flag("pushed_authorization_requests"),
    )


def _label(name: str, known: Profile | None, host: str) -> str:
    """What to call a provider that the author gave no label: its own name, the section's, or where it is."""
    if known is not None:
        return known.name
    return name.capitalize() if name != "default" else host


def _check_addresses(reader: _Reader, url: str, issuer: str | None) -> None:
    if url and not is_secure(url):
        reader.wrong("server_metadata_url", _NOT_SECURE, "Use the provider's https address.")
    if issuer and not is_secure(issuer):
        reader.wrong("issuer", _NOT_SECURE, "Copy it from the provider's metadata.")
    if url and not url.endswith(DISCOVERY_SUFFIX) and not issuer:
        mend = 'Add issuer = "…" with the value that the provider\'s metadata names.'
        reader.wrong("server_metadata_url", f"does not end in {DISCOVERY_SUFFIX}, so it does not tell the issuer", mend)


def _check_spelling(reader: _Reader) -> None:
    """Report what looks like a misspelt key of ours; Authlib's other keys and providers' tables are let be."""
    for key, value in reader.section.items():
        if key in (*_NATIVE, *_AUTHLIB, *_ELSEWHERE) or isinstance(value, Mapping):
            continue
        if close := nearest(key, _NATIVE):
            reader.wrong(key, "is not a known key", f'Did you mean "{close}"?')


def _client_kwargs(reader: _Reader) -> dict[str, str]:
    """Read `client_kwargs`; what only tunes Authlib's HTTP client is let be."""
    value = reader.section.get("client_kwargs", {})
    if not isinstance(value, Mapping):
        reader.wrong("client_kwargs", "is not a table", 'Write it as client_kwargs = { scope = "openid email" }.')
        return {}
    kwargs: dict[str, str] = {}
    for key, item in value.items():
        if key in _STRINGS and not isinstance(item, str):
            reader.wrong(f"client_kwargs.{key}", "is not a string", "Put it in quotes.")
        elif key in (*_STRINGS, *_SENT):
            kwargs[key] = str(item)
        elif key not in _KWARGS and (close := nearest(key, _KWARGS)):
            reader.wrong(f"client_kwargs.{key}", "is not a known key", f'Did you mean "{close}"?')
    _check_client_kwargs(reader, kwargs)
    return kwargs


def _check_client_kwargs(reader: _Reader, kwargs: Mapping[str, str]) -> None:
    for key, only in (("code_challenge_method", "S256"), ("response_type", "code"), ("response_mode", "query")):
        if kwargs.get(key, only) != only:
            reader.wrong(f"client_kwargs.{key}", f"is not {only}", f"Remove it: st_auth always uses {only}.")
    if "openid" not in kwargs.get("scope", "openid").split():
        reader.wrong("client_kwargs.scope", "lacks openid", 'Add it: scope = "openid email profile".')
    if kwargs.get("token_endpoint_auth_method", "none") not in AUTH_METHODS:
        mend = "Choose one of " + ", ".join(AUTH_METHODS) + "."
        reader.wrong("client_kwargs.token_endpoint_auth_method", "is not supported", mend)


def _from_profile(reader: _Reader) -> Provider | None:
    """Read a section that names a profile."""
    name = reader.text("profile", required=True, mend="Name one of the files in providers/.")
    try:
        profile = load_profile(name)
    except ConfigError as error:
        reader.problems += error.problems
        return None
    reader.only((*_PROFILED, *_ELSEWHERE, *profile.parameters, *(("server_metadata_url",) if profile.issuer == "{issuer}" else ())))
    issuer = _issuer(reader, profile)
    url = reader.text("server_metadata_url")
    if url and not is_secure(url):
        reader.wrong("server_metadata_url", _NOT_SECURE, "Use the provider's https address.")
    parameters = {**profile.authorization_parameters, **reader.table("authorization_parameters")}
    if "prompt" in reader.section:
        parameters["prompt"] = reader.text("prompt")
    scopes = reader.words("scopes", profile.scopes)
    if "openid" not in scopes:
        reader.wrong("scopes", "lacks openid", 'Add "openid".')
    secret = reader.text("client_secret", default=profile.client_secret)
    method = reader.choice("token_endpoint_auth_method", ("", *AUTH_METHODS), profile.token_endpoint_auth_method)
    key = _client_key(reader, "token_endpoint_auth_method", reader.section.get("token_endpoint_auth_method"), method)
    if not secret and method not in ("none", KEY_METHOD) and not reader.section.get("client_key"):
        reader.wrong("client_secret", "is missing", "Copy it from the provider's console.")
    return Provider(
        name=reader.name,
        label=reader.text("label") or profile.name,
        profile=name,
        issuer=issuer,
        metadata_url=url or discovery_url(issuer),
        client_id=reader.text("client_id", required=True, mend="Copy it from the provider's console.", default=profile.client_id),
        client_secret=Secret(secret) if secret else None,
        scopes=scopes,
        authorization_parameters=MappingProxyType(reader.parameters("authorization_parameters", parameters)),
        token_endpoint_auth_method=method or None,
        algorithms=profile.algorithms,
        claims=MappingProxyType({**_DEFAULT_CLAIMS, **profile.claims, **reader.table("claims")}),
        public=profile.public,
        email_is_verified=cast("EmailRule", reader.choice("email_is_verified", EMAIL_RULES, profile.email_is_verified)),
        logout_wants_id_token=profile.logout_wants_id_token,
        logout_landing=cast("Landing", reader.choice("logout_landing", LANDINGS, profile.logout_landing)),
        client_key=key,
        resource=reader.resource(),
        pushed_authorization_requests=reader.flag("pushed_authorization_requests"),
    )


def _client_key(reader: _Reader, place: str, said: object, method: str | None) -> ClientKey | None:
    """Read the file that `client_key` names. Nothing may stand beside it that would authenticate the client in another way.

    `said` is the method that stands at `place` in the section, `method` the one that holds without a key.
    """
    name, kid = reader.text("client_key"), reader.text("client_key_id")
    if not name:
        if method == KEY_METHOD:
            reader.wrong("client_key", "is missing", f"Name the file of the private key, which {KEY_METHOD} needs.")
        return None
    if reader.section.get("client_secret"):
        reader.wrong("client_key", "stands beside client_secret", "Keep one of them: the key where the provider knows its public half.")
    if said not in (None, "", KEY_METHOD):
        reader.wrong(place, "does not go with client_key", f"Remove it: with a key it is always {KEY_METHOD}.")
    try:
        return read_client_key(reader.folder / name, kid)
    except ValueError as error:
        reader.wrong("client_key", *error.args)
        return None


def _issuer(reader: _Reader, profile: Profile) -> str:
    """Fill the profile's issuer with the section's parameters."""
    values = {name: reader.text(name) for name in profile.parameters}
    issuer, wrong = fill(profile, values)
    for name, what in wrong.items():
        reader.wrong(name, what, f"Give {profile.parameters[name]}.")
    if not wrong and not is_secure(issuer):
        reader.wrong("issuer", _NOT_SECURE, "Use the provider's https address.")
    return issuer
