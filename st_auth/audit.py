"""One line for each thing that an auditor asks about: who, what, when, and whether it was allowed."""

import json
import logging
from datetime import UTC, datetime

__all__ = ["record"]

_LOGGER = logging.getLogger("st_auth.audit")


def record(event: str, **fields: str | float | bool | None) -> None:
    """Write one audit event as a line of JSON to the logger `st_auth.audit`.

    `event` is a stable name such as `login` or `session_ended`. Fields hold names, ids and codes, never a token, a cookie or a
    person's data; JSON escapes line breaks, so no field can forge a second line.
    """
    at = datetime.now(UTC).isoformat(timespec="milliseconds")
    line = {"at": at, "event": event, **{k: v for k, v in fields.items() if v not in (None, "")}}
    _LOGGER.info(json.dumps(line, ensure_ascii=True))
