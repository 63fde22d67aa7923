"""What the tests of running apps share: an app for a whole module, and people who log in with Chromium."""

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, expect

from tests.browser.pages import answer_provider, fact
from tests.conftest import APPS
from tests.servers.openid_provider import OpenIdProvider
from tests.servers.streamlit_app import StreamlitApp, auth_secrets

PROBE = APPS / "probe.py"


@contextmanager
def running(
    provider: OpenIdProvider,
    folder: Path,
    source: str | Path = PROBE,
    *,
    st_auth: Mapping[str, object] | None = None,
    secrets: Mapping[str, object] | str | None = None,
    base: str = "",
    **settings: Any,
) -> Iterator[StreamlitApp]:
    """An app that lets people in at this provider, until the block ends; `secrets` replaces its `[auth]`."""
    if secrets is None:
        path = f"/{base}/oauth2callback" if base else "/oauth2callback"
        secrets = auth_secrets(path=path, **provider.auth_section())
    if st_auth is not None and not isinstance(secrets, str):
        secrets = {**secrets, "st_auth": st_auth}
    app = StreamlitApp(source, folder, secrets=secrets, base=base, **settings)
    provider.add_app(app.origin)
    try:
        yield app.start()
    finally:
        app.stop()


def log_in(page: Page, url: str, person: str = "alice") -> None:
    """Open the probe app and log in at its only provider."""
    page.goto(url)
    answer_provider(page, person)
    expect_person(page, person)


def expect_person(page: Page, person: str) -> None:
    """Wait until the probe app shows this person."""
    expect(page.get_by_text(f"subject={person}", exact=True)).to_be_visible(timeout=20_000)


def expect_ended(page: Page, why: str, *, seconds: float = 15) -> None:
    """Wait until the tab is on the page that says why its login is over."""
    page.wait_for_url(f"**/auth/ended?why={why}*", timeout=seconds * 1000)


def expect_out_at_provider(page: Page, *, seconds: float = 15) -> None:
    """Wait until a logout in this tab has been at the provider, whether or not the provider sends people back."""
    page.wait_for_url(re.compile(r"/session/end/success|/auth/ended\?why=logout"), timeout=seconds * 1000)


def expect_fact(page: Page, name: str, value: str, *, seconds: float = 15) -> None:
    """Wait until the probe app shows `name=value`."""
    expect(page.get_by_text(f"{name}={value}", exact=True).first).to_be_visible(timeout=seconds * 1000)


def claims_of(page: Page) -> dict[str, Any]:
    """What `st.user` holds, as the probe app shows it."""
    claims: dict[str, Any] = json.loads(fact(page, "st_user"))
    return claims


def stays(page: Page, *, milliseconds: int) -> bool:
    """Whether the tab goes nowhere for so long; what it is to be kept from takes less."""
    before = page.url
    try:
        page.wait_for_url(lambda url: url != before, timeout=milliseconds)
    except Exception as late:
        if "Timeout" in type(late).__name__:
            return True
        raise
    return False
