"""What a person's rules need from outside of their claims: `[access] attributes`, by a query or by a function of the app's."""

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any, Final

from st_auth.access.reader import Reader
from st_auth.access.sql_params import Style, mark, pieces_of, written
from st_auth.errors import ConfigError, Problem

__all__ = ["attributes_of"]

_RULES: Final = ".streamlit/rules.toml"


def attributes_of(text: str, reader: Reader, style: Callable[[], Style], ask: Callable[[str, Any], Any]) -> Mapping[str, Any]:
    """Return a person's attributes by name: each column of the query is one, with all of its values.

    `ask` runs a statement with what it binds and returns a pandas frame; the rules are not put into it, as they may follow from it.
    Raises what `ask` or the function raises, ConfigError for a function that is not there or gives something else than a mapping.
    """
    return _by_function(text, reader) if _is_function(text) else _by_query(text, reader, style, ask)


def _is_function(text: str) -> bool:
    return not any(sign.isspace() for sign in text)


def _by_function(text: str, reader: Reader) -> Mapping[str, Any]:
    module, _, name = text.partition(":")
    try:
        function = getattr(import_module(module), name)
    except (ImportError, AttributeError):
        raise _wrong(f"names {text}, which cannot be imported", "put the module beside the app's script") from None
    found = function({**reader.claims})
    if not isinstance(found, Mapping):
        raise _wrong(f"names {text}, which gives no dict", "return names and values: a text, a number, or a list of them")
    return {str(name): list(value) if isinstance(value, tuple | set | frozenset) else value for name, value in found.items()}


def _by_query(text: str, reader: Reader, style: Callable[[], Style], ask: Callable[[str, Any], Any]) -> Mapping[str, Any]:
    bound: list[str] = []
    names = _OfPerson(reader)
    binds = style()
    pieces = pieces_of(mark(text, names, "named", bound), binds)
    frame = ask(*written(pieces, lambda number: (names[bound[number]], False), binds))
    return {str(column): [_plain(value) for value in frame[column].dropna()] for column in frame.columns}


class _OfPerson(Mapping[str, Any]):
    """A person's values by name, one each; attributes are not among them, as they are what is asked for."""

    def __init__(self, reader: Reader) -> None:
        self._reader = Reader(reader.granted, reader.claims, reader.own, reader.places)

    def __getitem__(self, name: str) -> Any:
        return self._reader.one(name)

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str)

    def __iter__(self) -> Any:
        return iter(())

    def __len__(self) -> int:
        return 1


def _plain(value: Any) -> Any:
    """Numbers of pandas are numbers of numpy; drivers bind Python's own."""
    return value.item() if hasattr(value, "item") else value


def _wrong(what: str, mend: str) -> ConfigError:
    return ConfigError([Problem(_RULES, "access.attributes", what, mend)])
