"""The rule file on a frame of pandas, polars, pyarrow or DuckDB: one of the same kind comes out, with this person's rows and columns.

Conditions mean what they mean in DuckDB: a row is shown where the condition is true, not where it is null. NaN equals itself and is the
greatest number, except in pandas, where it is a null. A row whose condition cannot be worked out (a number too large, a text that is no
number, a division by zero) is not shown. pandas keeps its index. What is known of hidden rows only, such as an unused category, goes too.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, TypeVar

from st_auth.access.frame_grammar import fault
from st_auth.access.rules import HIDE, NULL, TableRule, Viewer, require_table
from st_auth.access.sql_expressions import BadRule, expression
from st_auth.access.sql_names import fold_column
from st_auth.errors import ConfigError, PermissionDenied, Problem, StAuthError

if TYPE_CHECKING:
    from st_auth.access.frame_kinds import Frame
    from st_auth.access.frame_reading import Reading

__all__ = ["frame_fault", "visible"]

AnyFrame = TypeVar("AnyFrame")

_RULES: Final = ".streamlit/rules.toml"


def visible(frame: AnyFrame, rule: TableRule, viewer: Viewer, dialect: str = "") -> AnyFrame:
    """Return the rows and columns of a frame that somebody may see; `dialect` is the one that the rule file is written in.

    What takes the place of columns is worked out from the columns as they were. Raises PermissionDenied (`permission_missing`,
    `claim_missing`), ConfigError for a rule that has no equivalent here or does not fit the frame, TypeError for what is no frame.
    """
    require_table(rule, viewer.granted)
    if found := frame_fault(rule, dialect):
        raise _wrong(rule, f"has no equivalent in frames: {found}", "write it otherwise, or read the table by SQL")
    from st_auth.access.frame_kinds import opened

    return _Showing(opened(frame), rule, viewer, dialect).shown()  # type: ignore[no-any-return]  # of the kind that went in


def frame_fault(rule: TableRule, dialect: str = "") -> str | None:
    """Say what of a rule has no equivalent in frames; None if all has. What depends on the columns' types shows when there is a frame."""
    texts = [rule.rows, *(column.otherwise for column in rule.columns.values() if column.otherwise not in (HIDE, NULL))]
    return next((found for text in texts if text and (found := _fault(text, dialect))), None)


@lru_cache(1024)
def _fault(text: str, dialect: str) -> str | None:
    try:
        return fault(expression(text, dialect), dialect)
    except BadRule as error:
        return f"“{text}” {error}"


class _Showing:
    """One frame, for one person."""

    def __init__(self, frame: "Frame", rule: TableRule, viewer: Viewer, dialect: str) -> None:
        self._frame = frame
        self._rule = rule
        self._viewer = viewer
        self._dialect = dialect
        self._table = rule.name.rpartition(".")[2].strip('"')

    def shown(self) -> Any:
        """Return the frame's rows and columns. Raises PermissionDenied, ConfigError."""
        from st_auth.access.frame_values import Unfit

        for name in self._rule.columns:
            self._own_name(name)
        hidden = {self._own_name(name): what for name, what in self._rule.columns_for(self._viewer.granted).items()}
        if not any(hidden.get(name) != HIDE for name in self._frame.names):
            message = f"Every column of {self._rule.name} is hidden from your login."
            raise PermissionDenied(message, code="permission_missing", hint="Ask whoever looks after this app.", table=self._rule.name)
        try:
            return self._cut(hidden)
        except StAuthError:
            raise
        except Unfit as error:
            wrong = f"does not fit this frame: it {error}"
        except Exception as error:  # noqa: BLE001 - engines have no base of their own for their errors, which may hold people's values
            wrong = f"cannot be worked out on this frame ({type(error).__name__})"
        raise _wrong(self._rule, wrong, "write it otherwise, or give the columns that it names other types")

    def _cut(self, hidden: Mapping[str, str]) -> Any:
        """Rows first; what takes a column's place is worked out for those that are left."""
        if self._rule.rows:
            self._frame.keep(self._reading().rows(expression(self._rule.rows, self._dialect)))
        texts = {name: what for name, what in hidden.items() if what not in (HIDE, NULL)}
        instead = {name: self._reading().value(expression(text, self._dialect)) for name, text in texts.items()}
        out = frozenset(name for name, what in hidden.items() if what == HIDE)
        return self._frame.shown(instead, frozenset(name for name, what in hidden.items() if what == NULL), out)

    def _reading(self) -> "Reading":
        from st_auth.access.frame_reading import Reading

        return Reading(self._table, self._viewer, self._dialect, self._frame, lambda name: self._frame.column(self._own_name(name)))

    def _own_name(self, name: str) -> str:
        """A column's name as the frame has it. Raises ConfigError unless there is exactly one."""
        wanted = fold_column(name)
        if any(fold_column(one) == wanted for one in self._frame.beside):
            raise _wrong(self._rule, f"speaks of {name}, which is in the frame's index", "give the index another name, or reset it")
        found = [one for one in self._frame.names if fold_column(one) == wanted]
        if len(found) != 1:
            what = f"speaks of {name}, of which the frame has {'several' if found else 'none'}, so nothing of it is shown"
            raise _wrong(
                self._rule, what, f"name one of: {', '.join(self._frame.names)}" if not found else "give its columns names that differ"
            )
        return found[0]


def _wrong(rule: TableRule, what: str, mend: str) -> ConfigError:
    return ConfigError([Problem(_RULES, f"tables.{rule.name}", what, mend)])
