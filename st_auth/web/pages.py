"""Our own pages, as bytes and headers: log in, log in to a database, ended, stay, confirm a logout, and what went wrong.

No JavaScript, no second request, one strict policy. Every value that is not ours passes `_text` or `_href`.
"""

import base64
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from html import escape
from importlib.resources import files

from st_auth.web.words import ENDINGS, PROBLEMS, ProblemText, ending, problem

__all__ = [
    "ENDINGS",
    "PROBLEMS",
    "STYLE",
    "Choice",
    "Page",
    "ProblemText",
    "confirm_logout_page",
    "connect_page",
    "done_page",
    "ended_page",
    "framed_page",
    "left_page",
    "login_page",
    "problem",
    "problem_page",
    "stay_page",
]

STYLE = files("st_auth.web").joinpath("style.css").read_text("utf-8")
_STYLE_SOURCE = f"'sha256-{base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()}'"


@dataclass(frozen=True, slots=True)
class Page:
    """A whole answer. `headers` lack the content length, which belongs to whoever sends it."""

    status: int
    body: bytes
    headers: list[tuple[bytes, bytes]]

    def with_headers(self, *more: tuple[bytes, bytes]) -> "Page":
        """Return the same page with further headers, such as cookies or `allow`."""
        return replace(self, headers=[*self.headers, *more])


@dataclass(frozen=True, slots=True)
class Choice:
    """One way to log in: a provider by name, or a person of the development provider, who has `detail` (a role) or `initials`."""

    label: str
    url: str
    detail: str = ""
    initials: str = ""

    @property
    def is_person(self) -> bool:
        """Say whether this is somebody whom the development provider lets anyone be."""
        return bool(self.detail or self.initials)


def login_page(app_name: str, choices: Sequence[Choice], *, return_path: str, notice: str = "", status: int = 200) -> Page:
    """Offer the ways to log in. `notice` is one sentence shown above them; the choices' URLs carry the return path already."""
    people = any(choice.is_person for choice in choices)
    afterwards = " Afterwards you are back on the page you asked for." if return_path not in ("", "/") else ""
    lead = "Choose who you want to be." if people else "This app is for known people only." + afterwards
    lone = len(choices) == 1 and not people
    rows = "".join(f"<li>{_lone_button(c) if lone else _row(c)}</li>" for c in choices)
    content = [
        f"<h1>Log in to {_text(app_name)}</h1><p>{lead}</p>",
        f'<p class="note" role="status">{_text(notice)}</p>' if notice else "",
        _DEVELOPMENT if people else "",
        f'<ul role="list">{rows}</ul>',
    ]
    return _page(app_name, "Log in", content, status=status)


def ended_page(app_name: str, why: str, *, login_url: str, detail: str = "") -> Page:
    """Say that a login is over and why, with one button and no way back in without a click.

    `why` is a key of `ENDINGS`; anything else gets the general text. `detail` is a span in words, such as "4 hours"; take it from
    the configuration, never from the request.
    """
    text = ending(why, detail)
    content = [_badge(text.icon), f"<h1>{_text(text.heading)}</h1><p>{_text(text.sentence)}</p>", _button("Log in again", login_url)]
    return _page(app_name, text.heading, content)


def problem_page(
    app_name: str,
    heading: str,
    sentence: str,
    what_to_do: str,
    *,
    status: int,
    action: tuple[str, str] | None = None,
    reference: str = "",
    retry_after: int | None = None,
) -> Page:
    """Say what went wrong and what to do. `action` is (label, URL); `reference` finds the log line; `retry_after` is in seconds."""
    content = [
        _badge("alert"),
        f'<h1>{_text(heading)}</h1><p>{_text(sentence)}</p><p class="next">{_text(what_to_do)}</p>',
        _button(*action) if action else "",
        f'<p class="fine">If you ask for help, give this reference: <code>{_text(reference)}</code></p>' if reference else "",
    ]
    page = _page(app_name, heading, content, status=status)
    return page if retry_after is None else page.with_headers((b"retry-after", str(retry_after).encode()))


def done_page(app_name: str, app_url: str) -> Page:
    """Say that what a page asked for in a tab of its own is done."""
    sentence = "The page that you came from goes on by itself. You may close this tab."
    return _page(app_name, "Done", [_badge("check"), f"<h1>Done</h1><p>{sentence}</p>", _button("Open the app here", app_url)])


def connect_page(
    app_name: str, name: str, server: str, *, action_url: str, token: str, user: str, notice: str, cancel_url: str, status: int = 200
) -> Page:
    """Ask for a person's own name and password for a database. `notice` says why, if it is asked again; no password is ever shown."""
    where = f"<code>{_text(server)}</code> asks" if server else "The database asks"
    form = (
        f'<form method="post" action="{_href(action_url)}"><input type="hidden" name="token" value="{_text(token)}">'
        '<label for="user">Name</label><input id="user" name="user" type="text" autocomplete="username" autocapitalize="none" '
        f'spellcheck="false" maxlength="256" required value="{_text(user)}">'
        '<label for="password">Password</label><input id="password" name="password" type="password" autocomplete="current-password" '
        'maxlength="1024" required><button class="button" type="submit">Log in</button></form>'
    )
    lead = f"{where} for your own name and password. They are tried there now, and kept sealed until you log out of {_text(app_name)}."
    content = [
        f"<h1>Log in to {_text(name)}</h1><p>{lead}</p>",
        f'<p class="note" role="alert">{_text(notice)}</p>' if notice else "",
        form,
        _button("Cancel", cancel_url, kind="button quiet"),
    ]
    return _page(app_name, f"Log in to {name}", content, status=status)


def left_page(app_name: str) -> Page:
    """Say that a login to a database was not made, in the tab that asked for it."""
    sentence = "Nothing was kept. You may close this tab; the page that you came from stays as it is."
    return _page(app_name, "Not logged in", [_badge("door"), f"<h1>You did not log in</h1><p>{sentence}</p>"])


def stay_page(app_name: str, until_text: str) -> Page:
    """Confirm that the person stays logged in; they came here in a tab of its own."""
    sentence = f"You stay logged in until {_text(until_text)}. You may close this tab and go on where you were."
    return _page(app_name, "You stay logged in", [_badge("check"), f"<h1>You stay logged in</h1><p>{sentence}</p>"])


def confirm_logout_page(app_name: str, action_url: str, token: str, form_targets: Sequence[str] = (), *, back_url: str = "") -> Page:
    """Ask before a logout that another site may have started.

    The form posts `token`. Chromium holds the redirects after a post to `form-action` too, so `form_targets` names the origins of
    the providers where the logout goes on, such as `https://acme.okta.com`.
    """
    form = (
        f'<form method="post" action="{_href(action_url)}"><input type="hidden" name="token" value="{_text(token)}">'
        '<button class="button" type="submit">Log out</button></form>'
    )
    content = [
        _badge("door"),
        f"<h1>Log out of {_text(app_name)}?</h1><p>Every tab of this app that you have open in this browser is logged out too.</p>",
        form,
        _button("Stay logged in", back_url, kind="button quiet") if back_url else "",
    ]
    return _page(app_name, "Log out?", content, form_targets=form_targets)


def framed_page(ancestors: Sequence[str]) -> Page:
    """An empty page, for a frame on pages of these origins and of no other."""
    origins = " ".join(dict.fromkeys(origin for origin in ancestors if _ORIGIN.fullmatch(origin))) or "'none'"
    policy = f"default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors {origins}"
    headers = [*(header for header in _FIXED_HEADERS if header[0] != b"x-frame-options"), (b"content-security-policy", policy.encode())]
    return Page(200, b'<!doctype html><html lang="en"><title>Logged out</title></html>', headers)


def _page(app_name: str, title: str, content: Sequence[str], *, status: int = 200, form_targets: Sequence[str] = ()) -> Page:
    name = _text(app_name)
    body = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<meta name="robots" content="noindex"><title>{_text(title)} · {name}</title><link rel="icon" href="{_ICON}">'
        f'<style>{STYLE}</style></head><body><main><p class="brand">'
        f'<span class="mark" aria-hidden="true">{_text(_initial(app_name))}</span><span>{name}</span></p>'
        f"{''.join(content)}</main></body></html>"
    )
    return Page(status, body.encode("utf-8", "replace"), [*_FIXED_HEADERS, (b"content-security-policy", _policy(form_targets))])


def _policy(form_targets: Sequence[str]) -> bytes:
    for target in form_targets:
        if not _ORIGIN.fullmatch(target):
            raise ValueError("a form target must be an origin such as https://acme.okta.com")
    forms = " ".join(["'self'", *form_targets])
    policy = f"default-src 'none'; style-src {_STYLE_SOURCE}; img-src 'self' data:; form-action {forms}"
    return f"{policy}; frame-ancestors 'none'; base-uri 'none'".encode("ascii")


def _row(choice: Choice) -> str:
    name = _text(choice.label)
    detail = f"<span>{_text(choice.detail)}</span>" if choice.detail else ""
    words = f"{name}{detail}" if choice.is_person else f"Continue with {name}"
    face = _text(choice.initials or (_initials(choice.label) if choice.is_person else _initial(choice.label)))
    kind = "row person" if choice.is_person else "row"
    return (
        f'<a class="{kind}" href="{_href(choice.url)}"><span class="face" aria-hidden="true">{face}</span>'
        f'<span class="words">{words}</span>{_svg("next")}</a>'
    )


def _lone_button(choice: Choice) -> str:
    return _button(f"Continue with {choice.label}", choice.url)


def _button(label: str, url: str, *, kind: str = "button") -> str:
    return f'<a class="{kind}" href="{_href(url)}">{_text(label)}</a>'


def _badge(icon: str) -> str:
    return f'<div class="badge">{_svg(icon)}</div>'


def _svg(icon: str) -> str:
    return f'<svg viewBox="0 0 24 24" aria-hidden="true" focusable="false">{_SHAPES[icon]}</svg>'


def _initial(name: str) -> str:
    return next((c.upper() for c in name if c.isalnum()), "·")


def _initials(name: str) -> str:
    words = name.split()
    return "".join(_initial(word) for word in (words[:1] + words[1:][-1:]))


def _text(value: str) -> str:
    return escape(value, quote=True)


def _href(url: str) -> str:
    """Escape a link of ours: a path on this host or an http address. Anything else is a mistake in our code, not a page."""
    if not _LINK.fullmatch(url):
        raise ValueError("a link must be a path that starts with one slash, or an http(s) address, without spaces")
    return escape(url, quote=True)


# A browser drops tabs and line breaks from a link and reads a backslash as a slash: "/\t/other.site" would leave this host.
_LINK = re.compile(r"(?:https?://(?=[^/?#])|/(?!/))[^\x00-\x20\x7f\\]*")
_ORIGIN = re.compile(r"https?://[A-Za-z0-9.\-]+(?::[0-9]{1,5})?")

_FIXED_HEADERS = (
    (b"content-type", b"text/html; charset=utf-8"),
    (b"x-frame-options", b"DENY"),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
    (b"cache-control", b"no-store"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
)

_DEVELOPMENT = (
    '<p class="note"><strong>Development login:</strong> anyone at this computer can be any of these people. '
    "Never use it for real data.</p>"
)

_SHAPES = {
    "next": '<path d="m9 5 7 7-7 7"/>',
    "check": '<path d="m5 12.5 4.5 4.5L19 7.5"/>',
    "clock": '<circle cx="12" cy="12" r="8.5"/><path d="M12 7.5V12l3 2"/>',
    "alert": '<path d="M12 7.5v5.5"/><path d="M12 16.6v.1"/><circle cx="12" cy="12" r="8.5"/>',
    "door": '<path d="M10 4H6.5A1.5 1.5 0 0 0 5 5.5v13A1.5 1.5 0 0 0 6.5 20H10"/><path d="M15.5 8.5 19 12l-3.5 3.5"/><path d="M19 12h-9"/>',
}

_ICON_SVG = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect width="32" height="32" rx="9" fill="#3a49c8"/>'
    '<circle cx="16" cy="13" r="4.5" fill="#fff"/><path d="M14 15h4l1.6 9h-7.2z" fill="#fff"/></svg>'
)
_ICON = "data:image/svg+xml;base64," + base64.b64encode(_ICON_SVG.encode()).decode()
