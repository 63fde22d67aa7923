"""One provider as its section in `[auth]` and its profile describe it, checked: all problems of a section at once."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, cast

from st_auth.errors import ConfigError
from st_auth.oauth.algorithms import ALGORITHMS
from st_auth.oauth.client_key import ClientKey, read_client_key
from st_auth.oauth.profile_file import AUTH_METHODS, EMAIL_RULES, KEY_METHOD, LANDINGS, Profile, load_profile, nearest, profile_of_host
from st_auth.oauth.profile_rules import ENDPOINTS, addresses
from st_auth.oauth.quirks import ISSUER_NAMES_THE_TENANT
from st_auth.oauth.section_reader import NATIVE_KEYS, SectionReader
from st_auth.oauth.tenants import PERSONAL_ACCOUNTS, is_tenant
from st_auth.oauth.url_template import fill
from st_auth.oauth.urls import DISCOVERY_SUFFIX, discovery_url, host_of, is_secure
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
    `openid` is false only where a profile says so: then `endpoints` come from there, and `subject_from` says which answer names the
    person. `hints` say what to do by error code.
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
    revoke_at_logout: bool = True
    exchange: Exchange = "token-exchange"
    client_key: ClientKey | None = None
    resource: tuple[str, ...] = ()
    pushed_authorization_requests: bool | None = None
    openid: bool = True
    endpoints: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    subject_from: str = "userinfo"
    error_codes: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    hints: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    quirks: tuple[str, ...] = ()
    tenants: tuple[str, ...] = ()


_PROFILED = (
    *("profile", "label", "client_id", "client_secret", "scopes", "prompt", "authorization_parameters"),
    *("token_endpoint_auth_method", "claims", "email_is_verified", "logout_landing"),
    *("client_key", "client_key_id", "resource", "pushed_authorization_requests"),
)
_ELSEWHERE = ("redirect_uri", "cookie_secret", "expose_tokens", "post_logout_redirect_uri", "personas")  # read by st_auth.config
_AUTHLIBS = "authorize_url"  # the one key of Authlib's that looks like one of ours; its others need no naming to be let be
_SENT = ("prompt", "login_hint", "max_age", "acr_values", "ui_locales", "display")
_KWARGS = ("scope", "token_endpoint_auth_method", "code_challenge_method", "response_type", "response_mode", *_SENT)
_NOT_SECURE = "is not an https URL (http is for loopback only)"
_DEFAULT_CLAIMS = {"name": "name", "email": "email", "groups": "groups"}


def resolve(section_name: str, section: Mapping[str, Any], *, file: str, folder: Path = Path()) -> Provider:
    """Return the provider that a section of `[auth]` describes, or raise `ConfigError` with all that is wrong in it.

    `section_name` is "default" for keys that stand in `[auth]` itself. A section without `profile` means what `st.login` makes of it.
    `client_key` is read here; its path is relative to `folder`, where `file` stands. A profile by its path is looked for there, and
    then in the folder above.
    """
    reader = SectionReader(section_name, section, file, folder)
    provider = _from_profile(reader) if "profile" in section else _native(reader)
    if reader.problems or provider is None:
        raise ConfigError(reader.problems)
    return provider


def _native(reader: SectionReader) -> Provider | None:
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
        revoke_at_logout=known is None or known.revoke_at_logout,
        exchange=cast("Exchange", known.exchange if known else "token-exchange"),
        error_codes=known.error_codes if known else MappingProxyType({}),
        hints=known.hints if known else MappingProxyType({}),
        quirks=known.quirks if known else (),
        client_key=key,
        resource=reader.resource(),
        pushed_authorization_requests=reader.flag("pushed_authorization_requests"),
    )


def _label(name: str, known: Profile | None, host: str) -> str:
    """What to call a provider that the author gave no label: its own name, the section's, or where it is."""
    if known is not None:
        return known.name
    return name.capitalize() if name != "default" else host


def _check_addresses(reader: SectionReader, url: str, issuer: str | None) -> None:
    if url and not is_secure(url):
        reader.wrong("server_metadata_url", _NOT_SECURE, "Use the provider's https address.")
    if issuer and not is_secure(issuer):
        reader.wrong("issuer", _NOT_SECURE, "Copy it from the provider's metadata.")
    if url and not url.endswith(DISCOVERY_SUFFIX) and not issuer:
        mend = 'Add issuer = "…" with the value that the provider\'s metadata names.'
        reader.wrong("server_metadata_url", f"does not end in {DISCOVERY_SUFFIX}, so it does not tell the issuer", mend)


def _check_spelling(reader: SectionReader) -> None:
    """Report what looks like a misspelt key of ours; Authlib's other keys and providers' tables are let be."""
    for key, value in reader.section.items():
        if key in (*NATIVE_KEYS, *_ELSEWHERE, _AUTHLIBS) or isinstance(value, Mapping):
            continue
        if close := nearest(key, NATIVE_KEYS):
            reader.wrong(key, "is not a known key", f'Did you mean "{close}"?')


def _client_kwargs(reader: SectionReader) -> dict[str, str]:
    """Read `client_kwargs`; what only tunes Authlib's HTTP client is let be."""
    value = reader.section.get("client_kwargs", {})
    if not isinstance(value, Mapping):
        reader.wrong("client_kwargs", "is not a table", 'Write it as client_kwargs = { scope = "openid email" }.')
        return {}
    kwargs: dict[str, str] = {}
    for key, item in value.items():
        if key in _KWARGS and not (isinstance(item, str) or (key == "max_age" and type(item) is int)):
            reader.wrong(f"client_kwargs.{key}", "is not a string", "Put it in quotes.")
        elif key in _KWARGS:
            kwargs[key] = str(item)
        elif close := nearest(key, _KWARGS):
            reader.wrong(f"client_kwargs.{key}", "is not a known key", f'Did you mean "{close}"?')
    _check_client_kwargs(reader, kwargs)
    return kwargs


def _check_client_kwargs(reader: SectionReader, kwargs: Mapping[str, str]) -> None:
    for key, only in (("code_challenge_method", "S256"), ("response_type", "code"), ("response_mode", "query")):
        if kwargs.get(key, only) != only:
            reader.wrong(f"client_kwargs.{key}", f"is not {only}", f"Remove it: st_auth always uses {only}.")
    if "openid" not in kwargs.get("scope", "openid").split():
        reader.wrong("client_kwargs.scope", "lacks openid", 'Add it: scope = "openid email profile".')
    if kwargs.get("token_endpoint_auth_method", "none") not in AUTH_METHODS:
        mend = "Choose one of " + ", ".join(AUTH_METHODS) + "."
        reader.wrong("client_kwargs.token_endpoint_auth_method", "is not supported", mend)


def _from_profile(reader: SectionReader) -> Provider | None:
    """Read a section that names a profile."""
    name = reader.text("profile", required=True, mend="Name one of the files in providers/.")
    try:
        profile = load_profile(name, (reader.folder, reader.folder.parent))
    except ConfigError as error:
        reader.problems += error.problems
        return None
    reader.only((*_PROFILED, *_ELSEWHERE, *profile.parameters, *_more_keys(profile)))
    found = _addresses(reader, profile)
    issuer = found.get("issuer", profile.issuer)
    url = reader.text("server_metadata_url") or found.get("server_metadata_url", "")
    if url and not is_secure(url):
        reader.wrong("server_metadata_url", _NOT_SECURE, "Use the provider's https address.")
    parameters = {**profile.authorization_parameters, **reader.table("authorization_parameters")}
    if "prompt" in reader.section:
        parameters["prompt"] = reader.text("prompt")
    scopes = _scopes(reader, profile)
    tenants = _tenants(reader)
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
        metadata_url=(url or discovery_url(issuer)) if profile.openid else "",
        client_id=reader.text("client_id", required=True, mend="Copy it from the provider's console.", default=profile.client_id),
        client_secret=Secret(secret) if secret else None,
        scopes=scopes,
        authorization_parameters=MappingProxyType(reader.parameters("authorization_parameters", parameters)),
        token_endpoint_auth_method=method or None,
        algorithms=profile.algorithms,
        claims=_claims(reader, profile),
        public=profile.public and (not tenants or PERSONAL_ACCOUNTS in tenants),
        email_is_verified=cast("EmailRule", reader.choice("email_is_verified", EMAIL_RULES, profile.email_is_verified)),
        logout_wants_id_token=profile.logout_wants_id_token,
        logout_landing=cast("Landing", reader.choice("logout_landing", LANDINGS, profile.logout_landing)),
        revoke_at_logout=profile.revoke_at_logout,
        exchange=cast("Exchange", profile.exchange),
        openid=profile.openid,
        endpoints=MappingProxyType({name: found[name] for name in ENDPOINTS if name in found}),
        subject_from=profile.subject_from,
        error_codes=profile.error_codes,
        hints=profile.hints,
        quirks=profile.quirks,
        tenants=tenants,
        client_key=key,
        resource=reader.resource(),
        pushed_authorization_requests=reader.flag("pushed_authorization_requests"),
    )


def _client_key(reader: SectionReader, place: str, said: object, method: str | None) -> ClientKey | None:
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


def _more_keys(profile: Profile) -> tuple[str, ...]:
    """The keys of a section that only some profiles have."""
    keys = ("server_metadata_url",) if profile.issuer == "{issuer}" and profile.openid else ()
    return (*keys, "tenants") if ISSUER_NAMES_THE_TENANT in profile.quirks else keys


def _scopes(reader: SectionReader, profile: Profile) -> tuple[str, ...]:
    scopes = reader.words("scopes", profile.scopes)
    if profile.openid and "openid" not in scopes:
        reader.wrong("scopes", "lacks openid", 'Add "openid".')
    if not profile.openid and "openid" in scopes:
        reader.wrong("scopes", "has openid, which this provider does not know", 'Remove "openid".')
    return scopes


def _claims(reader: SectionReader, profile: Profile) -> Mapping[str, str]:
    own = reader.table("claims")
    if "sub" in own:
        reader.wrong("claims.sub", "cannot be chosen here: it says who a person is", "Remove it; a profile of your own can name it.")
    return MappingProxyType({**_DEFAULT_CLAIMS, **profile.claims, **own})


def _tenants(reader: SectionReader) -> tuple[str, ...]:
    tenants = tuple(word.lower() for word in reader.words("tenants", ()))
    if not all(is_tenant(tenant) for tenant in tenants) or ("tenants" in reader.section and not tenants):
        reader.wrong("tenants", "is not a list of tenant ids", 'Write ids such as "8eaef023-2b34-4da1-9baa-8bc8c9d6a490".')
    return tenants


def _addresses(reader: SectionReader, profile: Profile) -> dict[str, str]:
    """Fill the profile's addresses with the section's parameters; each parameter that is wrong is named once."""
    values = {name: reader.text(name) for name in profile.parameters}
    filled = {key: fill(template, values, profile.optional) for key, template in addresses(asdict(profile)).items()}
    for name, what in {name: what for _, wrong in filled.values() for name, what in wrong.items()}.items():
        reader.wrong(name, what, f"Give {profile.parameters[name]}.")
    for key, (url, wrong) in filled.items():
        if not wrong and not is_secure(url):
            reader.wrong(key, _NOT_SECURE, "Use the provider's https address.")
    return {key: url for key, (url, _) in filled.items()}
