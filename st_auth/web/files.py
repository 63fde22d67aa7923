"""Which of Streamlit's files belong to one tab: told by what passes on its socket."""

from collections.abc import Callable

from st_auth import streamlit_facts as facts

__all__ = ["TabFiles"]


class TabFiles:
    """Follows one tab. `issue` is called with the path of each media file and upload of its own whose address it is sent."""

    __slots__ = ("_issue", "_session_id")

    def __init__(self, issue: Callable[[str], None]) -> None:
        self._issue = issue
        self._session_id = ""

    @property
    def session_id(self) -> str:
        """Streamlit's id of this tab, `""` until it has been told."""
        return self._session_id

    def sent(self, data: bytes) -> None:
        """Take note of a message to the browser."""
        if not self._session_id:
            self._session_id = facts.streamlit_session(data)
        for path in facts.issued_paths(data, self._session_id):
            self._issue(path)

    def may_have(self, deferred: str) -> bool:
        """Whether a download that is made at the click may be made for this tab."""
        return facts.is_deferred_for(deferred, self._session_id)
