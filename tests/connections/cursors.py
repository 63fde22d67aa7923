"""What the cursor of every connection in SQL must keep, whichever its driver: it is for its login's runs alone, and leads to nothing."""

import pytest

from st_auth.connections.guard import Guarded
from st_auth.errors import CrossSessionError, LoginRequired


class CursorContract:
    """A kind's own test class inherits this beside `ConnectionContract`; `asks` is a statement that gives one row."""

    asks = "select 1 as x"
    takes = ("execute", "fetchone", "fetchall", "fetchmany", "close")
    """Methods of the cursor, taken in one run and called in another's."""

    def test_a32_a_method_of_a_cursor_taken_in_one_run_is_refused_in_another_persons(self, ground):
        ana, bob = ground.log_in("ana"), ground.log_in("bob")
        with ground.runs.of(ana.login_id):
            cursor = ground.handle(ana).cursor()
            taken = {name: getattr(cursor, name) for name in self.takes}
            taken["execute"](self.asks)

        for name, method in taken.items():
            arguments = [self.asks] if name == "execute" else []
            with ground.runs.of(bob.login_id), pytest.raises(CrossSessionError):
                method(*arguments)
            with pytest.raises(CrossSessionError):
                method(*arguments)
        with ground.runs.of(ana.login_id):
            assert [tuple(row) for row in taken["fetchall"]()] == [(1,)]
            ground.log_out(ana)
            with pytest.raises(LoginRequired):
                taken["execute"](self.asks)

    def test_a32_a_cursor_does_not_lead_to_the_connection_of_its_driver(self, ground):
        ana = ground.log_in("ana")
        with ground.runs.of(ana.login_id):
            cursor = ground.handle(ana).cursor()
            for name in ("connection", "_connection", "_conn", "_driver", "_session", "__dict__x"):
                with pytest.raises(AttributeError, match=r"behind `handle.raw` alone"):
                    getattr(cursor, name)
            assert not hasattr(cursor, "connection")

    def test_a32_nothing_that_a_cursor_has_or_makes_is_unguarded_where_it_can_be_asked_more(self, ground):
        ana = ground.log_in("ana")
        with ground.runs.of(ana.login_id):
            cursor = ground.handle(ana).cursor()
            assert cursor.execute(self.asks) is cursor
            inner = object.__getattribute__(cursor, "_inner")
            for name in dir(inner):
                if not name.startswith("_") and name != "connection":
                    found = getattr(cursor, name, None)
                    assert isinstance(found, Guarded) or not hasattr(type(found), "execute"), name
