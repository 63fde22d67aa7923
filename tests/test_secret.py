"""A secret does not print itself, whatever is done with it (A-31)."""

import copy
import json
import logging
import pickle
import traceback
from dataclasses import asdict, dataclass

import pytest

from st_auth.secret import Secret

CANARY = "canary-7f3a"


@dataclass(frozen=True)
class Holder:
    token: Secret


@pytest.mark.parametrize(
    "show", [repr, str, "{}".format, "{:>20}".format, "%s".__mod__, lambda s: f"{s!r}", lambda s: repr([s]), lambda s: repr(Holder(s))]
)
@pytest.mark.parametrize("value", [CANARY, CANARY.encode()])
def test_a31_no_way_of_printing_shows_it(show, value):
    assert CANARY not in show(Secret(value))
    assert "Secret(***)" in show(Secret(value))


@pytest.mark.parametrize("spread", [pickle.dumps, copy.copy, copy.deepcopy, hash, json.dumps, lambda s: asdict(Holder(s)), vars, iter, len])
def test_a31_it_cannot_be_pickled_copied_hashed_or_walked_into(spread):
    with pytest.raises(TypeError) as caught:
        spread(Secret(CANARY))

    assert CANARY not in "".join(traceback.format_exception(caught.value))


def test_a31_it_is_in_no_log(caplog):
    logging.getLogger("x").error("the token is %s %r", Secret(CANARY), {"t": Secret(CANARY)})

    assert CANARY not in caplog.text


def test_reveal_is_the_only_way_out():
    assert Secret(CANARY).reveal() == CANARY
    assert Secret(b"x").reveal() == b"x"


def test_secrets_are_equal_by_value_and_to_nothing_else():
    assert Secret("ü") == Secret("ü")
    assert Secret("a") == Secret(b"a")
    assert Secret("a") != Secret("b")
    assert Secret("a") != "a"
    assert Secret("a")
    assert not Secret("")
