"""A-19: a page that forgets `require_login()` is behind the gate all the same, by its address and by its hash."""

import pytest

from st_auth.live import LiveSession
from st_auth.web import gate


def _http_open() -> None:
    gate.Gate._refuse_unknown = lambda *_: None


def _sockets_open() -> None:
    """As where each page is left to ask by itself: who is logged in is known, and everybody gets in."""
    judge = gate.Gate.websocket

    async def passing(self, scope, receive, send):
        ours, _ = gate.read_cookies(scope["headers"], self.names, ())
        known = isinstance(await self.session_of(ours), LiveSession)
        await (judge(self, scope, receive, send) if known else self._app(scope, receive, send))

    gate.Gate.websocket = passing


DISARM = {"A-19": _sockets_open, "A-19.b": _http_open, "A-19.c": _sockets_open}

START = "import streamlit as st\nimport st_auth\n\nst_auth.require_login()\nst.text('start')\n"
FORGOT = "import streamlit as st\n\nprint('THE PAGE RAN', flush=True)\nst.text('figures of the page')\n"
NAVIGATED = """\
import streamlit as st
import st_auth

def open_page():
    print("THE PAGE RAN", flush=True)
    st.text("figures of the page")

def first():
    st_auth.require_login()

st.navigation([st.Page(first, default=True), st.Page(open_page, title="forgot", url_path="forgot")]).run()
"""


@pytest.fixture
def by_folder(app):
    one = app(START, begin=False)
    (one.folder / "pages").mkdir()
    (one.folder / "pages" / "forgot.py").write_text(FORGOT, "utf-8")
    return one.start()


def _hash_of(logged_in, one):
    """What everybody who was ever inside knows."""
    tab = logged_in(one, "alice").tab(one.url)
    tab.go_to("forgot")
    assert "figures of the page" in tab.text
    return tab.pages["forgot"]


def _reaches(person, one, page_hash):
    """Ask for the page without a login, by its address and by its hash; return what was seen of it."""
    ran = one.output.count("THE PAGE RAN")
    seen = ""
    for url, known in ((f"{one.origin}/forgot", None), (one.url, page_hash), (f"{one.origin}/forgot", page_hash)):
        tab = person().tab(url, load=False, run=False)
        tab.rerun(page_hash=known)
        tab.wait_for(lambda t: t.redirected_to or t.runs_finished, "an answer", seconds=5)
        seen += tab.text
    return seen, one.output.count("THE PAGE RAN") - ran


def test_a19_a_page_of_the_pages_folder_does_not_run_for_strangers(by_folder, logged_in, person):
    page_hash = _hash_of(logged_in, by_folder)

    assert _reaches(person, by_folder, page_hash) == ("", 0)


def test_a19b_the_documents_address_leads_to_the_login(by_folder, person):
    pages = [person().open(f"{by_folder.origin}{path}", follow=False) for path in ("/forgot", "/forgot/", "/Forgot", "/forgot?x=1")]

    assert [p.url for p in pages if p.is_streamlit or not (p.header("location") or "").startswith("/auth/login?next=")] == []


def test_a19c_a_page_of_st_navigation_does_not_run_for_strangers(app, logged_in, person):
    one = app(NAVIGATED)
    page_hash = _hash_of(logged_in, one)

    assert _reaches(person, one, page_hash) == ("", 0)
