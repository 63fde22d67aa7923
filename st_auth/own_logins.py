"""A person's own names and passwords for databases: sealed in their session's record, read for each opening, gone with the session.

Nothing of them is kept in this process. Who may use one, and what opens with it, is decided elsewhere.
"""

from collections.abc import Callable
from dataclasses import replace

from st_auth import audit
from st_auth.errors import LoginRequired
from st_auth.live import LiveSession
from st_auth.secret import OwnLogin
from st_auth.sessions import Session, Sessions

__all__ = ["OwnLogins", "login_needed"]

_HINT = "Use the connection in the script itself, where the page can ask; a thread, a callback of a fragment or a test cannot."


class OwnLogins:
    """The own logins of live sessions. Safe to call from any thread; each method raises LoginRequired (`session_ended`) or Unavailable.

    `read` gives a live session as the store has it now.
    """

    def __init__(self, sessions: Sessions, read: Callable[[LiveSession], Session], ticks: Callable[[], float]) -> None:
        self._sessions = sessions
        self._read = read
        self._ticks = ticks

    def get(self, live: LiveSession, connection: str, address: str) -> OwnLogin:
        """Return what the person gave for a connection at this address. Raises LoginRequired (`login_needed`) where there is nothing."""
        for login in self._read(live).logins:
            if (login.connection, login.address) == (connection, address):
                return login
        raise login_needed(connection)

    def keep(self, live: LiveSession, login: OwnLogin) -> bool:
        """Keep a login, in place of one that was given before; False if the session is over."""
        return self._change(live, login.connection, (login,))

    def forget(self, live: LiveSession, connection: str, refused: OwnLogin | None = None) -> None:
        """Forget a login; with `refused` only that one, and not another that the person has given meanwhile."""
        kept = [login for login in self._read(live).logins if login.connection == connection]
        if not kept or (refused is not None and refused not in kept):
            return
        self._change(live, connection, (), refused)
        card = live.stored.card
        why = "asked" if refused is None else "refused"
        audit.record(
            "connection_login_forgotten",
            login_id=card.login_id,
            issuer=card.issuer,
            subject=card.subject,
            connection=connection,
            why=why,
        )

    def _change(self, live: LiveSession, connection: str, put: tuple[OwnLogin, ...], only: OwnLogin | None = None) -> bool:
        def change(session: Session) -> Session:
            others = tuple(one for one in session.logins if one.connection != connection or (only is not None and one != only))
            return replace(session, logins=(*others, *put))

        changed = self._sessions.change(live.stored, change)
        if changed is None:
            return False
        live.wrote(changed, self._ticks())
        return True


def login_needed(connection: str) -> LoginRequired:
    """The error of a connection that the person has not logged in to, or not with what its database takes now."""
    return LoginRequired(f"The connection “{connection}” needs your own name and password.", code="login_needed", hint=_HINT)
