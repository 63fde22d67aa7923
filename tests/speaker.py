"""People without a browser: HTTP and Streamlit's WebSocket protocol as Chromium speaks them, for hundreds at once.

`Browser` is one person's browser (cookies, redirects, forms); `Tab` is one open page of an app. Both are synchronous; `together` runs many.
"""

import http.client
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Literal, TypeVar
from urllib.parse import urlencode, urljoin, urlsplit

from tests.cookie_jar import CookieJar
from tests.pages import Control, Form, Page, Step
from tests.servers.openid_provider import password_of
from tests.tab import USER_AGENT, HandshakeRefused, Tab

__all__ = ["Browser", "CookieJar", "HandshakeRefused", "Page", "Step", "Tab", "origin_of", "together"]

T = TypeVar("T")
Site = Literal["none", "same-origin", "same-site", "cross-site"]
_MAX_STEPS = 20
_RANK: tuple[Site, ...] = ("none", "same-origin", "same-site", "cross-site")


def origin_of(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def together(tasks: Sequence[Callable[[], T]], *, threads: int = 64) -> list[T]:
    """Run the tasks at once, each in a thread, and return their results in order; the first error is raised."""
    with ThreadPoolExecutor(min(threads, len(tasks) or 1)) as pool:
        return [future.result() for future in [pool.submit(task) for task in tasks]]


class Browser:
    """One person's browser. It keeps its open tabs and closes them at the end of a `with` block."""

    def __init__(self, *, timeout: float = 30, headers: Mapping[str, str] | None = None) -> None:
        """Take the time limit of one request, and headers that are added to every request (as a proxy or an attacker would)."""
        self.jar = CookieJar()
        self.tabs: list[Tab] = []
        self.log: list[Step] = []
        self._timeout = timeout
        self._extra = dict(headers or {})

    def __enter__(self) -> "Browser":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close every tab."""
        for tab in self.tabs:
            tab.close()

    def open(self, url: str, *, referrer: str | None = None, follow: bool = True) -> Page:
        """Go to an address: typed, or, with `referrer`, by a link on that page."""
        return self.request("GET", url, referrer=referrer, follow=follow)

    def fetch(self, url: str, *, page: str, dest: str = "empty", mode: str = "cors", method: str = "GET", **more: Any) -> Page:
        """Ask for something from a page that is open: an image, a file, a script's fetch()."""
        return self.request(method, url, referrer=page, dest=dest, mode=mode, **more)

    def submit(self, page: Page, form: Form, values: Mapping[str, str] | None = None, *, button: Control | None = None) -> Page:
        """Send a form of a page, as pressing the button does."""
        pressed = button or (form.buttons[0] if form.buttons else None)
        named = {pressed.attributes["name"]: pressed.attributes.get("value", "")} if pressed and pressed.attributes.get("name") else {}
        data = {**form.fields, **(values or {}), **named}
        if form.method == "GET":
            return self.request("GET", f"{form.action.partition('?')[0]}?{urlencode(data)}", referrer=page.url)
        action = urljoin(page.url, pressed.attributes["formaction"]) if pressed and "formaction" in pressed.attributes else form.action
        return self.request("POST", action, data=data, referrer=page.url)

    def press(self, page: Page, text: str) -> Page:
        """Press the button or follow the link with this text (or the button with this id) on a page."""
        for form in page.forms:
            try:
                return self.submit(page, form, button=form.button(text))
            except LookupError:
                continue
        for link in page.links:
            if text.lower() in link.text.lower():
                return self.open(link.attributes["href"], referrer=page.url)
        raise LookupError(f"no {text!r} to press on {page.url}:\n{page.text[:2000]}")

    def login(
        self, url: str, person: str = "alice", *, provider: str | None = None, button: str | None = None, in_script: bool = False
    ) -> Page:
        """Log a person in and return the page where that ended.

        `button` is the label of the app's own login button, pressed in a tab first (a native app, a landing page); `in_script`
        opens a tab and goes where the script's `require_login()` sends it; otherwise the app's address itself asks for the login.
        `provider` is what to press on our login page when there are several. A provider that answers without asking is fine.
        """
        page = self._sent_by_app(url, button) if button or in_script else self.open(url)
        if not page.is_streamlit and not _asks_for_password(page) and origin_of(page.url) == origin_of(url):
            page = self._choose(page, provider)
        return self.answer_provider(page, person)

    def answer_provider(self, page: Page, person: str) -> Page:
        """Fill in the provider's form if there is one, as this person, and go on to where it leads."""
        if not _asks_for_password(page):
            return page
        after = self.submit(page, page.forms[0], {"username": person, "password": password_of(person)}, button=page.forms[0].button("go"))
        if _asks_for_password(after):
            raise AssertionError(f"the provider does not let {person} in: {after.text}")
        return after

    def tab(self, url: str, *, base: str = "", load: bool = True, run: bool = True, **more: Any) -> Tab:
        """Open a page of an app as a tab: the document, the front end's two questions, the WebSocket, the first run.

        `base` is `server.baseUrlPath`; `load=False` skips the document; `run=False` only connects.
        `session_id` asks to resume a Streamlit session; `origin`, `headers`, `subprotocols` are for those who cheat.
        """
        tab = Tab(self, url, base=base, **more)
        if load:
            document = self.open(url)
            if not document.is_streamlit:
                raise AssertionError(f"{url} does not open the app but {document.url} ({document.status}):\n{document.text[:2000]}")
            tab.url = document.url
        self.tabs.append(tab)
        tab.connect()
        if run:
            tab.rerun()
        return tab

    def request(
        self,
        method: str,
        url: str,
        *,
        data: Mapping[str, str] | bytes | None = None,
        headers: Mapping[str, str] | None = None,
        referrer: str | None = None,
        dest: str = "document",
        mode: str = "navigate",
        follow: bool = True,
    ) -> Page:
        """Make one request and follow where it leads. `headers` win over everything that would be sent by itself."""
        body = urlencode(data).encode() if isinstance(data, Mapping) else data
        kind = {"Content-Type": "application/x-www-form-urlencoded"} if isinstance(data, Mapping) else {}
        site: Site = "none"
        steps: list[Step] = []
        while True:
            site = max(site, _site(referrer, url), key=_RANK.index)
            sent = self._headers(method, url, site, referrer, dest, mode) | kind | self._extra | dict(headers or {})
            step, answer = self._send(method, url, sent, body)
            steps.append(step)
            self.log.append(step)
            target = step.header("location")
            if not (follow and target and step.status in (301, 302, 303, 307, 308)):
                return Page(url, step.status, answer, tuple(steps))
            if len(steps) >= _MAX_STEPS:
                raise AssertionError("redirected in circles:\n" + "\n".join(f"{s.status} {s.method} {s.url}" for s in steps))
            url = urljoin(url, target)
            if step.status == 303 or (step.status in (301, 302) and method == "POST"):
                method, body, kind = "GET", None, {}

    def _headers(self, method: str, url: str, site: Site, referrer: str | None, dest: str, mode: str) -> dict[str, str]:
        navigates = mode == "navigate"
        cookies = self.jar.header_for(url, cross_site=site == "cross-site", top_level_get=navigates and method == "GET")
        sent = {
            "User-Agent": USER_AGENT,
            "Accept": "text/html,application/xhtml+xml,*/*;q=0.8" if navigates else "*/*",
            "Accept-Language": "en-US,en;q=0.9",
            "Sec-Fetch-Site": site,
            "Sec-Fetch-Mode": mode,
            "Sec-Fetch-Dest": dest,
        }
        if navigates:
            sent |= {"Sec-Fetch-User": "?1", "Upgrade-Insecure-Requests": "1"}
        if referrer:
            same = origin_of(referrer) == origin_of(url)
            sent["Referer"] = referrer.partition("#")[0] if same else f"{origin_of(referrer)}/"
            if method != "GET" or (mode == "cors" and not same):
                sent["Origin"] = origin_of(referrer)
        return sent | ({"Cookie": cookies} if cookies else {})

    def _send(self, method: str, url: str, sent: dict[str, str], body: bytes | None) -> tuple[Step, bytes]:
        target = urlsplit(url)
        connection = http.client.HTTPConnection(target.hostname or "", target.port or 80, timeout=self._timeout)
        try:
            path = (target.path or "/") + (f"?{target.query}" if target.query else "")
            connection.request(
                method, path, body, {name: value.encode("latin-1", "replace").decode("latin-1") for name, value in sent.items()}
            )
            answer = connection.getresponse()
            received = answer.read()
        finally:
            connection.close()
        step = Step(method, url, sent, answer.status, answer.getheaders())
        for header in step.set_cookies:
            self.jar.store(url, header)
        return step, received

    def _choose(self, page: Page, provider: str | None) -> Page:
        """Press the provider's button on our login page; without a name the only one there is."""
        if provider is not None:
            return self.press(page, provider)
        choices = [(form, button) for form in page.forms for button in form.buttons]
        links = [link for link in page.links if "/auth/" in link.attributes["href"]]
        if len(choices) == 1 and not links:
            return self.submit(page, choices[0][0], button=choices[0][1])
        if len(links) == 1 and not choices:
            return self.open(links[0].attributes["href"], referrer=page.url)
        raise LookupError(f"{len(choices) + len(links)} ways to go on from {page.url} ({page.status}), name one:\n{page.text[:2000]}")

    def _sent_by_app(self, url: str, button: str | None) -> Page:
        """Go where a tab of the app is sent, by a button or by itself; a tab that is closed meanwhile comes back, as the front end does."""
        tab = self.tab(url)
        if button:
            tab.click(button, wait=False)
        for _ in range(3):
            tab.wait_for(lambda t: t.redirected_to or t.close_code, f"a redirect to the login {button or ''}")
            if tab.redirected_to:
                break
            tab.reconnect()
        tab.close()
        return self.open(urljoin(tab.url, tab.redirected_to or ""), referrer=tab.url)


def _site(referrer: str | None, url: str) -> Site:
    if referrer is None:
        return "none"
    if origin_of(referrer) == origin_of(url):
        return "same-origin"
    one, other = urlsplit(referrer), urlsplit(url)
    return "same-site" if (one.scheme, one.hostname) == (other.scheme, other.hostname) else "cross-site"


def _asks_for_password(page: Page) -> bool:
    return any({"username", "password"} <= form.fields.keys() for form in page.forms)
