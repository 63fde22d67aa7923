"""A statement of a person's: under the rule file where their connection obeys it, and with one audit line in any case."""

import secrets
import time
from collections.abc import Callable
from typing import Any, Final

from st_auth import audit
from st_auth.errors import ConnectionFailed, PermissionDenied
from st_auth.live import LiveSession

__all__ = ["Asked", "audited", "withheld"]

_WITHHELD: Final = (
    "The database's own words are withheld: they may hold values that this person may not see. Run the statement as somebody who may see "
    "everything, or in smaller steps."
)


class Asked:
    """What a statement read, for its audit line: names of tables and of rules, never data."""

    __slots__ = ("connection", "id", "kept", "live", "previewed", "rules", "tables")

    def __init__(self, live: LiveSession, connection: str, previewed: str = "") -> None:
        self.live = live
        self.connection = connection
        self.previewed = previewed
        self.id = secrets.token_hex(8)
        self.tables: tuple[str, ...] = ()
        self.rules: tuple[str, ...] = ()
        self.kept = False


def audited(asked: Asked, run: Callable[[], Any]) -> Any:
    """Run a statement and write its line: `query`, or `query_failed` with the code of the error."""
    begun = time.monotonic()
    try:
        frame = run()
    except (PermissionDenied, ConnectionFailed) as error:
        asked.tables = asked.tables or (getattr(error, "table", ""),)
        _record("query_failed", asked, begun, code=error.code, rows=None)
        raise
    _record("query", asked, begun, code="", rows=len(frame))
    return frame


def _record(event: str, asked: Asked, begun: float, *, code: str, rows: int | None) -> None:
    card = asked.live.stored.card
    audit.record(
        event,
        login_id=card.login_id,
        issuer=card.issuer,
        subject=card.subject,
        connection=asked.connection,
        tables=" ".join(asked.tables),
        rules=" ".join(asked.rules),
        rows=rows,
        query_id=asked.id,
        milliseconds=round((time.monotonic() - begun) * 1000, 1),
        kept=asked.kept or None,
        seen_as=asked.previewed,
        code=code,
    )


def withheld(failed: ConnectionFailed, asked: Asked, hidden: tuple[str, ...]) -> ConnectionFailed:
    """Return the error of a statement under the rules without what the database says of values; its own error is not its cause.

    What it says of the statement itself, before it looked at a row, stays: a name that is not there, a type that does not fit.
    """
    if failed.code != "query_failed":
        return failed
    if failed.of_statement:
        hint = f"{failed.hint} Hidden from this person: {', '.join(hidden)}." if hidden else failed.hint
        return ConnectionFailed(str(failed), code=failed.code, hint=hint, of_statement=True)
    message = f"The connection “{asked.connection}” failed: the statement could not be run over the data (query {asked.id})."
    return ConnectionFailed(message, code=failed.code, hint=_WITHHELD)
