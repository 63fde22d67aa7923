"""The public names and their signatures, held against tests/public_api.txt.  python -m tests.test_public_api --update  writes it anew."""

import enum
import importlib
import inspect
import re
import sys
from collections.abc import Iterator
from difflib import unified_diff
from pathlib import Path

HELD = Path(__file__).parent / "public_api.txt"
DOORS = ("st_auth", "st_auth.testing")


def described() -> str:
    """Return one line for each public name of each door, and one for each public member of a class."""
    return "\n".join(line for door in DOORS for line in _door(door)) + "\n"


def _door(name: str) -> Iterator[str]:
    module = importlib.import_module(name)
    yield f"# {name}"
    for public in getattr(module, "__all__", ()):
        yield from _lines(f"{name}.{public}", getattr(module, public))


def _lines(name: str, value: object) -> Iterator[str]:
    if inspect.isclass(value):
        bases = [base.__name__ for base in value.__bases__ if base is not object]
        yield f"class {name}{'(' + ', '.join(bases) + ')' if bases else ''}"
        for member, found in sorted(vars(value).items()):
            if member == "__init__" and not issubclass(value, enum.Enum):
                yield from _callable(f"{name}.{member}", found)
            elif not member.startswith("_"):
                yield from _member(f"{name}.{member}", found)
    else:
        yield from _member(name, value)


def _member(name: str, value: object) -> Iterator[str]:
    if isinstance(value, staticmethod | classmethod):
        yield from _callable(name, value.__func__)
    elif isinstance(value, property):
        yield f"{name}: {_annotation(value)}"
    elif callable(value):
        yield from _callable(name, value)
    else:
        yield f"{name} = {type(value).__name__}"


def _callable(name: str, value: object) -> Iterator[str]:
    try:
        signature = inspect.signature(value)  # type: ignore[arg-type]  # anything callable will do here
    except (TypeError, ValueError):
        yield f"{name}(…)"
        return
    without_addresses = re.sub(r"<(?:function|class) '?([\w.]+)'?(?: at 0x\w+)?>", r"\1", str(signature))
    yield f"{name}{without_addresses}".replace("typing.", "").replace("collections.abc.", "")


def _annotation(value: property) -> str:
    found = inspect.get_annotations(value.fget).get("return", "?") if value.fget else "?"
    return found if isinstance(found, str) else getattr(found, "__name__", str(found))


def test_public_names_are_the_ones_that_were_agreed():
    held = HELD.read_text("utf-8")
    now = described()
    difference = "\n".join(unified_diff(held.splitlines(), now.splitlines(), "agreed", "now", lineterm=""))

    assert now == held, f"{difference}\nif this was meant: python -m tests.test_public_api --update"


def test_the_doors_list_their_names_sorted():
    for door in DOORS:
        names = list(getattr(importlib.import_module(door), "__all__", ()))
        assert names == sorted(names), door


if __name__ == "__main__":
    if sys.argv[1:] != ["--update"]:
        sys.exit("python -m tests.test_public_api --update")
    HELD.write_text(described(), "utf-8")
    print(f"wrote {HELD.name}")
