"""Be somebody without a server, a browser or a provider: in Streamlit's AppTest, or to the rules alone."""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from streamlit.testing.v1 import AppTest

from st_auth import streamlit_facts as facts
from st_auth.core import Core
from st_auth.persons import Somebody, app_core, everything_of, user_of
from st_auth.user import User

__all__ = ["Somebody", "as_user", "logged_in_as"]


@contextlib.contextmanager
def logged_in_as(app_test: AppTest, person: Somebody | None = None, *, groups: Sequence[str] = (), **claims: Any) -> Iterator[Core]:
    """Let each `run()` of an AppTest inside the block have `person` logged in.

        at = AppTest.from_file("app.py")
        with st_auth.testing.logged_in_as(at, groups=["admins"], region="eu"):
            at.run()

    `groups` and further claims are added to the person's; what they may do follows from the app's own `.streamlit/rules.toml`. AppTest has
    one Streamlit session for all tests of a process: it shows what a page does for somebody, not that people are kept apart.
    """
    login = everything_of(person or Somebody(), groups, claims)
    core = app_core(facts.script_of(app_test).parent)
    _, stored = core.sessions.begin(login)
    live = core.live.adopt(stored)
    before = dict(app_test.user)
    app_test.user = {**login.claims, "is_logged_in": True, "provider": login.provider, facts.LOGIN_ID_KEY: live.login_id}
    try:
        with facts.stand_in(core):
            yield core
    finally:
        app_test.user = before
        core.close()


@contextlib.contextmanager
def as_user(
    person: Somebody | None = None,
    *,
    groups: Sequence[str] = (),
    folder: str | Path = ".",
    connections: Mapping[str, Mapping[str, Any]] | None = None,
    **claims: Any,
) -> Iterator[User]:
    """Be a person to the rules of an app, without a server, a page or a browser.

        def test_an_analyst_sees_her_regions():
            with st_auth.testing.as_user(groups=["analysts"], regions=["eu"]) as ana:
                assert set(ana.query("select * from sales")["region"]) == {"eu"}

    `folder` is the app's: its `.streamlit/rules.toml` counts, and of its secrets.toml those connections that the app's own login opens;
    `connections` are in their place, as in `[connections.*]`. `groups` and further claims are added to the person's. Raises ConfigError.
    """
    core = app_core(Path(folder), connections)
    try:
        yield user_of(core, everything_of(person or Somebody(), groups, claims))
    finally:
        for live in core.live.known():
            core.live.end(live, "logout")
        core.close()
