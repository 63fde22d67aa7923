"""Read [st_auth] key by key: each value of its own type, or a problem that says how to mend it."""

import difflib
import ipaddress
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any, Final

from st_auth.clock import span_of
from st_auth.errors import ConfigError, Problem

__all__ = ["SECRETS", "Reader", "texts"]

SECRETS: Final = ".streamlit/secrets.toml"


class Reader:
    """Reads [st_auth] key by key and keeps what is wrong."""

    def __init__(self, own: Mapping[str, Any]) -> None:
        self.own = own
        self.problems: list[Problem] = []
        self.warnings: list[str] = []
        self._known: set[str] = set()

    def wrong(self, key: str, what: str, mend: str) -> None:
        """Keep one problem."""
        self.problems.append(Problem(SECRETS, key, what, mend))

    def value(self, key: str, kind: type | tuple[type, ...], default: Any, what: str) -> Any:
        """One key of [st_auth], or the default; a value of another type is a problem."""
        self._known.add(key)
        value = self.own.get(key, default)
        if isinstance(value, kind) and not (isinstance(value, bool) and kind is int):
            return value
        self.wrong(f"st_auth.{key}", f"must be {what}", f"write {what}, or leave the key out")
        return default

    def text(self, key: str, default: str) -> str:
        """A string."""
        return str(self.value(key, str, default, "text in quotes"))

    def flag(self, key: str, default: bool) -> bool:
        """true or false."""
        return bool(self.value(key, bool, default, "true or false"))

    def whole(self, key: str, default: int) -> int:
        """A whole number above zero."""
        number = int(self.value(key, int, default, "a whole number above 0"))
        if number < 1:
            self.wrong(f"st_auth.{key}", "must be above 0", f"write {default}, the default, or another whole number")
        return max(number, 1)

    def choice(self, key: str, choices: tuple[str, ...], default: str) -> str:
        """One of a few words."""
        word = self.text(key, default)
        if word in choices:
            return word
        self.wrong(f"st_auth.{key}", f"is not one of {', '.join(choices)}", f"write {key} = {choices[0]!r}")
        return default

    def texts(self, key: str) -> tuple[str, ...]:
        """A list of strings."""
        return texts(
            self.value(key, (list, tuple), (), "a list of texts"),
            lambda: self.wrong(f"st_auth.{key}", "must be a list of texts", "put each into quotes"),
        )

    def paths(self, key: str) -> tuple[str, ...]:
        """A list of exact paths."""
        paths = self.texts(key)
        for path in paths:
            if not path.startswith("/") or "*" in path or "//" in path or "/." in path:
                self.wrong(f"st_auth.{key}", "holds something that is no exact path", 'write paths such as "/app/static/logo.png"')
        return paths

    def span(self, key: str, default: timedelta) -> timedelta:
        """A span of time such as "4h", "90m", "30s" or "1h 30m"."""
        self._known.add(key)
        if key not in self.own:
            return default
        span = span_of(str(self.own[key]))
        if span is None or not timedelta(seconds=1) <= span <= timedelta(days=90):
            self.wrong(f"st_auth.{key}", "is not a span of time between 1s and 90d", 'write it like "4h", "90m" or "1h 30m"')
            return default
        return span

    def networks(self, key: str) -> tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]:
        """A list of networks in CIDR notation."""
        networks = []
        for text in self.texts(key):
            try:
                networks.append(ipaddress.ip_network(text))
            except ValueError:
                self.wrong(f"st_auth.{key}", "holds something that is no network", 'write networks such as "10.0.0.0/8"')
        return tuple(networks)

    def finish(self) -> None:
        """Raise all problems, those of unknown keys included."""
        for key in sorted(set(self.own) - self._known):
            near = difflib.get_close_matches(key, sorted(self._known), n=1)
            mend = f"did you mean {near[0]!r}?" if near else f"known keys: {', '.join(sorted(self._known))}"
            self.wrong(f"st_auth.{key}", "is not a key of [st_auth]", mend)
        if self.problems:
            raise ConfigError(self.problems)


def texts(value: Any, wrong: Callable[[], None]) -> tuple[str, ...]:
    if isinstance(value, str):
        return (value,)
    if not isinstance(value, list | tuple) or not all(isinstance(item, str) for item in value):
        wrong()
        return ()
    return tuple(value)
