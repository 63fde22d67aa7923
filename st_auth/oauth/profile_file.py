"""Profiles: what we know about a kind of provider, as data in `providers/*.toml`. The fields are described in its README."""

import re
import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from difflib import get_close_matches
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Any

from st_auth.errors import ConfigError, Problem
from st_auth.oauth.algorithms import ALGORITHMS
from st_auth.oauth.profile_rules import ENDPOINTS, contradictions
from st_auth.oauth.quirks import QUIRKS
from st_auth.oauth.url_template import parameters_in

__all__ = ["AUTH_METHODS", "EMAIL_RULES", "KEY_METHOD", "LANDINGS", "Profile", "load_profile", "nearest", "profile_of_host"]

KEY_METHOD = "private_key_jwt"
AUTH_METHODS = ("client_secret_basic", "client_secret_post", KEY_METHOD, "none")
EMAIL_RULES = ("claim", "always", "never")
EXCHANGES = ("token-exchange", "jwt-bearer")
LANDINGS = ("redirect_uri", "configured", "none")
SUBJECTS = ("userinfo", "token_response")
ERRORS = ("invalid_request", "invalid_client", "invalid_grant", "unauthorized_client", "unsupported_grant_type", "invalid_scope")


@dataclass(frozen=True, slots=True)
class Profile:
    """One file of `providers/`, checked; see `providers/README.md` for what each field means."""

    name: str
    source: str
    checked: date
    issuer: str
    scopes: tuple[str, ...]
    hosts: tuple[str, ...] = ()
    parameters: Mapping[str, str] = field(default_factory=dict)
    optional: tuple[str, ...] = ()
    client_id: str = ""
    client_secret: str = field(default="", repr=False)
    authorization_parameters: Mapping[str, str] = field(default_factory=dict)
    token_endpoint_auth_method: str = ""
    algorithms: tuple[str, ...] = ALGORITHMS
    claims: Mapping[str, str] = field(default_factory=dict)
    public: bool = False
    email_is_verified: str = "claim"
    logout_wants_id_token: bool = False
    logout_landing: str = "configured"
    revoke_at_logout: bool = True
    exchange: str = "token-exchange"
    openid: bool = True
    server_metadata_url: str = ""
    authorization_endpoint: str = ""
    token_endpoint: str = ""
    userinfo_endpoint: str = ""
    emails_endpoint: str = ""
    revocation_endpoint: str = ""
    end_session_endpoint: str = ""
    subject_from: str = "userinfo"
    error_codes: Mapping[str, str] = field(default_factory=dict)
    hints: Mapping[str, str] = field(default_factory=dict)
    quirks: tuple[str, ...] = ()


def load_profile(name_or_path: str, folders: Sequence[Path] = ()) -> Profile:
    """Return the profile of that name, or from a path that ends in `.toml`; raises `ConfigError` with all its problems.

    A relative path is looked for in each of `folders`, in the working directory where there are none.
    """
    path = _path(name_or_path, folders)
    return _checked(_read(path, ()), path)


def profile_of_host(host: str) -> Profile | None:
    """Return the profile whose provider is at this host, for sections that name none; None if no profile knows the host."""
    for profile in _shipped():
        if any(fnmatchcase(host.lower(), pattern) for pattern in profile.hosts):
            return profile
    return None


@cache
def _shipped() -> tuple[Profile, ...]:
    return tuple(load_profile(path.stem) for path in sorted(_folder().glob("*.toml")))


def _path(name_or_path: str, folders: Sequence[Path]) -> Path:
    if name_or_path.endswith(".toml"):
        candidates = [folder / name_or_path for folder in folders] or [Path(name_or_path)]
        return next((path for path in candidates if path.is_file()), candidates[-1])
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]*", name_or_path):
        name_or_path = "-"  # no name of a profile, and none of a file
    return _folder() / f"{name_or_path}.toml"


def _folder() -> Path:
    """Return where the profiles are: inside the wheel, else beside the package in a checkout."""
    package = Path(__file__).resolve().parent.parent
    inside = package / "providers"
    return inside if inside.is_dir() else package.parent / "providers"


def _read(path: Path, seen: tuple[Path, ...]) -> dict[str, Any]:
    """Read a profile's file, laid over the one that it extends."""
    known = sorted(p.stem for p in _folder().glob("*.toml"))
    try:
        table = tomllib.loads(path.read_text("utf-8"))
    except OSError:
        raise ConfigError([Problem(str(path), "profile", "cannot be read", "Choose one of " + ", ".join(known) + ".")]) from None
    except ValueError as error:
        raise ConfigError([Problem(str(path), "profile", f"is not TOML: {error}", "Mend the file.")]) from None
    base = table.pop("extends", None)
    if base is None:
        return table
    if not isinstance(base, str) or path in seen or base not in known:
        raise ConfigError([Problem(str(path), "extends", "names no other profile", "Choose one of " + ", ".join(known) + ".")])
    return _laid_over(_read(_folder() / f"{base}.toml", (*seen, path)), table)


def _laid_over(base: dict[str, Any], table: dict[str, Any]) -> dict[str, Any]:
    merged = {**base, **table}
    for key in ("claims", "parameters", "authorization_parameters", "error_codes", "hints"):
        if isinstance(base.get(key), dict) and isinstance(table.get(key), dict):
            merged[key] = {**base[key], **table[key]}
    return merged


def _checked(table: Mapping[str, Any], path: Path) -> Profile:
    problems = [*_unknown(table, path), *_mistyped(table, path)]
    if not problems:
        problems = [Problem(str(path), *found) for found in contradictions(table)]
    if problems:
        raise ConfigError(problems)
    fields: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in table.items()}
    return Profile(**fields)


def _is_text(value: object) -> bool:
    return isinstance(value, str) and value != ""


def _is_address(value: object) -> bool:
    """Say whether `fill` knows what to do with it: a URL with or without parameters, or one single parameter."""
    return isinstance(value, str) and ("://" in value or {value} == {f"{{{name}}}" for name in parameters_in(value)})


def _is_flag(value: object) -> bool:
    return isinstance(value, bool)


def _is_words(value: object) -> bool:
    return isinstance(value, list) and all(_is_text(word) for word in value)


def _is_algorithms(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(name in ALGORITHMS for name in value)


def _is_quirks(value: object) -> bool:
    return isinstance(value, list) and all(name in QUIRKS for name in value)


def _is_error_codes(value: object) -> bool:
    return isinstance(value, dict) and all(code in ERRORS for code in value.values())


def _is_table(value: object) -> bool:
    return isinstance(value, dict) and all(isinstance(text, str) for text in value.values())


_FIELDS: Mapping[str, tuple[Callable[[object], bool], str]] = {
    "name": (_is_text, "a string"),
    "source": (_is_text, "the address of the provider's documentation"),
    "checked": (lambda value: type(value) is date, "the day when the source was read, such as 2026-11-22"),
    "issuer": (_is_address, "a URL, with {parameters} where it varies"),
    "hosts": (_is_words, "a list of host names, such as *.okta.com"),
    "parameters": (_is_table, "a table: name = what it is"),
    "optional": (_is_words, "a list of parameters"),
    "scopes": (_is_words, "a list of strings"),
    "client_id": (_is_text, "a string"),
    "client_secret": (_is_text, "a string"),
    "authorization_parameters": (_is_table, "a table of strings"),
    "token_endpoint_auth_method": (lambda value: value in AUTH_METHODS, "one of " + ", ".join(AUTH_METHODS)),
    "algorithms": (_is_algorithms, "a list out of " + " ".join(ALGORITHMS)),
    "claims": (_is_table, "a table: ours = theirs"),
    "public": (_is_flag, "true or false"),
    "email_is_verified": (lambda value: value in EMAIL_RULES, "one of " + ", ".join(EMAIL_RULES)),
    "logout_wants_id_token": (_is_flag, "true or false"),
    "logout_landing": (lambda value: value in LANDINGS, "one of " + ", ".join(LANDINGS)),
    "revoke_at_logout": (_is_flag, "true or false"),
    "exchange": (lambda value: value in EXCHANGES, "one of " + ", ".join(EXCHANGES)),
    "openid": (_is_flag, "true or false"),
    "server_metadata_url": (_is_address, "a URL, with {parameters} where it varies"),
    **dict.fromkeys(ENDPOINTS, (_is_address, "a URL, with {parameters} where it varies")),
    "subject_from": (lambda value: value in SUBJECTS, "one of " + ", ".join(SUBJECTS)),
    "error_codes": (_is_error_codes, "a table: theirs = one of " + " ".join(ERRORS)),
    "hints": (_is_table, "a table: error code = what to do"),
    "quirks": (_is_quirks, "a list out of " + " ".join(QUIRKS)),
}
_REQUIRED = ("name", "source", "checked", "issuer", "scopes")


def _unknown(table: Mapping[str, Any], path: Path) -> Iterable[Problem]:
    for key in table.keys() - _FIELDS.keys():
        close = nearest(key, _FIELDS)
        yield Problem(str(path), key, "is not a known key", f'Did you mean "{close}"?' if close else "Remove it.")


def _mistyped(table: Mapping[str, Any], path: Path) -> Iterable[Problem]:
    for key, (is_right, what) in _FIELDS.items():
        if key in table and not is_right(table[key]):
            yield Problem(str(path), key, f"is not {what}", f"Make it {what}.")
        elif key not in table and key in _REQUIRED:
            yield Problem(str(path), key, "is missing", f"Give {what}.")


def nearest(word: str, known: Iterable[str]) -> str:
    """Return the known word that `word` looks like, or an empty string."""
    return next(iter(get_close_matches(word, list(known), cutoff=0.75)), "")
