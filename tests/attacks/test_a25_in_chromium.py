"""A-25 in a real Chromium. A file of its own: `make test` runs it with the browser tests, as Playwright keeps an event loop running."""

from html import escape

import httpx2
import pytest

from st_auth.testing.loopback import server_for
from tests.attacks.test_a25_frames import framed

DISARM = {"A-25.c": framed}


@pytest.fixture
def lure():
    """A site on another port of the same host, to which a browser sends the app's Lax cookies along: `lure(url)` frames an address."""
    framed = []

    def lead(url):
        framed.append(url)
        return f"http://localhost:{server.server_port}/"

    with server_for(lambda _: httpx2.Response(200, html=f'<title>Prizes</title><iframe src="{escape(framed[-1])}"></iframe>')) as server:
        yield lead


def _text_in_frame(page):
    """What a person sees of the framed page: nothing where the browser refused to show it."""
    (frame,) = page.frames[1:]
    return "" if frame.url.startswith("chrome-error:") else frame.locator("body").inner_text()


def test_a25c_in_a_browser_the_app_and_the_logout_stay_out_of_another_sites_frame(app, new_context, lure):
    one = app()
    page = new_context().new_page()
    page.goto(one.url)
    page.fill("input[name=username]", "alice")
    page.fill("input[name=password]", "pw-alice")
    page.click("#go")
    page.get_by_text("subject=alice").wait_for()

    seen = {}
    for path in ("/", "/auth/logout", "/auth/ended?why=idle"):
        page.goto(lure(f"{one.origin}{path}"), wait_until="load")
        seen[path] = _text_in_frame(page)

    assert seen == {"/": "", "/auth/logout": "", "/auth/ended?why=idle": ""}
