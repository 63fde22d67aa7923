"""The example dashboard with the development login, as `make demo` shows it: three people, one click each, their own rows."""

import os
import tomllib
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.ground import expect_ended
from tests.browser.pages import press, see
from tests.servers.streamlit_app import StreamlitApp

DASHBOARD = Path(__file__).parents[2] / "examples" / "dashboard"
AUTH = {"redirect_uri": "http://localhost:{port}/oauth2callback", "dev": {"profile": "dev", "personas": "personas.toml"}}
OWN = tomllib.loads((DASHBOARD / ".streamlit" / "secrets.toml").read_text("utf-8"))
SECRETS = {"auth": AUTH, "connections": OWN["connections"]}


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """The example as it is, on a free port; `SHOTS` names a folder for pictures of what people see."""
    with StreamlitApp(DASHBOARD, tmp_path_factory.mktemp("dashboard"), secrets=SECRETS) as app:
        yield app


def shoot(page, name: str) -> None:
    if folder := os.environ.get("SHOTS"):
        page.screenshot(path=f"{folder}/demo-{name}.png", full_page=True)


def come_in(context, app, name: str):
    page = context.new_page()
    page.goto(app.url)
    page.get_by_role("link", name=name).click()
    see(page, f"Hello, {name}")
    return page


def settled(page) -> None:
    """Wait until the script has run to its end."""
    expect(page.locator("[data-testid=stStatusWidget]")).to_have_count(0, timeout=20_000)


def test_the_login_page_offers_three_people_and_says_what_it_is(demo, new_context):
    page = new_context().new_page()
    page.goto(demo.url)
    see(page, "Choose who you want to be.")
    see(page, "Development login:")

    assert page.locator("a.person").count() == 3
    shoot(page, "login")


@pytest.mark.parametrize(
    ("name", "shows", "hides"),
    [
        ("Ana Analyst", ["Europe ·", "Customers"], ["Americas", "Asia Pacific", "Export", "Look as somebody else"]),
        ("Ada Admin", ["Americas, Asia Pacific, Europe ·", "Export", "Look as somebody else"], []),
    ],
)
def test_one_click_and_a_person_sees_their_own_rows(demo, new_context, name, shows, hides):
    context = new_context(viewport={"width": 1280, "height": 900})
    page = come_in(context, demo, name)
    for text in shows:
        see(page, text)
    expect(page.locator("[data-testid=stVegaLiteChart], [data-testid=stDataFrame]").first).to_be_visible()
    settled(page)

    assert page.locator("[data-testid=stException]").count() == 0
    for text in hides:
        assert text not in page.locator("body").inner_text()
    shoot(page, name.split()[0])


def test_somebody_without_a_role_is_told_so_kindly(demo, new_context):
    page = come_in(new_context(), demo, "Noa Nobody")
    see(page, "You have no role yet, so there is nothing to show.")
    settled(page)

    assert page.locator("[data-testid=stMetric], [data-testid=stDataFrame]").count() == 0
    shoot(page, "Noa")


def test_a_logout_ends_the_other_tab_and_another_person_can_come(demo, new_context):
    context = new_context()
    one, other = come_in(context, demo, "Ada Admin"), context.new_page()
    other.goto(f"{demo.url}?page=2")
    see(other, "Hello, Ada Admin")
    press(one, "Log out")
    expect_ended(other, "logout", seconds=2)
    expect_ended(one, "logout")
    shoot(one, "ended")

    other.get_by_role("link", name="Log in again").click()
    other.get_by_role("link", name="Ana Analyst").click()
    see(other, "Hello, Ana Analyst")
    assert other.url == f"{demo.url}?page=2"
    assert "Ada Admin" not in other.content()


def test_addresses_and_margins_are_for_those_who_may_see_them(demo, new_context):
    seen = {}
    for name in ("Ana Analyst", "Ada Admin"):
        page = come_in(new_context(viewport={"width": 1280, "height": 900}), demo, name)
        page.get_by_role("link", name="Customers").click()
        see(page, "of the customers that you may see")
        settled(page)
        expect(page.locator("[data-testid=stDataFrame]")).to_be_visible()
        seen[name] = page.locator("body").inner_text()
        shoot(page, f"customers-{name.split()[0]}")

    assert "13 of the customers" in seen["Ana Analyst"]
    assert "Addresses and margins are for people" in seen["Ana Analyst"]
    assert "39 of the customers" in seen["Ada Admin"]
    assert "Addresses and margins are for people" not in seen["Ada Admin"]


def test_an_admin_looks_as_somebody_else_and_nobody_else_can(demo, new_context):
    page = come_in(new_context(viewport={"width": 1280, "height": 900}), demo, "Ada Admin")
    page.get_by_role("link", name="Look as somebody else").click()
    see(page, "SELECT * FROM (SELECT * FROM sales AS st_auth_t")
    settled(page)
    shoot(page, "look-as")
    page.get_by_text("analysts", exact=True).click()
    see(page, "needs the permission “sales:read”")
    assert '"seen_as": "region"' in demo.output

    page = come_in(new_context(), demo, "Ana Analyst")
    page.goto(f"{demo.url}look_as")
    settled(page)
    assert "SELECT * FROM" not in page.locator("body").inner_text()
