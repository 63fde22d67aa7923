"""The error for a provider that broke the protocol."""

from st_auth.errors import ProviderError

__all__ = ["hint_of", "printable", "protocol_violation"]


def protocol_violation(parameter: str, expected: str, *, hint: str = "") -> ProviderError:
    """Name what was wrong and what should have been there, never what was received."""
    message = f"The provider broke the protocol: {parameter} should be {expected}."
    return ProviderError(message, code="protocol_violation", parameter=parameter, expected=expected, hint=hint)


def printable(value: object, limit: int = 200) -> str:
    """Return an `error` or `error_description` with only the characters that RFC 6749 section 5.2 allows, cut to `limit`."""
    if not isinstance(value, str):
        return ""
    return "".join(c for c in value[:limit] if " " <= c <= "~" and c not in '"\\')


def hint_of(error: str) -> str:
    """Return what to look at when a provider refuses a request with this error (RFC 6749 section 5.2, RFC 8707 section 2)."""
    return {
        "invalid_client": _CREDENTIALS,
        "unauthorized_client": _CREDENTIALS,
        "invalid_target": "Compare resource with the APIs that the provider knows and lets this client ask for.",
    }.get(error, "")


_CREDENTIALS = "Check client_id, client_secret (or client_key) and token_endpoint_auth_method."
