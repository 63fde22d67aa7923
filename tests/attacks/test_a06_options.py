"""A-06, A-07, A-08: options of Streamlit that would open a way round the gate stop the start, each by its name."""

import pytest
from streamlit import config

from st_auth import streamlit_facts as facts
from st_auth.errors import ConfigError
from st_auth.web.start import read_config
from tests.servers.processes import wait_until


def _any_option() -> None:
    facts.unsafe_options = list


DISARM = {"A-06": _any_option, "A-06.b": _any_option, "A-06.c": _any_option}

UNSAFE = {
    "server.enableCORS": False,
    "server.enableXsrfProtection": False,
    "server.enableAgentApi": True,
    "server.scriptHealthCheckEnabled": True,
    "server.unsafeMetricsUserAttributes": ["email"],
    "global.developmentMode": True,
}


known = config.get_option


def _nested(options):
    tables: dict[str, dict[str, object]] = {}
    for name, value in options.items():
        table, _, key = name.partition(".")
        tables.setdefault(table, {})[key] = value
    return tables


def _flag(name, value):
    return [f"--{name}", ",".join(value) if isinstance(value, list) else str(value).lower()]


def _how_it_starts(app, **settings):
    """The exit code, None if it serves instead, and everything that it said."""
    one = app(begin=False, **settings).start(wait=False)
    wait_until(lambda: not one.process.is_running or one.is_healthy(), "a start or a refusal", seconds=40)
    return one.process.exit_code, one.output


@pytest.mark.parametrize("name", [name for name in UNSAFE if name != "global.developmentMode"])
def test_a06_st_auth_run_refuses_to_start_and_names_the_option(app, name):
    code, said = _how_it_starts(app, options=_flag(name, UNSAFE[name]))

    assert code == 2, said[-2000:]
    assert name in said
    assert "Traceback" not in said


def test_a06b_a_server_that_mounts_the_middleware_does_not_start_and_names_all_of_them(app):
    names = [n for n in UNSAFE if n != "global.developmentMode"]
    code, said = _how_it_starts(app, way="asgi", config=_nested({n: UNSAFE[n] for n in names}))

    assert code not in (0, None), said[-2000:]
    assert [n for n in names if n not in said] == []


@pytest.mark.parametrize("name", UNSAFE)
def test_a06c_each_of_them_is_a_problem_with_its_name_whatever_else_is_wrong(name, monkeypatch):
    monkeypatch.setattr(config, "get_option", lambda asked: UNSAFE[name] if asked == name else known(asked))

    with pytest.raises(ConfigError) as refused:
        read_config()

    assert name in {problem.key for problem in refused.value.problems}
