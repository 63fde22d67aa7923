"""Read one section of `[auth]` key by key: each value of its own type, or a problem that says how to mend it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from st_auth.errors import Problem
from st_auth.oauth.profile_file import nearest
from st_auth.oauth.urls import is_absolute_uri

__all__ = ["NATIVE_KEYS", "SectionReader"]

NATIVE_KEYS = (
    *("client_id", "client_secret", "server_metadata_url", "client_kwargs", "issuer", "authorize_params", "label"),
    *("email_is_verified", "logout_landing", "authorization_parameters"),
    *("client_key", "client_key_id", "resource", "pushed_authorization_requests"),
)
_OURS = frozenset(
    (
        *("response_type", "response_mode", "client_id", "redirect_uri", "scope", "state", "nonce"),
        *("code_challenge", "code_challenge_method", "request", "request_uri"),
        *("client_secret", "client_assertion", "client_assertion_type", "resource"),
    )
)


class SectionReader:
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
            close = [other for other in self.section if other not in NATIVE_KEYS and nearest(other, [key])]
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
