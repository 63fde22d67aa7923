"""One line of JSON for each thing that an auditor asks about."""

import json
import logging
from datetime import UTC, datetime

import pytest
from hypothesis import HealthCheck, given, settings, strategies as some

from st_auth import audit


@pytest.fixture
def lines(caplog):
    caplog.set_level(logging.INFO, "st_auth.audit")
    return lambda: [r.getMessage() for r in caplog.records if r.name == "st_auth.audit"]


def test_an_event_is_a_line_of_json_with_its_time(lines):
    audit.record("login", login_id="abc", provider="okta", seconds=1.5, allowed=True)

    (line,) = lines()
    event = json.loads(line)
    assert datetime.fromisoformat(event.pop("at")).tzinfo == UTC
    assert event == {"event": "login", "login_id": "abc", "provider": "okta", "seconds": 1.5, "allowed": True}


def test_what_is_empty_is_left_out_and_false_is_not(lines):
    audit.record("login", reason="", nothing=None, allowed=False, count=0)

    assert {k: v for k, v in json.loads(lines()[0]).items() if k != "at"} == {"event": "login", "allowed": False, "count": 0}


@given(value=some.text(max_size=40))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=100)
def test_no_field_forges_a_second_line(lines, caplog, value):
    caplog.clear()

    audit.record("login", browser=f'{value}\n\r\u2028{{"event": "login"}}')

    (line,) = lines()
    assert line.splitlines() == [line]
    assert json.loads(line)["event"] == "login"
