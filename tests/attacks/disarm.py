"""Switch one defence off: in the process of a server under attack (`launch`), or in the test's own process for one test.

Beside its tests each attack file holds `DISARM`: by id, a function that rebinds the one function or constant of ours that defends,
or `"native"`: then the attack is run against a bare `st.login` app. `test_a03_…` belongs to `A-03`, `test_a03b_…` to `A-03.b`.
"""

import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

NATIVE = "native"
_NAME = re.compile(r"test_a(\d\d)([a-z]?)_")


def id_of(test_name: str) -> str | None:
    """The id that a test's name carries: `test_a03b_…` is `A-03.b`."""
    found = _NAME.match(test_name)
    return f"A-{found[1]}{f'.{found[2]}' if found[2] else ''}" if found else None


def switch_of(module: Any, attack: str) -> Callable[[], None] | str:
    """What a test module says is to be done to take the defence away."""
    known = getattr(module, "DISARM", {})
    if attack not in known:
        raise LookupError(f"{module.__name__} has no DISARM[{attack!r}], only {sorted(known)}")
    return known[attack]


def take_away(module_name: str, attack: str) -> None:
    """Switch the defence off in this process, for good."""
    switch = switch_of(import_module(module_name), attack)
    if switch != NATIVE:
        switch()


@contextmanager
def without(switch: Callable[[], None]) -> Iterator[None]:
    """Switch the defence off while the block runs; every name of our modules and classes is as before afterwards."""
    owners = list(_owners())
    before = [(owner, dict(vars(owner))) for owner in owners]
    switch()
    try:
        yield
    finally:
        for owner, names in before:
            for name, value in names.items():
                if vars(owner).get(name) is not value:
                    setattr(owner, name, value)


def _owners() -> Iterator[Any]:
    """Our modules that are loaded, and the classes in them."""
    for module in [m for name, m in sys.modules.items() if name.partition(".")[0] == "st_auth"]:
        yield module
        yield from (c for c in vars(module).values() if isinstance(c, type) and c.__module__ == module.__name__)
