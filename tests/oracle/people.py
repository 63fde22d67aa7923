"""Somebody who reads, as the rules see them, and the answers that they get, in a form in which two of them can be compared."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from st_auth.access.permissions import Granted
from st_auth.access.rules import Scalar


@dataclass(frozen=True)
class Reader:
    """A person with their permissions and the values that the rules ask of them."""

    name: str
    permissions: frozenset[str]
    values: Mapping[str, Sequence[Scalar]]

    @property
    def granted(self) -> Granted:
        return Granted((self.name,), self.permissions)

    def value(self, name: str) -> Sequence[Scalar]:
        return self.values[name]


Names = tuple[str, ...]
Answer = Counter[tuple[Names, tuple[Any, ...]]]


def answer(names: Names, rows: Iterable[Sequence[Any]]) -> Answer:
    """The rows as a multiset, with the names of the columns. Numbers to eight digits: sums of floats depend on their order."""
    return Counter((names, tuple(map(_plain, row))) for row in rows)


def _plain(value: Any) -> Any:
    if isinstance(value, float | Decimal):
        number = float(value)
        return "nan" if math.isnan(number) else float(f"{number:.8g}")
    if isinstance(value, list | tuple):
        return tuple(map(_plain, value))
    if isinstance(value, dict):
        return tuple((name, _plain(item)) for name, item in value.items())
    return value


def is_empty(found: Answer) -> bool:
    """Whether there is nothing in an answer: no row, or nulls alone."""
    return all(value is None for _, row in found for value in row)
