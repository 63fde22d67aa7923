"""A-10: a media file is given to the login whose page showed it, and to nobody who merely knows its address."""

import uuid

import pytest

from st_auth import streamlit_facts as facts
from st_auth.live import LiveSession
from st_auth.web import headers
from tests.servers.processes import wait_until
from tests.tab import BackMsg


def _to_everybody() -> None:
    LiveSession.may_ask_for = lambda *_: True


def _issue_what_is_written() -> None:
    """As a gate does that takes every address in a message for one that the server gave."""
    facts.messages._is_of = lambda *_: True


def _run_for_everybody() -> None:
    facts.is_deferred_for = lambda *_: True


def _plain_headers() -> None:
    headers.HeaderRules.guarded = lambda _self, plain, _path: list(plain)


DISARM = {
    "A-10": _to_everybody,
    "A-10.b": _issue_what_is_written,
    "A-10.c": _run_for_everybody,
    "A-10.d": _plain_headers,
}

APP = """\
import streamlit as st
import st_auth

user = st_auth.require_login()
st.text(f"note={st.text_input('Note')}")
if user.subject == "alice":
    st.download_button("Report", "the plain report", file_name="report.txt")
    st.download_button("Page", "<script>alert(1)</script>", file_name="x.html", mime="text/html")
    st.download_button("Drawing", "<svg xmlns='http://www.w3.org/2000/svg'/>", file_name="x.svg", mime="image/svg+xml")
    st.download_button("Late", lambda: "made for alice", file_name="late.txt", on_click="ignore")
elif st.text_input("Own") == "now":
    st.download_button("Report", "the plain report of bob", file_name="report.txt")
"""


@pytest.fixture
def people(app, logged_in):
    """Alice with her files on the page, and bob."""
    one = app(APP)
    alice, bob = logged_in(one, "alice").tab(one.url), logged_in(one, "bob").tab(one.url)
    assert len(_files(alice)) == 3
    return one, alice, bob


def _files(tab):
    """The addresses of files that the page shows; a download that is made later has none yet."""
    return [url for url in tab.media if "/media/" in url]


def _get(tab, url, method="GET"):
    return tab.browser.request(method, url, referrer=tab.url, dest="empty", mode="cors", follow=False)


def test_a10_another_persons_address_is_not_found_and_without_a_login_nothing_is(people, person):
    one, alice, bob = people
    urls = _files(alice)
    assert {_get(alice, url).status for url in urls} == {200}, "her own page shows them"

    assert {_get(bob, url, method).status for url in urls for method in ("GET", "HEAD")} == {404}
    assert {person().fetch(url, page=one.url).status for url in urls} == {401}
    ways = ("//media/", "/media//", "/./media/", "/media/./", "/%6dedia/", "/media/%2e/", "/x/../media/", "/MEDIA/", "/media/x/../")
    pages = [_get(bob, url.replace("/media/", way)) for url in urls for way in ways]
    assert [page.url for page in pages if page.status == 200 and not page.is_streamlit] == []

    alice.browser.open(f"{one.origin}/auth/logout", referrer=one.url, follow=False)
    assert {person().fetch(url, page=one.url).status for url in urls} == {401}
    assert {_get(alice, url).status for url in urls} == {401}, "after her logout not even to her"


def test_a10b_an_address_that_bob_lets_the_app_write_on_his_own_page_does_not_become_his(people):
    """Nearly every app writes back what people type; that gives nobody a right to what it names."""
    one, alice, bob = people
    url = _files(alice)[0]
    path = url.removeprefix(one.origin)

    bob.set_text("Note", f"{path} {url} {path}")
    bob.rerun()

    assert path in (bob.fact("note") or ""), "the app has written it"
    assert _get(bob, url).status == 404


def test_a10c_a_download_that_is_made_at_the_click_is_not_made_for_somebody_else(people):
    """Streamlit runs the function for whoever names its id."""
    _, alice, bob = people
    file_id = next(e.download_button.deferred_file_id for e in alice.elements if e.download_button.deferred_file_id)

    answer = _ask_for(bob, file_id)
    assert answer is None or not answer.deferred_file.url, "bob got what was made for alice"
    made = _ask_for(alice, file_id)
    assert _get(alice, alice.address(made.deferred_file.url)).text == "made for alice"


def _ask_for(tab, file_id):
    """What the server answers to a click on a download button of that id; None if it says nothing by its next run."""
    message = BackMsg()
    request = message.backend_operation_request
    request.request_id, request.session_id, request.deferred_file.file_id = str(uuid.uuid4()), tab.session_id, file_id
    tab.send(message)

    def answer():
        tab.read(0.1)
        found = (m.backend_operation_response for m in tab.messages if m.WhichOneof("type") == "backend_operation_response")
        return next((a for a in found if a.request_id == request.request_id), None)

    try:
        wait_until(lambda: answer() is not None, "an answer", seconds=3)
    except AssertionError:
        return None
    return answer()


def test_a10d_files_are_stored_nowhere_embedded_nowhere_and_run_nothing(people):
    _, alice, _ = people

    for url in _files(alice):
        page = _get(alice, url)
        assert page.status == 200
        assert page.header("cache-control") == "private, no-store", url
        assert page.header("cross-origin-resource-policy") == "same-origin", url
        assert page.header("x-content-type-options") == "nosniff", url
        if page.header("content-type").startswith(("text/html", "image/svg")):
            assert page.header("content-security-policy").startswith("sandbox;"), url
