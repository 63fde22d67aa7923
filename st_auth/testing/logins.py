"""Be somebody in Streamlit's AppTest, without a server, a browser or a provider."""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from streamlit.testing.v1 import AppTest

from st_auth import streamlit_facts as facts
from st_auth.config import Host, parse
from st_auth.core import Core, build
from st_auth.oauth.tokens import TokenSet
from st_auth.rules_config import RULES
from st_auth.secret import Secret

__all__ = ["Somebody", "logged_in_as"]


@dataclass(frozen=True, slots=True)
class Somebody:
    """A person for tests; has what a login has."""

    name: str = "Ada Analyst"
    email: str = "ada@example.com"
    subject: str = "ada"
    issuer: str = "https://issuer.example"
    provider: str = "default"
    groups: tuple[str, ...] = ()
    claims: Mapping[str, Any] = field(default_factory=dict)
    email_verified: bool | None = True
    sid: str | None = None

    @property
    def tokens(self) -> TokenSet:
        """Tokens that no provider has given."""
        return TokenSet(Secret("test-access-token"), "Bearer", None, None, None, ())


@contextlib.contextmanager
def logged_in_as(app_test: AppTest, person: Somebody | None = None, *, groups: Sequence[str] = (), **claims: Any) -> Iterator[Core]:
    """Let each `run()` of an AppTest inside the block have `person` logged in.

        at = AppTest.from_file("app.py")
        with st_auth.testing.logged_in_as(at, groups=["admins"], region="eu"):
            at.run()

    `groups` and further claims are added to the person's; what they may do follows from the app's own `.streamlit/rules.toml`. AppTest has
    one Streamlit session for all tests of a process: it shows what a page does for somebody, not that people are kept apart.
    """
    somebody = person or Somebody()
    everything = {
        "sub": somebody.subject,
        "iss": somebody.issuer,
        "name": somebody.name,
        "email": somebody.email,
        **somebody.claims,
        **claims,
    }
    all_groups = (*somebody.groups, *groups)
    if all_groups:
        everything.setdefault("groups", list(all_groups))
    login = Somebody(**{**_fields(somebody), "groups": all_groups, "claims": everything})
    core = _core(facts.script_of(app_test).parent)
    _, stored = core.sessions.begin(login)
    live = core.live.adopt(stored)
    before = dict(app_test.user)
    app_test.user = {**everything, "is_logged_in": True, "provider": login.provider, facts.LOGIN_ID_KEY: live.login_id}
    try:
        with facts.stand_in(core):
            yield core
    finally:
        app_test.user = before
        core.close()


def _fields(person: Somebody) -> dict[str, Any]:
    return {name: getattr(person, name) for name in Somebody.__dataclass_fields__}


def _core(folder: Path) -> Core:
    auth = {
        "redirect_uri": "http://localhost:8501/oauth2callback",
        "cookie_secret": "only for tests, only in memory, never in a file",
        "client_id": "test",
        "client_secret": "test",
        "server_metadata_url": "http://localhost:1/.well-known/openid-configuration",
    }
    config = parse(
        {"auth": auth, "st_auth": {"store": "memory://", "absolute_timeout": "12h"}}, Host(port=8501, folder=_with_rules(folder)), env={}
    )
    return build(config)


def _with_rules(folder: Path) -> Path:
    """The folder whose .streamlit has the rules: the script's, else the one that we stand in, as for a running server."""
    return next((one for one in (folder, Path.cwd()) if (one / RULES).is_file()), folder)
