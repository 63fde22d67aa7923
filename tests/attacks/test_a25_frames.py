"""A-25: no other site puts the app, or a page of ours, into a frame, where a person's clicks would be lured onto it."""

import pytest

from st_auth.web import headers, pages


def framed() -> None:
    """As Streamlit answers by itself: nothing is said of frames."""
    policy = pages._policy
    pages._policy = lambda targets: policy(targets).replace(b"; frame-ancestors 'none'", b"")
    pages._FIXED_HEADERS = [header for header in pages._FIXED_HEADERS if header[0] != b"x-frame-options"]
    headers._DOCUMENT = [header for header in headers._DOCUMENT if header[0] != b"content-security-policy"]


DISARM = {"A-25": framed, "A-25.b": framed}

OURS = (
    *("/auth/login", "/auth/ended?why=idle", "/auth/ended?why=logout", "/auth/logout", "/auth/stay"),
    *("/oauth2callback", "/oauth2callback?state=x&code=y", "/oauth2callback?error=access_denied", "/auth/nothing"),
)
DOCUMENTS = ("/", "/?embed=true", "/a/page", "/index.html")


def _ancestors(page):
    """Who may frame a page by its Content-Security-Policy (CSP level 3, frame-ancestors): everybody where it says nothing."""
    policies = [part.strip() for value in page.steps[-1].all("content-security-policy") for part in value.split(";")]
    return [part.removeprefix("frame-ancestors ") for part in policies if part.startswith("frame-ancestors")] or ["*"]


@pytest.mark.parametrize("is_in", [False, True], ids=["stranger", "logged in"])
def test_a25_no_page_of_ours_may_be_framed_by_anybody(app, person, logged_in, is_in):
    one = app()
    browser = logged_in(one) if is_in else person()
    found = {}
    for path in OURS:
        page = browser.request("GET", f"{one.origin}{path}", dest="iframe", follow=False)
        if page.status not in (302, 303, 307, 308):
            found[path] = (_ancestors(page), page.header("x-frame-options"))

    assert len(found) >= 3
    assert {path: said for path, said in found.items() if said != (["'none'"], "DENY")} == {}


def test_a25b_the_apps_documents_may_be_framed_by_the_app_alone(app, logged_in):
    one = app()
    alice = logged_in(one)

    documents = [alice.request("GET", f"{one.origin}{path}", dest="iframe") for path in DOCUMENTS]

    shown = [page for page in documents if page.is_streamlit]
    assert len(shown) >= 2
    assert {page.path: _ancestors(page) for page in shown if _ancestors(page) != ["'self'"]} == {}
