"""Login, sessions and per-user data for Streamlit apps.

import st_auth
user = st_auth.require_login()
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from st_auth import errors
    from st_auth.app.doors import DuckDBConnection, FilesConnection, HTTPConnection, MongoDBConnection, SnowflakeConnection, SQLConnection
    from st_auth.app.gate import current_user, link, login, logout, require_login
    from st_auth.user import User
    from st_auth.web.middleware import Middleware

__all__ = [
    "DuckDBConnection",
    "FilesConnection",
    "HTTPConnection",
    "Middleware",
    "MongoDBConnection",
    "SQLConnection",
    "SnowflakeConnection",
    "User",
    "current_user",
    "errors",
    "link",
    "login",
    "logout",
    "require_login",
]

_WHERE = {
    "DuckDBConnection": "st_auth.app.doors",
    "FilesConnection": "st_auth.app.doors",
    "HTTPConnection": "st_auth.app.doors",
    "MongoDBConnection": "st_auth.app.doors",
    "SQLConnection": "st_auth.app.doors",
    "SnowflakeConnection": "st_auth.app.doors",
    "Middleware": "st_auth.web.middleware",
    "User": "st_auth.user",
    "current_user": "st_auth.app.gate",
    "errors": "st_auth.errors",
    "link": "st_auth.app.gate",
    "login": "st_auth.app.gate",
    "logout": "st_auth.app.gate",
    "require_login": "st_auth.app.gate",
}


def __getattr__(name: str) -> Any:
    """Load a public name at its first use (PEP 562), so that `import st_auth` stays cheap."""
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    module = import_module(_WHERE[name])
    value = module if name == "errors" else getattr(module, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
