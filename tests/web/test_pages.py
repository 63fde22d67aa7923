import base64
import hashlib
import re
from html.parser import HTMLParser

import pytest
from hypothesis import example, given, strategies as st

from st_auth.web import pages
from st_auth.web.pages import ENDINGS, PROBLEMS, Choice, Page

HOSTILE = "\"'><script src=//evil.example>alert(1)</script><img onerror=x style=y>&lt;{detail}%s\x00\u202e"
hostile = example(HOSTILE)
text = st.text(max_size=60)


class Seen(HTMLParser):
    """What a browser would make of a page: its tags with the names of their attributes, the attributes, and the text."""

    def __init__(self, page: Page) -> None:
        super().__init__()
        self.shape: list[tuple[str, tuple[str, ...]]] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.texts: dict[str, list[str]] = {}
        self._open: list[str] = []
        self.feed(page.body.decode())

    def handle_starttag(self, tag, attrs):
        self.shape.append((tag, tuple(name for name, _ in attrs)))
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        self._open.append(tag)

    def handle_data(self, data):
        self.texts.setdefault(self._open[-1] if self._open else "", []).append(data)

    def all(self, tag: str, name: str) -> list[str]:
        return [value for t, n, value in self.attributes if (t, n) == (tag, name)]

    def count(self, tag: str) -> int:
        return sum(1 for t, _ in self.shape if t == tag)


def header(page: Page, name: bytes) -> str:
    (value,) = [v for n, v in page.headers if n == name]
    return value.decode()


def every_page(word: str = "Sales") -> dict[str, Page]:
    found = {
        "login": pages.login_page(word, [Choice(word, "/auth/login?provider=a"), Choice(word, "/b")], return_path=word, notice=word),
        "login, one provider": pages.login_page(word, [Choice(word, "/auth/login?provider=a")], return_path="/"),
        "login, people": pages.login_page(word, [Choice(word, "/a", detail=word or "-", initials=word)], return_path="/"),
        "stay": pages.stay_page(word, word),
        "left": pages.left_page(word),
        "connect": pages.connect_page(
            word, word, word or "-", action_url="/a", token=word, user=word or "-", notice=word or "-", cancel_url="/b"
        ),
        "confirm": pages.confirm_logout_page(word, "/auth/logout", word, ["https://acme.okta.com"], back_url="/"),
        "problem": pages.problem_page(
            word, word, word, word, status=503, action=(word, "/auth/login"), reference=word or "-", retry_after=5
        ),
    }
    endings = {f"ended, {why}": pages.ended_page(word, why, login_url="/auth/login", detail=word) for why in [*ENDINGS, "who knows"]}
    return found | endings


PAGES = every_page()


@given(word=text)
@hostile
def test_a_value_never_changes_the_tags_or_attributes_of_a_page(word):
    benign = {name: Seen(page).shape for name, page in every_page("x").items()}
    got = {name: Seen(page).shape for name, page in every_page(word).items()}
    if not word:  # what is empty is left out
        got.pop("login"), benign.pop("login")
    assert got == benign


@given(word=text)
@hostile
def test_a_value_arrives_as_the_text_it_is(word):
    page = Seen(pages.problem_page("Sales", word, "It broke.", "Try again.", status=500))
    assert "".join(page.texts.get("h1", [])) == word


@given(word=text)
@hostile
def test_the_words_of_a_problem_are_filled_in_and_escaped(word):
    text = pages.problem("not_allowed", reason=word)
    page = pages.problem_page("Sales", text.heading, text.sentence, text.what_to_do, status=text.status)
    assert b"<script" not in page.body
    if word:
        assert word in text.sentence


@given(token=text)
@hostile
def test_the_form_token_arrives_whole(token):
    page = Seen(pages.confirm_logout_page("Sales", "/auth/logout", token))
    assert page.all("input", "value") == [token]
    assert page.all("form", "method") == ["post"]


@pytest.mark.parametrize(
    "url",
    ["javascript:alert(1)", "//evil.example", "/\\evil.example", "/\t/evil.example", "/a b", "", "auth", "data:text/html,x", "https:///x"],
)
def test_a_link_that_leaves_by_a_trick_is_refused(url):
    with pytest.raises(ValueError, match="a link must be"):
        pages.ended_page("Sales", "logout", login_url=url)


@pytest.mark.parametrize(
    "target", ["https://a.example; script-src *", "https://a.example/path", "*", "'unsafe-inline'", "https://a\r\nx: y"]
)
def test_a_form_target_is_an_origin_and_nothing_else(target):
    with pytest.raises(ValueError, match="an origin"):
        pages.confirm_logout_page("Sales", "/auth/logout", "t", [target])


@pytest.mark.parametrize("page", PAGES.values(), ids=PAGES)
def test_the_policy_allows_our_style_and_nothing_else(page):
    (style,) = re.findall(r"<style>(.*?)</style>", page.body.decode(), re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = dict(part.split(" ", 1) for part in header(page, b"content-security-policy").split("; "))
    assert policy.pop("form-action").split()[0] == "'self'"
    assert policy == {
        "default-src": "'none'",
        "style-src": f"'sha256-{digest}'",
        "img-src": "'self' data:",
        "frame-ancestors": "'none'",
        "base-uri": "'none'",
    }


@pytest.mark.parametrize("page", PAGES.values(), ids=PAGES)
def test_a25_a_page_is_not_framed_stored_or_sniffed(page):
    assert header(page, b"content-type") == "text/html; charset=utf-8"
    assert header(page, b"x-frame-options") == "DENY"
    assert header(page, b"x-content-type-options") == "nosniff"
    assert header(page, b"referrer-policy") == "same-origin"
    assert header(page, b"cache-control") == "no-store"
    assert header(page, b"cross-origin-opener-policy") == "same-origin"


@pytest.mark.parametrize("page", PAGES.values(), ids=PAGES)
def test_a_page_needs_no_script_and_no_second_request(page):
    seen = Seen(page)
    assert seen.count("script") == 0
    assert not [name for _, name, _ in seen.attributes if name.startswith("on") or name in {"style", "src", "srcset"}]
    assert all(href.startswith("data:") for href in seen.all("link", "href"))
    assert "url(" not in pages.STYLE
    assert "@import" not in pages.STYLE


@pytest.mark.parametrize("page", PAGES.values(), ids=PAGES)
def test_a_page_says_what_it_is(page):
    seen = Seen(page)
    assert seen.all("html", "lang") == ["en"]
    assert (seen.count("h1"), seen.count("main"), seen.count("title")) == (1, 1, 1)
    assert seen.texts["title"][0].endswith(" · Sales")


@pytest.mark.parametrize("why", [*ENDINGS, "", "who knows"])
def test_an_ended_page_is_still_and_has_one_way_on(why):
    page = pages.ended_page("Sales", why, login_url="/auth/login?next=%2Fdeep")
    seen = Seen(page)
    assert page.status == 200
    assert seen.all("a", "href") == ["/auth/login?next=%2Fdeep"]
    assert b"Log in again" in page.body
    assert b"{" not in page.body.split(b"</style>")[1]
    assert "http-equiv" not in {name for _, name, _ in seen.attributes}


def test_an_idle_ending_says_for_how_long():
    assert b"You were away for 4 hours, so we logged you out." in pages.ended_page("Sales", "idle", login_url="/", detail="4 hours").body
    assert b"You were away for a while, so we logged you out." in pages.ended_page("Sales", "idle", login_url="/").body


@pytest.mark.parametrize("code", PROBLEMS)
def test_every_problem_has_whole_words_and_a_status_of_its_own(code):
    text = pages.problem(code)
    assert text.status in range(400, 600)
    assert all(words and "{" not in words for words in (text.heading, text.sentence, text.what_to_do))
    assert pages.problem_page("Sales", text.heading, text.sentence, text.what_to_do, status=text.status).status == text.status


def test_a_problem_names_what_it_knows():
    assert "https://sales.acme.com" in pages.problem("wrong_host", address="https://sales.acme.com").what_to_do
    assert "Okta" in pages.problem("provider_unavailable", provider="Okta").sentence
    assert pages.problem("provider_unavailable", provider="") == pages.problem("provider_unavailable")
    assert pages.problem("never heard of") == pages.problem("internal")


def test_a_later_try_is_announced():
    page = pages.problem_page("Sales", "Busy", "Many people.", "Wait.", status=503, retry_after=5)
    assert header(page, b"retry-after") == "5"


def test_the_development_login_warns_and_a_real_one_does_not():
    people = pages.login_page("Sales", [Choice("Ada Analyst", "/a", detail="Analyst · EU region")], return_path="/")
    assert "anyone at this computer can be any of these people" in people.body.decode()
    assert ">AA<" in people.body.decode()
    assert b"Continue with Okta" in (real := pages.login_page("Sales", [Choice("Okta", "/o")], return_path="/")).body
    assert b"Development login" not in real.body


def test_a_deep_link_is_promised_and_never_shown():
    page = pages.login_page("Sales", [Choice("Okta", "/o")], return_path="/deep?secret=1")
    assert b"the page you asked for" in page.body
    assert b"secret" not in page.body


def test_a_lone_surrogate_does_not_break_a_page():
    assert pages.stay_page("Sales \ud800", "noon").body
