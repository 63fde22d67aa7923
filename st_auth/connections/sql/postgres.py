"""PostgreSQL behind SQLAlchemy: who the person is, told to the server before each statement, and a session that keeps nothing of it."""

from collections.abc import Mapping
from contextlib import nullcontext
from ipaddress import ip_address
from typing import Any, Final

from st_auth.connections.opening import Opening, attempt, failure, reason

__all__ = ["Identity", "asked_for_password", "clean", "defaults_for", "identity_of"]

_CONNECT_TIMEOUT: Final = 15
_LONGEST_NAME: Final = 63
_NOT_GRANTED: Final = frozenset({"42501", "22023"})  # insufficient_privilege; invalid_parameter_value: there is no such role
_ELSEWHERE: Final = frozenset({"host", "hostaddr", "service"})


class Identity:
    """Settings and role that hold for one transaction (`set_config(…, true)`), bound as parameters and never a part of a statement.

    They are told before each statement and not only at the beginning: what a statement before it has reset, set or committed does not
    count any more. Several statements in one text are refused by the server: each text goes by the extended query protocol, which has
    one statement (PostgreSQL documentation, "Message Flow", "Extended Query").
    """

    def __init__(self, name: str, settings: Mapping[str, str], role: str) -> None:
        self._name = name
        pairs = [*settings.items(), *([("role", role)] if role else [])]  # the role last: it may not be allowed what the login is
        self._sql = "select " + ", ".join(["set_config(%s, %s, true)"] * len(pairs))
        self._bound = [text for pair in pairs for text in pair]

    def tell(self, driver: Any) -> None:
        """Tell the server who this is, in the transaction that runs or begins. Raises ConnectionFailed (`role_not_granted`)."""
        if driver.autocommit:
            raise ValueError("Without transactions nobody can be told apart here: leave AUTOCOMMIT out.")
        status = driver.info.transaction_status
        if status == status.INERROR:  # nothing but its end can follow
            return

        def told() -> None:
            with driver.cursor() as cursor:
                cursor.execute(self._sql, self._bound)

        def failed(error: Exception) -> Exception:
            if getattr(error, "sqlstate", None) not in _NOT_GRANTED:
                return error
            hint = "Ask your database administrator to grant the role to the login in the section, or to create it."
            return failure(self._name, "role_not_granted", f"you cannot be who you are to be there: {reason(error)}.", hint, error)

        attempt(told, failed)

    @staticmethod
    def run(cursor: Any, sql: str, params: Any) -> None:
        """Run one statement, and no second one behind it: in a pipeline psycopg always takes the extended protocol.

        A cursor on the server's side is declared for one statement anyway, and wants no pipeline. A session that does not come out of its
        pipeline has been ended by the server, and the driver does not know yet: it is closed here, so that everybody sees it.
        """
        driver = cursor.connection
        try:
            with nullcontext() if hasattr(cursor, "scrollable") else driver.pipeline():
                cursor.execute(sql, params)
        except Exception:
            if driver.info.pipeline_status:
                with driver.lock:
                    driver.close()
            raise


def identity_of(opening: Opening, url: Any) -> Identity | None:
    """Return what to tell the server, None if nothing.

    Raises ConnectionFailed (`role_not_granted`) for a role that would be the app's own login again, which is what PostgreSQL takes `none`
    for too (`SET ROLE NONE`), and for a role elsewhere than in PostgreSQL.
    """
    role = opening.role or str(opening.options.get("as_role", ""))
    settings: Mapping[str, str] = opening.options.get("set", {})
    if not settings and not role:
        return None
    name, code = opening.config.name, "role_not_granted"
    if url.drivername != "postgresql+psycopg":
        hint = "Leave role=… out of user.connection()."
        raise failure(name, code, "only PostgreSQL takes a role here (postgresql+psycopg://…).", hint, ValueError("role"))
    if role.strip().lower() == "none" or (role and opening.token is None and role == url.username):
        hint = "Ask who looks after the logins for another."
        raise failure(name, code, "your role there would be the app's own login.", hint, PermissionError("role"))
    return Identity(name, settings, role)


def asked_for_password(driver: Any) -> bool:
    """Whether the server asked for a password at all: one that trusts this machine would let anybody be anybody."""
    return bool((getattr(driver, "pgconn", None) or driver.info).used_password)


def clean(driver: Any, record: Any, state: Any) -> None:
    """Leave nothing in a session before it is used again: transaction, settings, role, temporary tables, locks, prepared statements."""
    if state.terminate_only:
        return
    try:
        driver.rollback()
        before = driver.autocommit
        driver.autocommit = True  # DISCARD ALL does not run in a transaction
        with driver.cursor() as cursor:
            cursor.execute("DISCARD ALL")
        driver.autocommit = before
    except Exception:  # noqa: BLE001  # closed by us or dropped by the server: it is not used again
        record.invalidate()


def defaults_for(opening: Opening, url: Any) -> dict[str, Any]:
    """What the driver is told where the address does not: a time-out, whose session it is, and to trust a proven server alone.

    That is where it gets a token or a person's own password. psycopg prepares nothing: it would not notice each `DISCARD ALL`.
    """
    query = url.query
    known: dict[str, Any] = {"connect_timeout": _CONNECT_TIMEOUT, "application_name": f"st_auth {opening.login_id}"[:_LONGEST_NAME]}
    if (opening.token is not None or opening.config.own_login) and not (_is_here(url.host) and not _ELSEWHERE & query.keys()):
        known |= {"sslmode": "verify-full", "sslrootcert": "system"}
        if "sslrootcert" in query or query.get("sslmode", "verify-full") != "verify-full":
            del known["sslrootcert"]
    prepare = {"prepare_threshold": None} if url.get_driver_name() == "psycopg" else {}
    return {name: value for name, value in known.items() if name not in query} | prepare


def _is_here(host: str | None) -> bool:
    try:
        return host == "localhost" or ip_address(host or "").is_loopback
    except ValueError:
        return False
