"""Our pages as people meet them: with an accessibility checker, on a small screen, magnified, in the dark, and by keyboard."""

import json
import subprocess
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from st_auth.testing.loopback import LoopbackServer
from st_auth.web import pages
from st_auth.web.pages import ENDINGS, PROBLEMS, Choice

AXE = Path(__file__).parent.parent / "servers" / "axe"
LONG = "Quarterly-Sales-and-Operations-Planning-Dashboard-for-EMEA"


def problem(code: str, app_name: str = "Sales dashboard") -> pages.Page:
    text = pages.problem(code, address="https://sales.acme.com", provider="Okta", reason="It asks for an e-mail address at acme.com.")
    action = ("Try again", "/auth/login")
    return pages.problem_page(
        app_name, text.heading, text.sentence, text.what_to_do, status=text.status, action=action, reference="7f3a-91c2"
    )


PEOPLE = [
    Choice("Ada Analyst", "/auth/login?as=ada", detail="Analyst · EU region"),
    Choice("Adam Admin", "/auth/login?as=adam", detail="Admin · all regions"),
    Choice("Nora Norole", "/auth/login?as=nora", detail="No role yet"),
]
PROVIDERS = [Choice(name, f"/auth/login?provider={name.split()[0].lower()}") for name in ("Okta", "Microsoft Entra ID", "Google")]
PAGES = {
    "login-people": pages.login_page("Sales dashboard", PEOPLE, return_path="/"),
    "login-providers": pages.login_page("Sales dashboard", PROVIDERS, return_path="/deep?x=1"),
    "login-one": pages.login_page("Sales dashboard", PROVIDERS[:1], return_path="/", notice="Please log in once more to go on."),
    "login-long": pages.login_page(LONG, [Choice(LONG, "/a"), Choice("Okta", "/b")], return_path="/"),
    "stay": pages.stay_page("Sales dashboard", "18:40 today"),
    "connect": pages.connect_page(
        "Sales dashboard", "erp", "db.acme.com", action_url="/auth/connect", token="token", user="", notice="", cancel_url="/left"
    ),
    "connect-again": pages.connect_page(
        LONG,
        "a_long-name-of-a-connection-" * 2,
        f"{LONG}.acme.com:5432",
        action_url="/auth/connect",
        token="token",
        user=LONG,
        notice="The database does not take this name and password. Please try again.",
        cancel_url="/left",
        status=403,
    ),
    "left": pages.left_page("Sales dashboard"),
    "confirm": pages.confirm_logout_page("Sales dashboard", "/auth/logout", "token", back_url="/"),
    **{f"ended-{why}": pages.ended_page("Sales dashboard", why, login_url="/auth/login", detail="4 hours") for why in ENDINGS},
    **{f"problem-{code}": problem(code) for code in PROBLEMS},
}
TARGETS = "a, button, input:not([type=hidden])"
# One page of each make is enough where only the layout is looked at.
MAKES = [
    "login-people",
    "login-providers",
    "login-one",
    "login-long",
    "stay",
    "connect",
    "connect-again",
    "confirm",
    "ended-idle",
    "problem-not_allowed",
]


class _Pages(BaseHTTPRequestHandler):
    def do_GET(self):
        page = PAGES.get(self.path.lstrip("/"), PAGES["problem-not_found"])
        self.send_response(page.status)
        for name, value in page.headers:
            self.send_header(name.decode(), value.decode())
        self.end_headers()
        self.wfile.write(page.body)

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def origin():
    with LoopbackServer(_Pages) as server:
        yield server.origin


@pytest.fixture(scope="session")
def axe_source():
    script = AXE / "node_modules" / "axe-core" / "axe.min.js"
    if not script.exists():
        subprocess.run(["npm", "ci", "--no-audit", "--no-fund"], cwd=AXE, check=True)
    return script.read_text("utf-8")


@pytest.fixture
def open_page(chromium, origin):
    contexts = []

    def open_(name, *, width=1280, height=800, **how):
        context = chromium.new_context(viewport={"width": width, "height": height}, **how)
        contexts.append(context)
        page = context.new_page()
        page.complaints = []
        page.on("console", lambda m: page.complaints.append(m.text) if "Content Security Policy" in m.text else None)
        page.goto(f"{origin}/{name}")
        return page

    yield open_
    for context in contexts:
        context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_accessibility_checker_finds_nothing_serious(open_page, axe_source, origin, scheme):
    page = open_page("stay", color_scheme=scheme, bypass_csp=True)
    found = {}
    for name in PAGES:
        page.goto(f"{origin}/{name}")
        page.evaluate(axe_source)
        violations = page.evaluate("axe.run().then(r => r.violations.map(v => [v.impact, v.id, v.nodes.map(n => n.html)]))")
        if serious := [v for v in violations if v[0] in ("serious", "critical")]:
            found[name] = serious
    assert not found, json.dumps(found, indent=1)


@pytest.mark.parametrize("name", MAKES)
def test_our_own_policy_stops_nothing_of_the_page(open_page, name):
    page = open_page(name)
    assert page.complaints == []
    assert page.evaluate("getComputedStyle(document.querySelector('main')).borderTopLeftRadius") != "0px"


@pytest.mark.parametrize("name", MAKES)
@pytest.mark.parametrize(
    "screen",
    [{"width": 320, "height": 568}, {"width": 640, "height": 400, "device_scale_factor": 2}, {"width": 320, "height": 256}],
    ids=["320px", "200%", "400%"],
)
def test_nothing_scrolls_sideways_and_everything_can_be_reached(open_page, name, screen):
    page = open_page(name, **screen)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    is_cut = "e => e.tagName !== 'INPUT' && e.scrollWidth > e.clientWidth + 1 && getComputedStyle(e).display !== 'inline'"
    assert page.evaluate(f"[...document.querySelectorAll('main *')].filter({is_cut}).map(e => e.outerHTML)") == []
    assert page.evaluate("document.querySelector('main').getBoundingClientRect().top >= 0")


@pytest.mark.parametrize("name", MAKES)
def test_targets_are_large_enough_for_a_finger(open_page, name):
    page = open_page(name, width=320, height=568)
    sizes = page.evaluate(f"[...document.querySelectorAll('{TARGETS}')].map(e => e.getBoundingClientRect()).map(r => [r.width, r.height])")
    assert all(width >= 44 and height >= 44 for width, height in sizes), sizes


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", MAKES)
def test_the_keyboard_reaches_everything_in_order_and_shows_where_it_is(open_page, name, scheme):
    page = open_page(name, color_scheme=scheme)
    targets = page.evaluate(f"[...document.querySelectorAll('{TARGETS}')].map(e => e.name || e.textContent)")
    for target in targets:
        page.keyboard.press("Tab")
        text, style, width = page.evaluate(
            "(e => [e.name || e.textContent, getComputedStyle(e).outlineStyle, parseFloat(getComputedStyle(e).outlineWidth)])"
            "(document.activeElement)"
        )
        assert (text, style) == (target, "solid")
        assert width >= 2


def test_the_keyboard_opens_a_choice(open_page):
    page = open_page("login-people")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_url("**/auth/login?as=adam")


def test_a_page_works_without_javascript(open_page):
    page = open_page("ended-logout", java_script_enabled=False)
    page.get_by_role("link", name="Log in again").click()
    page.wait_for_url("**/auth/login")
