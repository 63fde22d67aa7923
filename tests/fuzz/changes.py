"""Everything that may be changed in a provider's answers, and what has to come of it.

Each change says by itself whether the login must be refused; the rule behind it is a sentence of a specification and not our code.
Changes go together only where their places differ, so that none undoes another: the verdict on several is the worst of them.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random
from typing import Literal

from tests.fuzz.answers import DISCOVERED, Case

Verdict = Literal["refused", "valid", "either"]
Bend = Callable[[Case], None]


@dataclass(frozen=True, slots=True)
class Change:
    """One change: where (places with dots, from the document to the member), in which kinds of case, and what must come of it."""

    name: str
    places: tuple[str, ...]
    verdict: Verdict
    bend: Bend
    kinds: tuple[str, ...] = DISCOVERED

    def meets(self, other: "Change") -> bool:
        """Say whether the two touch the same place, or one the place that holds the other's."""
        return any(f"{a}.".startswith(f"{b}.") or f"{b}.".startswith(f"{a}.") for a in self.places for b in other.places)


def put(document: str, member: str, value: object) -> Bend:
    """Set a member; a callable makes the value from the case."""

    def bend(case: Case) -> None:
        case.doc(document).members[member] = value(case) if callable(value) else value

    return bend


def drop(document: str, member: str) -> Bend:
    return lambda case: case.doc(document).members.pop(member, None) and None


def rename(document: str, member: str, to: str) -> Bend:
    """Give a member another name, at the same place."""

    def bend(case: Case) -> None:
        doc = case.doc(document)
        doc.members = {to if name == member else name: value for name, value in doc.members.items()}

    return bend


def member(
    document: str,
    name: str,
    verdict: Verdict,
    values: dict[str, object],
    kinds: tuple[str, ...] = DISCOVERED,
    also: tuple[str, ...] = (),
    group: str = "",
) -> Iterator[Change]:
    """One change for each of `values`, by their labels; `...` takes the member away. Those of a `group` are drawn as often as a place."""
    place = f"{document}.{name}" + (f".{group}" if group else "")
    for label, value in values.items():
        bend = drop(document, name) if value is ... else put(document, name, value)
        yield Change(f"{document}.{name} {label}", (place, *also), verdict, bend, kinds)


NO_TEXT: dict[str, object] = {
    **{f"as {value!r}": value for value in (True, False, 0, 5, 1.5, [], {}, ["x"], [["x"]], {"x": 1}, [None], 10**400)},
}
NEVER: dict[str, object] = {"gone": ..., "null": None, "empty": "", **NO_TEXT}


def bent_text(of: Callable[[Case], str]) -> dict[str, object]:
    """Other texts than the one that must be there to the letter."""
    return {
        "with a space behind": lambda case: of(case) + " ",
        "with a space before": lambda case: " " + of(case),
        "with a tab": lambda case: of(case) + "\t",
        "with a zero byte": lambda case: of(case) + "\0",
        "with an invisible space": lambda case: of(case) + "\u200b",
        "in another case": lambda case: of(case).swapcase(),
        "cut": lambda case: of(case)[: case.rng.randrange(len(of(case)))],
        "twice": lambda case: of(case) * 2,
        "in a list in a list": lambda case: [[of(case)]],
        "huge": lambda case: of(case) + "x" * case.rng.choice([300, 5000, 20_000]),
        "random": lambda case: some_text(case.rng) + "?",
        "with letters of another script": lambda case: of(case).replace("a", "\u0430").replace("e", "\u0435") + "\u0430",
        "as an object": lambda case: {of(case): of(case)},
    }


def some_text(rng: Random) -> str:
    alphabet = "ab 01'\"\\/<>&%?#;.,:=\n\r\t\0\u00e9\u00df\u0130\u202e\ufeff\U0001f600\ud7ff\ue000"
    return "".join(rng.choice(alphabet) for _ in range(rng.choice([1, 3, 10, 60])))


def some_json(rng: Random, depth: int = 3) -> object:
    if depth and rng.random() < 0.4:
        inner = [some_json(rng, depth - 1) for _ in range(rng.randrange(4))]
        return inner if rng.random() < 0.5 else {some_text(rng): one for one in inner}
    return rng.choice([None, True, False, 0, -1, 2**64, -(10**300), 1e308, -0.0, 5e-324, "", some_text(rng)])


def nested(depth: int) -> object:
    value: object = "x"
    for level in range(depth):
        value = [value] if level % 2 else {"a": value}
    return value


# -- the text of any document --------------------------------------------------------------------------------------------


def _inserted(member_text: bytes) -> Callable[[bytes], bytes]:
    return lambda text: b"{" + member_text + b"," + text[1:]


def _truncated(case: Case) -> Callable[[bytes], bytes]:
    part = case.rng.random()
    return lambda text: text[: int(len(text) * part)]


def _duplicated(document: str) -> Bend:
    def bend(case: Case) -> None:
        doc = case.doc(document)
        name = case.rng.choice(list(doc.members))
        doc.rewrites.append(_inserted(b'"' + name.encode() + b'":' + case.rng.choice([b"1", b'"x"', b"null", b'"ana"'])))

    return bend


_NO_OBJECT: dict[str, Callable[[bytes], bytes]] = {
    "has a member twice within": _inserted(b'"x_":{"a":1,"a":2}'),
    "has a name twice by an escape": _inserted(b'"x_":1,"\\u0078_":1'),
    "has NaN": _inserted(b'"x_":NaN'),
    "has Infinity": _inserted(b'"x_":[Infinity]'),
    "has -Infinity": _inserted(b'"x_":-Infinity'),
    "has 1e999": _inserted(b'"x_":1e999'),
    "has -1e400": _inserted(b'"x_":{"a":-1e400}'),
    "has 123e4567": _inserted(b'"x_":123e4567'),
    "has half a surrogate pair": _inserted(b'"x_":"\\ud800"'),
    "has half a pair as a name": _inserted(b'"\\udfff":1'),
    "has a number of 5000 digits": _inserted(b'"x_":' + b"1" * 5000),
    "has a raw line break in a text": _inserted(b'"x_":"\n"'),
    "has bytes that are no UTF-8": _inserted(b'"x_":"\xff\xfe"'),
    "has an overlong byte form": _inserted(b'"x_":"\xc0\xaf"'),
    "has a comma too many": lambda text: text[:-1] + b",}",
    "has a comment": _inserted(b'/* */"x_":1'),
    "in single quotes": lambda text: text.replace(b'"', b"'"),
    "is a list": lambda text: b"[" + text + b"]",
    "is null": lambda _: b"null",
    "is true": lambda _: b"true",
    "is a number": lambda _: b"5",
    "is a text": lambda _: b'"x"',
    "is empty": lambda _: b"",
    "is white space": lambda _: b" \r\n",
    "comes twice": lambda text: text + text,
    "has something behind it": lambda text: text + b"x",
    "begins with a byte order mark": lambda text: b"\xef\xbb\xbf" + text,
    "is UTF-16": lambda text: text.decode().encode("utf-16-le"),
    "is nested too deep": _inserted(b'"x_":' + b"[" * 30_000),
    "is all brackets": lambda _: b"[" * 100_000,
}


def text_changes(document: str, kinds: tuple[str, ...]) -> Iterator[Change]:
    """What may be wrong with the JSON text of any document (RFC 8259, RFC 7493), and what may not matter."""

    def rewritten(rewrite: Callable[[bytes], bytes]) -> Bend:
        return lambda case: case.doc(document).rewrites.append(rewrite)

    for label, rewrite in _NO_OBJECT.items():
        yield Change(f"{document} {label}", (document,), "refused", rewritten(rewrite), kinds)
    yield Change(f"{document} is cut", (document,), "refused", lambda case: case.doc(document).rewrites.append(_truncated(case)), kinds)
    for _ in range(3):
        yield Change(f"{document} has a member twice", (document,), "refused", _duplicated(document), kinds)
    yield Change(f"{document} is written wide", (document,), "valid", rewritten(lambda text: b" {\r\n\t" + text[1:] + b"\n"), kinds)
    yield Change(f"{document} in another order", (document,), "valid", lambda case: _shuffle(case, document), kinds)
    known: dict[str, object] = {
        "of a text": "x" * 100,
        "of null": None,
        "of other letters": "\u00e9\u00df\U0001f600",
        "of zero bytes": "\0\0",
        "of nested values": nested(20),
        "of many": list(range(200)),
        "of whatever": lambda case: some_json(case.rng),
        "with __proto__": {"__proto__": {"admin": True}, "constructor": 1},
    }
    yield from member(document, "x_extra", "valid", known, kinds)
    for depth in (200, 500, 900, 950, 980, 1100, 3000):
        yield Change(f"{document} is nested {depth} deep", (document,), "either", rewritten(_deep(depth)), kinds)


def _deep(depth: int) -> Callable[[bytes], bytes]:
    return _inserted(b'"x_":' + b"[" * depth + b"]" * depth)


def _shuffle(case: Case, document: str) -> None:
    doc = case.doc(document)
    items = list(doc.members.items())
    case.rng.shuffle(items)
    doc.members = dict(items)
