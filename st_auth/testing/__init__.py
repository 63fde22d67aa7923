"""For tests of apps and of other people's backends: a provider, people, and the contracts that a backend must keep."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from st_auth.testing.fake_issuer import FakeIssuer
    from st_auth.testing.logins import Somebody, as_user, logged_in_as
    from st_auth.testing.store_contract import StoreContract

__all__ = ["FakeIssuer", "Somebody", "StoreContract", "as_user", "logged_in_as"]

_WHERE = {
    "FakeIssuer": "fake_issuer",
    "Somebody": "logins",
    "StoreContract": "store_contract",
    "as_user": "logins",
    "logged_in_as": "logins",
}


def __getattr__(name: str) -> Any:
    """Load a name at its first use: the contracts need pytest, which an app in production lacks."""
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(f"st_auth.testing.{_WHERE[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
