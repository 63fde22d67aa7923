"""What each driver has in its own way: how its connection is stopped and closed from another thread, and what its errors are about."""

import os
import socket
from contextlib import suppress
from typing import Any, Final

__all__ = ["hang_up", "is_of_statement", "stop"]

_PATIENCE: Final = 5.0
_MYSQL: Final = frozenset({1052, 1054, 1064, 1146, 1305})  # an ambiguous or unknown column, syntax, no table, no function
_TRINO: Final = frozenset({"SYNTAX_ERROR", "COLUMN_NOT_FOUND", "TABLE_NOT_FOUND", "TYPE_MISMATCH", "FUNCTION_NOT_FOUND"})
_SQLITE: Final = ("no such ", "ambiguous column name", "near ")


def stop(driver: Any) -> None:
    """Stop what a driver's connection runs, where it can be told."""
    for name in ("cancel_safe", "cancel", "interrupt"):
        if way := getattr(driver, name, None):
            with suppress(Exception):  # it is over, or will be closed
                way()
            return


def is_of_statement(error: Exception) -> bool:
    """Whether the database complains about the statement itself, before it has looked at any row: SQLSTATE class 42, or what a driver has
    in place of it. What is not known is about rows.
    """
    inner = getattr(error, "orig", None) or error
    state = getattr(inner, "sqlstate", None) or getattr(inner, "pgcode", None)
    if isinstance(state, str):
        return state.startswith("42")
    if type(inner).__module__ == "sqlite3":
        return str(inner).startswith(_SQLITE)
    number = inner.args[0] if inner.args else None
    return (isinstance(number, int) and number in _MYSQL) or getattr(inner, "error_name", None) in _TRINO


def hang_up(driver: Any) -> None:
    """Close a driver's connection. psycopg must not be closed while another thread is in the middle of something: that is stopped first."""
    lock = getattr(driver, "lock", None)
    if lock is None:
        _close(driver)
        return
    stop(driver)
    if not lock.acquire(timeout=_PATIENCE):
        with suppress(OSError), socket.socket(fileno=os.dup(driver.fileno())) as line:
            line.shutdown(socket.SHUT_RDWR)  # whoever waits for the server hears that it is gone
        lock.acquire()
    try:
        _close(driver)
    finally:
        lock.release()


def _close(driver: Any) -> None:
    with suppress(Exception):  # it is closed already, or gone
        driver.close()
