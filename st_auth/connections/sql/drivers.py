"""How a driver's connection is stopped and closed from another thread, which each driver has in its own way."""

import os
import socket
from contextlib import suppress
from typing import Any, Final

__all__ = ["hang_up", "stop"]

_PATIENCE: Final = 5.0


def stop(driver: Any) -> None:
    """Stop what a driver's connection runs, where it can be told."""
    for name in ("cancel_safe", "cancel", "interrupt"):
        if way := getattr(driver, name, None):
            with suppress(Exception):  # it is over, or will be closed
                way()
            return


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
