"""Errors say who must act, have a stable code, and print nothing but their sentence."""

import inspect

import pytest

from st_auth import errors
from st_auth.errors import ConfigError, LoginRefused, PermissionDenied, Problem, ProviderError, StAuthError, Unavailable

CLASSES = [c for _, c in inspect.getmembers(errors, inspect.isclass) if issubclass(c, StAuthError) and c is not StAuthError]


def test_there_are_eight_classes_below_the_base_and_no_leaves():
    assert len(CLASSES) == 8
    assert all(c.__base__ is StAuthError for c in CLASSES)


@pytest.mark.parametrize("kind", [c for c in CLASSES if c is not ConfigError])
def test_each_has_a_code_a_hint_and_its_sentence(kind):
    error = kind("It did not work.", code="some_code", hint="Try again.")

    assert (error.code, error.hint, str(error)) == ("some_code", "Try again.", "It did not work.")


def test_a_config_error_lists_every_problem_with_its_mend():
    one = Problem("secrets.toml", "auth.client_id", "is missing", "copy it")

    assert str(ConfigError([one])).startswith("st_auth cannot start: 1 problem in the configuration.")
    error = ConfigError([one, Problem("a.toml", "b", "c", "d")])
    assert error.code == "config"
    assert len(error.problems) == 2
    assert "2 problems" in str(error)
    assert "secrets.toml: auth.client_id: is missing\n    Mend: copy it" in str(error)


def test_what_else_they_say():
    assert LoginRefused("x", code="response_mismatch", parameter="state").parameter == "state"
    denied = PermissionDenied("x", permission="sales:read", table="sales", claim="region")
    assert (denied.code, denied.permission, denied.table, denied.claim) == ("permission_denied", "sales:read", "sales", "region")
    broken = ProviderError("x", parameter="iss", expected="the issuer", error="invalid_grant", description="gone")
    assert (broken.code, broken.parameter, broken.expected) == ("protocol_violation", "iss", "the issuer")
    assert (broken.error, broken.description) == ("invalid_grant", "gone")
    assert Unavailable("x", code="store").retry_after == 5.0
