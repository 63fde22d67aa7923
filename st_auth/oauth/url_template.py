"""Addresses with `{parameters}` in them, the only templating that a profile knows."""

import re
from collections.abc import Iterable, Mapping

__all__ = ["fill", "parameters_in"]

_PARAMETER = re.compile(r"\{(\w+)\}")
_HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?(?::[0-9]{1,5})?")
_SEGMENT = re.compile(r"(?!\.{1,2}\Z)[A-Za-z0-9._~-]+")


def parameters_in(template: str) -> set[str]:
    """Return the names of the parameters that stand in a template."""
    return set(_PARAMETER.findall(template))


def fill(template: str, values: Mapping[str, str], optional: tuple[str, ...]) -> tuple[str, dict[str, str]]:
    """Return a template with its parameters filled in, and what is wrong with which of them.

    A parameter is a host (or a part of one) or a path segment, and nothing else gets through. An empty optional one takes
    its segment away, and the fixed segments that lead to it. A template that is one single parameter is taken as it is.
    """
    scheme, separator, rest = template.partition("://")
    if not separator:
        name = template.strip("{}")
        return values[name], {} if values[name] else {name: "is missing"}
    host, *segments = rest.split("/")
    wrong = dict(_wrong(host, _HOST, values, optional))
    for segment in segments:
        wrong |= _wrong(segment, _SEGMENT, values, optional)
    filled = [_PARAMETER.sub(lambda match: values[match[1]], part) for part in (host, *_kept(segments, values))]
    return f"{scheme}://" + "/".join(filled), wrong


def _wrong(part: str, shape: re.Pattern[str], values: Mapping[str, str], optional: tuple[str, ...]) -> Iterable[tuple[str, str]]:
    for name in _PARAMETER.findall(part):
        if not values[name]:
            if name not in optional:
                yield name, "is missing"
        elif not shape.fullmatch(values[name]):
            yield name, "is not a host name" if shape is _HOST else "is not a single path segment of letters, digits and ._~-"


def _kept(segments: list[str], values: Mapping[str, str]) -> list[str]:
    kept: list[str] = []
    for segment in segments:
        parameters = _PARAMETER.findall(segment)
        if not parameters or all(values[name] for name in parameters):
            kept.append(segment)
            continue
        while kept and not _PARAMETER.search(kept[-1]):
            kept.pop()
    return kept
