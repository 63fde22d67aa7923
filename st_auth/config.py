"""[auth] and [st_auth] of secrets.toml as one frozen Config, or all that is wrong with them at once."""

import hashlib
import ipaddress
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal
from urllib.parse import urlsplit

from st_auth.access.permissions import Roles
from st_auth.access.rules import Rules
from st_auth.config_reader import SECRETS, Reader, texts
from st_auth.connection_config import ConnectionConfig, connections_of
from st_auth.errors import ConfigError, Problem
from st_auth.kept_secret import kept_secret
from st_auth.oauth.profile import Provider, resolve
from st_auth.oauth.urls import is_loopback
from st_auth.public_address import base_path_of, origin_of, public_base, redirect_uri_of
from st_auth.rules_config import RULES, RuleFile, read_rules
from st_auth.secret import Secret

__all__ = ["Allow", "Config", "ConnectionConfig", "Host", "is_loopback", "parse"]

RequireLogin = Literal["before_app", "in_script"]

_SHARED_AUTH_KEYS = frozenset({"redirect_uri", "cookie_secret", "expose_tokens"})
_MIN_SECRET_BYTES = 32


@dataclass(frozen=True, slots=True)
class Host:
    """What the server tells us: where it listens, under which path, and where relative files stand."""

    port: int
    base_path: str = ""
    folder: Path = field(default_factory=Path.cwd)


@dataclass(frozen=True, slots=True)
class Allow:
    """Who may log in: every key that is given must hold, within a key any value suffices."""

    email_domain: tuple[str, ...] = ()
    email: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    claim: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True)
class Config:
    """Everything that the app's author decided, checked and ready to use.

    `origin` is the public `scheme://host[:port]`; `base_path` is Streamlit's base path as `""` or `"/name"`.
    `roles` and `rules` are None where there is no rules.toml.
    """

    providers: Mapping[str, Provider]
    redirect_uri: str
    origin: str
    base_path: str
    app_id: str
    cookie_secret: Secret[str]
    keys: tuple[Secret[str], ...]
    expose_tokens: tuple[str, ...]
    allow: Allow
    require_login: RequireLogin
    public: tuple[str, ...]
    idle_timeout: timedelta
    absolute_timeout: timedelta
    max_per_user: int
    logins_per_minute: int
    store: str
    trusted_proxies: tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]
    freeze_heap: bool
    personas: Mapping[str, Path | None]
    landing: Mapping[str, str]
    connections: Mapping[str, ConnectionConfig]
    max_connections: int
    roles: Roles | None
    rules: Rules | None
    warnings: tuple[str, ...]

    @property
    def is_loopback(self) -> bool:
        """Whether the app is only reached from the machine that it runs on."""
        return is_loopback(urlsplit(self.origin).hostname or "")

    @property
    def is_secure(self) -> bool:
        """Whether browsers reach the app over https."""
        return self.origin.startswith("https://")

    def callback_path(self, provider: str) -> str:
        """The path of one provider's redirect URI."""
        return urlsplit(self.redirect_uri_of(provider)).path

    def redirect_uri_of(self, provider: str) -> str:
        """The redirect URI of one provider: `{provider}` in it is replaced by the section's name."""
        return self.redirect_uri.replace("{provider}", provider)


def parse(secrets: Mapping[str, Any], host: Host, env: Mapping[str, str] = os.environ) -> Config:
    """Build the Config from the content of secrets.toml, or raise one ConfigError with all problems.

    `secrets` is the whole file as a mapping; a missing `[auth]` is a problem that says how to begin.
    """
    auth, own = secrets.get("auth"), secrets.get("st_auth", {})
    if not isinstance(auth, Mapping) or not auth:
        raise ConfigError([_no_auth()])
    reader = Reader(own if isinstance(own, Mapping) else {})
    if not isinstance(own, Mapping):
        reader.wrong("st_auth", "is not a table", "write [st_auth] on a line of its own, and its keys below")
    providers = _providers(auth, host, reader)
    is_dev = any(section.get("profile") == "dev" for section in (auth, *auth.values()) if isinstance(section, Mapping))
    own_base = base_path_of(host.base_path)
    redirect_uri = redirect_uri_of(auth, host.port, own_base, is_dev=is_dev, reader=reader)
    parts = urlsplit(redirect_uri)
    loopback = is_loopback(parts.hostname or "")
    origin = origin_of(parts)
    connections = connections_of(secrets, providers, reader, host.folder)
    rule_file = _rule_file(host, connections, reader)
    store = reader.text("store", f"sqlite:///{_default_vault(host)}")
    config = Config(
        providers=MappingProxyType(providers),
        redirect_uri=redirect_uri,
        origin=origin,
        base_path=(base := public_base(parts.path, own_base)),
        app_id=hashlib.sha256((reader.text("app_group", "") or f"{origin}{base}").encode()).hexdigest()[:8],
        cookie_secret=_cookie_secret(auth, host, loopback, reader),
        keys=_keys(reader, env),
        expose_tokens=_expose_tokens(auth, reader),
        allow=_allow(reader),
        require_login=reader.choice("require_login", ("before_app", "in_script"), "before_app"),  # type: ignore[arg-type]  # checked there
        public=reader.paths("public"),
        idle_timeout=reader.span("idle_timeout", timedelta(hours=4)),
        absolute_timeout=reader.span("absolute_timeout", timedelta(hours=12)),
        max_per_user=reader.whole("max_per_user", 10),
        logins_per_minute=reader.whole("logins_per_minute", 60),
        store=_absolute_store(store, host),
        trusted_proxies=reader.networks("trusted_proxies"),
        freeze_heap=reader.flag("freeze_heap", True),
        personas=MappingProxyType(_personas(auth, providers, host, reader)),
        landing=MappingProxyType(_landings(auth, providers)),
        connections=MappingProxyType(connections),
        max_connections=reader.whole("max_connections", 500),
        roles=rule_file.roles if rule_file else None,
        rules=rule_file.rules if rule_file else None,
        warnings=(),
    )
    _judge_together(config, is_dev, loopback, reader)
    reader.finish()
    return replace(config, warnings=tuple(reader.warnings))


def _rule_file(host: Host, connections: Mapping[str, ConnectionConfig], reader: Reader) -> RuleFile | None:
    obeying = dict.fromkeys(one.dialect for one in connections.values() if one.rules == "file" and one.dialect)
    file = read_rules(host.folder / ".streamlit" / "rules.toml", reader.problems, obeying)
    if file and file.rules.connection and file.rules.connection not in connections:
        mend = f"name one of: {', '.join(connections) or 'none is configured'}"
        reader.problems.append(Problem(RULES, "access.connection", "names no connection of secrets.toml", mend))
    return file


def _no_auth() -> Problem:
    return Problem(
        SECRETS,
        "[auth]",
        "there is no [auth] section, so nobody could log in",
        'Try it now with `profile = "dev"` under `[auth.dev]`; for your company see docs/getting-started.md',
    )


def _providers(auth: Mapping[str, Any], host: Host, reader: Reader) -> dict[str, Provider]:
    """Each [auth.NAME], and [auth] itself where it holds a client, as a Provider."""
    sections = {
        name: section
        for name, section in auth.items()
        if isinstance(section, Mapping) and name not in ("client_kwargs", "authorize_params", "authorization_parameters")
    }
    own = {key: value for key, value in auth.items() if key not in _SHARED_AUTH_KEYS and key not in sections}
    if own.keys() & {"client_id", "profile", "server_metadata_url"}:
        sections = {"default": own, **sections}
    if not sections:
        reader.wrong("auth", "no provider is configured", 'add `[auth.dev]` with `profile = "dev"` to try it, or see docs/configuration.md')
    providers = {}
    for name, section in sections.items():
        try:
            providers[name] = resolve(name, section, file=SECRETS, folder=host.folder / ".streamlit")
        except ConfigError as error:
            reader.problems.extend(error.problems)
    return providers


def _cookie_secret(auth: Mapping[str, Any], host: Host, loopback: bool, reader: Reader) -> Secret[str]:
    secret = auth.get("cookie_secret")
    make = 'python -c "import secrets; print(secrets.token_urlsafe(32))"'
    if secret is None and loopback:
        try:
            return kept_secret(_state_folder(host) / "cookie_secret")
        except (OSError, ValueError):
            mend = f"write one, or let the app write in {_state_folder(host)}"
            reader.wrong("auth.cookie_secret", "is missing, and none can be kept here", mend)
            return Secret("")
    if not isinstance(secret, str) or not secret:
        reader.wrong("auth.cookie_secret", "is missing", f"make one with `{make}`")
        return Secret("")
    if len(secret.encode()) < _MIN_SECRET_BYTES:
        if not loopback:
            reader.wrong("auth.cookie_secret", f"is shorter than {_MIN_SECRET_BYTES} bytes", f"make a new one with `{make}`")
        reader.warnings.append(f"auth.cookie_secret has under {_MIN_SECRET_BYTES} bytes: fine on this machine, refused anywhere else.")
    return Secret(secret)


def _state_folder(host: Host) -> Path:
    return host.folder / ".streamlit" / "st_auth"


def _keys(reader: Reader, env: Mapping[str, str]) -> tuple[Secret[str], ...]:
    keys = reader.texts("keys")
    if not keys and (text := env.get("ST_AUTH_KEYS")):
        keys = tuple(part.strip() for part in text.split(",") if part.strip())
    return tuple(Secret(key) for key in keys)


def _expose_tokens(auth: Mapping[str, Any], reader: Reader) -> tuple[str, ...]:
    odd: list[bool] = []
    kinds = texts(auth.get("expose_tokens", ()), lambda: odd.append(True))
    if odd or set(kinds) - {"id", "access"}:
        reader.wrong(
            "auth.expose_tokens", "names something other than id and access", 'write expose_tokens = ["id", "access"] or leave it out'
        )
        return ()
    return kinds


def _allow(reader: Reader) -> Allow:
    allow = reader.value("allow", (Mapping, str), {}, 'a table such as { email_domain = ["acme.com"] }, or "anyone"')
    if isinstance(allow, str):
        if allow != "anyone":
            reader.wrong("st_auth.allow", 'is neither a table nor "anyone"', 'write allow = { email_domain = ["acme.com"] }')
        return Allow()
    if unknown := sorted(set(allow) - {"email_domain", "email", "groups", "claim"}):
        reader.wrong(f"st_auth.allow.{unknown[0]}", "is not known", "known: email_domain, email, groups, claim")
    claim = allow.get("claim", {})
    if not isinstance(claim, Mapping):
        reader.wrong("st_auth.allow.claim", "must be a table", 'write claim = { department = ["sales"] }')
        claim = {}
    if "allow" in reader.own and not any(allow.values()):
        reader.wrong("st_auth.allow", "names nobody", 'write allow = { email_domain = ["acme.com"] }, or leave it out')
    return Allow(
        email_domain=tuple(d.lower().lstrip("@") for d in _named(allow, "email_domain", reader)),
        email=tuple(e.lower() for e in _named(allow, "email", reader)),
        groups=_named(allow, "groups", reader),
        claim=MappingProxyType({str(k): _named(claim, k, reader, "claim.") for k in claim}),
    )


def _named(table: Mapping[str, Any], key: str, reader: Reader, within: str = "") -> tuple[str, ...]:
    """The texts of one key of `allow`. An empty list is a problem: it would read as nobody and work as everybody."""
    if key not in table:
        return ()
    words = texts(table[key], lambda: None)
    if not words or not all(word.strip("@ ") for word in words):
        reader.wrong(f"st_auth.allow.{within}{key}", "must be a list of texts, none empty", "put each into quotes, or leave the key out")
    return words


def _default_vault(host: Host) -> Path:
    return _state_folder(host) / "vault.db"


def _absolute_store(store: str, host: Host) -> str:
    """A relative SQLite path stands beside the app, whatever the working directory is."""
    prefix = "sqlite:///"
    if not store.startswith(prefix):
        return store
    return f"{prefix}{host.folder / store.removeprefix(prefix)}"


def _personas(auth: Mapping[str, Any], providers: Mapping[str, Provider], host: Host, reader: Reader) -> dict[str, Path | None]:
    found: dict[str, Path | None] = {}
    for name, provider in providers.items():
        if provider.profile != "dev":
            continue
        section = auth.get(name, auth)
        path = section.get("personas") if isinstance(section, Mapping) else None
        found[name] = host.folder / str(path) if path else None
        if path and not _is_file(host.folder / str(path)):
            reader.wrong(
                f"auth.{name}.personas", "names a file that is not there", "give its path from the app's folder, or leave the key out"
            )
    return found


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a name that is too long for the system
        return False


def _landings(auth: Mapping[str, Any], providers: Mapping[str, Provider]) -> dict[str, str]:
    landings = {}
    for name in providers:
        section = auth.get(name, auth)
        uri = section.get("post_logout_redirect_uri") if isinstance(section, Mapping) else None
        if isinstance(uri, str) and uri:
            landings[name] = uri
    return landings


def _judge_together(config: Config, is_dev: bool, loopback: bool, reader: Reader) -> None:
    """What no key can be blamed for alone."""
    if is_dev and not loopback:
        reader.wrong(
            "auth",
            'profile = "dev" on an address that others reach',
            "use it on localhost only; configure your company's provider for anything else",
        )
    if config.idle_timeout > config.absolute_timeout:
        reader.wrong(
            "st_auth.idle_timeout", "is longer than absolute_timeout", "make it shorter: the login ends at the absolute limit anyway"
        )
    if not any((config.allow.email_domain, config.allow.email, config.allow.groups, config.allow.claim)):
        _judge_open_door(config, reader)
    if len(config.providers) > 1 and "{provider}" not in config.redirect_uri:
        return  # one redirect URI for several issuers is safe here: issuer and state are sealed per attempt and compared


def _judge_open_door(config: Config, reader: Reader) -> None:
    """A provider that anybody in the world has an account at needs an `allow` (DESIGN: who may log in)."""
    if reader.own.get("allow") == "anyone":
        return
    for name, provider in config.providers.items():
        if not provider.public:
            continue
        if provider.profile:
            reader.wrong(
                "st_auth.allow",
                f"is missing, and anybody in the world can have an account at {provider.label} (auth.{name})",
                'write allow = { email_domain = ["your-company.com"] }, or say it loudly: allow = "anyone"',
            )
        else:
            reader.warnings.append(f"auth.{name}: anybody in the world can have an account there; say who may log in with [st_auth] allow.")
