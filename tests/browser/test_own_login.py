"""A person logs in to a database of their own from an app's page, in a real Chromium, at a real PostgreSQL."""

import os
from pathlib import Path

import pytest
from playwright.sync_api import expect

from st_auth.testing import FakeIssuer
from tests.browser.ground import expect_fact, expect_person
from tests.browser.pages import fact, press, see
from tests.conftest import APPS
from tests.servers.postgres import PostgresServer, password_of
from tests.servers.processes import wait_until
from tests.servers.streamlit_app import StreamlitApp, auth_secrets

APP = APPS / "own_login.py"


@pytest.fixture(scope="module")
def postgres():
    with PostgresServer(passwords=True) as server:
        yield server


@pytest.fixture(scope="module")
def issuer():
    with FakeIssuer(serve=True) as issuer:
        yield issuer


@pytest.fixture(scope="module")
def app(issuer, postgres, tmp_path_factory):
    url = f"postgresql+psycopg://127.0.0.1:{postgres.port}/sales"
    section = {"type": "st_auth.SQLConnection", "url": url, "login": "own"}
    secrets = {**auth_secrets(**issuer.section()), "connections": {"erp": section}, "st_auth": {"allow": "anyone"}}
    app = StreamlitApp(APP, tmp_path_factory.mktemp("own"), secrets=secrets, options=["--logger.level=debug"])
    try:
        yield app.start()
    finally:
        app.stop()


def page_of(app, issuer, new_context, person):
    issuer.person = person
    page = new_context().new_page()
    page.goto(f"{app.url}auth/login?provider=default&next=%2F")
    expect_person(page, person)
    return page


@pytest.fixture
def ana(app, issuer, new_context):
    return page_of(app, issuer, new_context, "ana")


def switch(page, label):
    page.bring_to_front()
    page.get_by_text(label, exact=True).click()


def form_of(page):
    with page.context.expect_page() as opened:
        page.get_by_role("link", name="Log in to it in a new tab").click()
    see(opened.value, "Log in to erp")
    return opened.value


def give(form, user, password):
    form.get_by_label("Name").fill(user)
    form.get_by_label("Password").fill(password)
    press(form, "Log in")


def picture(page, name):
    """Leave a picture where ST_AUTH_PICTURES names a folder, for people to look at."""
    if folder := os.environ.get("ST_AUTH_PICTURES"):
        page.screenshot(path=Path(folder) / f"{name}.png")


def test_a_person_logs_in_to_a_database_in_a_new_tab_and_the_page_goes_on_with_every_widget_as_it_was(ana, app):
    above, below = ana.get_by_label("Above"), ana.get_by_label("Below")
    for field, text in ((above, "typed above"), (below, "typed below")):
        field.fill(text)
        field.press("Enter")
    switch(ana, "Orders")
    see(ana, "Please log in to erp")
    expect(below).to_have_value("typed below")
    picture(ana, "asks")

    form = form_of(ana)
    picture(form, "form")
    give(form, "ana", "not ana's password")
    see(form, "does not take this name and password")
    expect(form.get_by_label("Password")).to_have_value("")
    picture(form, "wrong")
    give(form, "ana", password_of("ana"))
    see(form, "The page that you came from goes on by itself")

    expect_fact(ana, "me", "ana")
    expect_fact(ana, "orders", "[1, 2]")
    for field, text in ((above, "typed above"), (below, "typed below")):
        expect(field).to_have_value(text)
    switch(ana, "State")
    assert password_of("ana") not in fact(ana, "state")
    picture(ana, "goes-on")
    for text in (password_of("ana"), "own: 2", "not ana's password"):
        assert text not in app.output
        assert text not in ana.content()


def test_a32_two_people_at_once_each_enter_as_themselves_and_a_logout_is_for_one(app, issuer, new_context, postgres):
    pages = {name: page_of(app, issuer, new_context, name) for name in ("ana", "bob")}
    for name, page in pages.items():
        switch(page, "Orders")
        give(form_of(page), name, password_of(name))
    for _ in range(3):
        for name, page in pages.items():
            press(page, "Again")
            expect_fact(page, "me", name)

    press(pages["ana"], "Log out of erp")

    see(pages["ana"], "Please log in to erp")
    press(pages["bob"], "Again")
    expect_fact(pages["bob"], "me", "bob")
    pages["bob"].goto(f"{app.url}auth/logout")
    press(pages["bob"], "Log out")
    wait_until(lambda: not [one for one in postgres.sessions() if one[0] == "bob"], "bob's session at the database is closed")


def test_where_nothing_can_be_drawn_the_page_is_told(ana):
    switch(ana, "Thread")
    expect_fact(ana, "thread", "login_needed")
    press(ana, "Quietly")
    expect_fact(ana, "quietly", "login_needed")


def test_a_fragment_asks_in_its_place_and_the_page_around_it_stays(ana):
    below = ana.get_by_label("Below")
    below.fill("typed below")
    below.press("Enter")

    switch(ana, "Inside")
    see(ana, "Please log in to erp")
    expect(below).to_have_value("typed below")
    give(form_of(ana), "ana", password_of("ana"))

    expect_fact(ana, "inside", "ana")
    expect(below).to_have_value("typed below")


def test_a_changed_password_is_asked_for_again(ana, postgres):
    switch(ana, "Orders")
    give(form_of(ana), "ana", password_of("ana"))
    expect_fact(ana, "me", "ana")
    try:
        postgres.set_password("ana", "a new one of ana's")
        postgres.end_sessions("ana")
        press(ana, "Again")
        see(ana, "Please log in to erp")
        give(form_of(ana), "ana", "a new one of ana's")
        expect_fact(ana, "me", "ana")
    finally:
        postgres.set_password("ana", password_of("ana"))


def test_who_cancels_stays_where_they_were(ana):
    switch(ana, "Orders")
    form = form_of(ana)

    form.get_by_role("link", name="Cancel").click()

    see(form, "Nothing was kept")
    see(ana, "Please log in to erp")


def test_a_restart_of_the_app_keeps_the_login(ana, app):
    switch(ana, "Orders")
    give(form_of(ana), "ana", password_of("ana"))
    expect_fact(ana, "me", "ana")

    app.stop()
    app.start()

    ana.goto(app.url)
    expect_person(ana, "ana")
    switch(ana, "Orders")
    expect_fact(ana, "me", "ana")
    kept = b"".join(file.read_bytes() for file in (app.folder / ".streamlit").rglob("*") if file.is_file() and file.name != "secrets.toml")
    assert len(kept) > 1000
    assert b"own: 2" not in kept
