"""A-24: a cookie whose name begins with a strange space is not one of ours, though many parsers take the space away.

Another host of the same domain can set it for ours: browsers hold only names that begin with `__Host-` to what that promises.
"""

import pytest

from st_auth.web import cookies
from tests.attacks.inside import inside

DISARM = {"A-24.s": lambda: setattr(cookies, "_BLANK", None)}


@pytest.mark.parametrize("space", ["\xa0", "\x85", "\x0b", "\x0c", "\x1c", "\x1f"])
def test_a24s_a_name_behind_a_strange_space_neither_is_ours_nor_costs_anybody_theirs(tmp_path, space):
    with inside(tmp_path) as app:
        mine, planted = app.login(subject="alice"), app.login(subject="mallory")
        forged = (b"cookie", space.encode("latin-1") + planted[1])

        assert app.http("/", [forged]).reached is None
        assert app.http("/", [mine, forged]).reached is not None
        assert app.http("/", [forged, mine]).reached is not None
