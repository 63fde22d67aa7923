"""What a browser got: a page with its forms and links, and the steps of redirects that led to it."""

from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import urljoin, urlsplit


@dataclass(slots=True)
class Control:
    """A button of a form, or a link: what a person may press."""

    text: str = ""
    attributes: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Form:
    """A form as it would be sent untouched."""

    action: str
    method: str
    fields: dict[str, str] = field(default_factory=dict)
    buttons: list[Control] = field(default_factory=list)

    def button(self, text_or_id: str) -> Control:
        """Return the button of that text or id (case does not matter); `LookupError` when there is none."""
        wanted = text_or_id.lower()
        for button in self.buttons:
            if wanted in button.text.lower() or wanted == button.attributes.get("id", "").lower():
                return button
        raise LookupError(f"no button {text_or_id!r} among {[b.text for b in self.buttons]}")


@dataclass(frozen=True, slots=True)
class Step:
    """One request and its answer's first line and headers."""

    method: str
    url: str
    sent: dict[str, str]
    status: int
    headers: list[tuple[str, str]]

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key.lower() == name.lower()]

    def header(self, name: str) -> str | None:
        return next(iter(self.all(name)), None)

    @property
    def set_cookies(self) -> list[str]:
        return self.all("set-cookie")


@dataclass(frozen=True, slots=True)
class Page:
    """The answer at the end of the redirects. `steps` holds every request on the way, the last one included."""

    url: str
    status: int
    body: bytes
    steps: tuple[Step, ...]

    @property
    def text(self) -> str:
        return self.body.decode("utf-8", "replace")

    @property
    def path(self) -> str:
        return urlsplit(self.url).path

    @property
    def is_streamlit(self) -> bool:
        """Whether this is Streamlit's own front end, that is: the app opens."""
        return self.status == 200 and '<div id="root">' in self.text

    @property
    def forms(self) -> list[Form]:
        return self._parsed.forms

    @property
    def links(self) -> list[Control]:
        return self._parsed.links

    def header(self, name: str) -> str | None:
        return self.steps[-1].header(name)

    @property
    def _parsed(self) -> "_Reader":
        reader = _Reader(self.url)
        reader.feed(self.text)
        return reader


class _Reader(HTMLParser):
    def __init__(self, url: str) -> None:
        super().__init__()
        self.url = url
        self.forms: list[Form] = []
        self.links: list[Control] = []
        self._form: Form | None = None
        self._pressed: Control | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {key: value or "" for key, value in attrs}
        if tag == "form":
            self._form = Form(urljoin(self.url, given.get("action") or self.url), given.get("method", "get").upper())
            self.forms.append(self._form)
        elif tag == "a" and "href" in given:
            self._pressed = Control(attributes={**given, "href": urljoin(self.url, given["href"])})
            self.links.append(self._pressed)
        elif self._form is not None and (tag == "button" or (tag == "input" and given.get("type") == "submit")):
            self._pressed = Control(text=given.get("value", "") if tag == "input" else "", attributes=given)
            self._form.buttons.append(self._pressed)
        elif self._form is not None and tag == "input" and given.get("name") and _is_sent(given):
            self._form.fields[given["name"]] = given.get("value", "")

    def handle_data(self, data: str) -> None:
        if self._pressed is not None:
            self._pressed.text = f"{self._pressed.text} {data.strip()}".strip()

    def handle_endtag(self, tag: str) -> None:
        if tag in ("a", "button"):
            self._pressed = None
        elif tag == "form":
            self._form = None


def _is_sent(field: dict[str, str]) -> bool:
    return field.get("type") not in ("checkbox", "radio") or "checked" in field
