"""The three ways to put st_auth in front of an app, each in a real browser, with and without a base path, and while files are saved."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import expect

import st_auth
from tests.browser.ground import PROBE, claims_of, expect_ended, expect_fact, expect_out_at_provider, expect_person, running
from tests.browser.pages import answer_provider, fact, press, see
from tests.servers import toml
from tests.servers.processes import wait_until
from tests.servers.streamlit_app import StreamlitApp, auth_secrets

WAYS = ("run", "asgi", "plain")
# st_auth as it is when installed: Streamlit watches no site-packages, but it would watch our checkout and unload its modules.
CONFIG = {"server": {"runOnSave": True, "folderWatchBlacklist": [str(Path(st_auth.__file__).parents[1])]}}


@pytest.fixture(scope="module", params=[(way, base) for way in WAYS for base in ("", "app")], ids=lambda p: "-".join(filter(None, p)))
def mounted(request, openid_provider, tmp_path_factory):
    way, base = request.param
    folder = tmp_path_factory.mktemp(f"{way}{base}")
    with running(openid_provider, folder, way=way, base=base, watch=True, config=CONFIG) as app:
        yield app


def test_login_claims_and_logout(mounted, new_context):
    context = new_context()
    page = context.new_page()
    page.goto(f"{mounted.url}?q=1")
    answer_provider(page, "zoe")
    expect_person(page, "zoe")
    assert page.url == f"{mounted.url}?q=1"
    claims = claims_of(page)
    assert claims["name"] == "Zoë 陳 Ω"
    assert claims["groups"] == ["analysts", "équipe-données"]
    assert claims["is_logged_in"] is True
    assert claims["st_auth_login_id"] == fact(page, "login_id")
    expect(page.locator("[data-testid=stImage] img").first).to_have_js_property("naturalWidth", 1)
    page.locator("input[type=file]").set_input_files([{"name": "a.txt", "mimeType": "text/plain", "buffer": b"my file"}])
    expect_fact(page, "file", "my file")

    other = context.new_page()
    other.goto(mounted.url)
    expect_person(other, "zoe")
    press(other, "Log out")
    expect_ended(page, "logout", seconds=2)
    expect_out_at_provider(other)
    page.get_by_role("link", name="Log in again").click()
    answer_provider(page, "bob")
    expect_person(page, "bob")
    assert page.url == f"{mounted.url}?q=1"


def test_saving_the_script_and_the_configuration_changes_nothing_for_people(mounted, new_context, person):
    context = new_context()
    page = context.new_page()
    page.goto(mounted.url)
    answer_provider(page, "alice")
    expect_person(page, "alice")
    press(page, "Count")
    expect_fact(page, "count", "1")
    login_id = fact(page, "login_id")
    base = mounted.url.removeprefix(mounted.origin).strip("/")
    bob = person()
    bob.login(f"{mounted.url}auth/login", "bob")
    tab = bob.tab(mounted.url, base=base)
    tab.click("Count")
    session_id, bobs_login = tab.session_id, tab.fact("login_id")

    mounted.script.write_text(f"{PROBE.read_text('utf-8')}\nst.text('saved=yes')\n", "utf-8")
    expect_fact(page, "saved", "yes")
    mounted.config_file.write_text(toml.dumps({**CONFIG, "theme": {"primaryColor": "#ff0000"}}), "utf-8")
    wait_until(lambda: _color(bob, mounted.url, base) == "#ff0000", "Streamlit to have read its configuration again")

    press(page, "Count")
    expect_fact(page, "count", "2")
    expect_fact(page, "login_id", login_id)
    second = context.new_page()
    second.goto(mounted.url)
    expect_fact(second, "login_id", login_id)
    assert claims_of(second)["email"] == "alice@example.test"
    tab.reconnect()
    assert (tab.session_id, tab.fact("login_id"), tab.fact("count")) == (session_id, bobs_login, "1")
    press(second, "Log out")
    expect_ended(page, "logout", seconds=2)


def _color(someone, url, base):
    tab = someone.tab(url, base=base, load=False)
    try:
        return next(m.new_session.custom_theme.primary_color for m in tab.messages if m.WhichOneof("type") == "new_session")
    finally:
        tab.close()


def test_plain_refuses_where_others_could_reach_it(openid_provider, new_context, tmp_path):
    secrets = auth_secrets(**openid_provider.auth_section())
    secrets["auth"]["redirect_uri"] = "https://sales.example.com/oauth2callback"
    with running(openid_provider, tmp_path, way="plain", secrets=secrets) as app:
        page = new_context().new_page()
        page.goto(app.url)
        see(page, "The login of this app is not set up.")

        see(page, "st-auth run app.py")
        see(page, re.compile(r"st\.App\(middleware=\[Middleware\(st_auth\.Middleware\)\]\)"))
        assert "subject=" not in page.content()
        assert "Traceback" not in page.content() + app.output


@pytest.mark.parametrize("way", WAYS)
def test_no_auth_at_all_is_said_calmly(openid_provider, new_context, tmp_path, way):
    app = StreamlitApp(PROBE, tmp_path, way=way)
    try:
        app.start(wait=way == "plain")
        if way == "plain":
            page = new_context().new_page()
            page.goto(app.url)
            see(page, 'Try it now with `profile = "dev"`')
            assert "Traceback" not in page.content()
        else:
            assert app.process.wait(30) == (2 if way == "run" else 3)
            assert 'Try it now with `profile = "dev"`' in app.output
        assert "Traceback" not in app.output
    finally:
        app.stop()


def test_a_short_cookie_secret_is_warned_about_on_this_machine(openid_provider, person, tmp_path):
    secrets = auth_secrets(**openid_provider.auth_section())
    secrets["auth"]["cookie_secret"] = "short"
    with running(openid_provider, tmp_path, secrets=secrets) as app:
        alice = person()
        alice.login(app.url)

        assert alice.tab(app.url).fact("subject") == "alice"
        assert "auth.cookie_secret has under 32 bytes" in app.output
