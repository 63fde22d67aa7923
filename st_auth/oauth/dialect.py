"""A token response in the provider's own words, put into those of RFC 6749 before it is judged."""

from collections.abc import Mapping
from typing import Any

from st_auth.oauth.profile import Provider
from st_auth.oauth.quirks import SCOPE_WITH_COMMAS

__all__ = ["in_standard_words"]


def in_standard_words(answer: Mapping[str, Any], provider: Provider) -> dict[str, Any]:
    """Return the answer with error codes and scope as RFC 6749 sections 5.2 and 3.3 write them; everything else as it came."""
    words = dict(answer)
    error, scope = words.get("error"), words.get("scope")
    if isinstance(error, str):
        words["error"] = provider.error_codes.get(error, error)
    if isinstance(scope, str) and SCOPE_WITH_COMMAS in provider.quirks:
        words["scope"] = scope.replace(",", " ")
    return words
