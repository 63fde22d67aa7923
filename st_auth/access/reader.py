"""Somebody who reads, as the rules see them: what they may do, and the values that a rule may ask of them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final

from st_auth.access.permissions import Granted
from st_auth.access.rules import Scalar, only, scalars
from st_auth.errors import PermissionDenied
from st_auth.oauth.login import claim_at

__all__ = ["Reader", "own_values"]

_NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})


@dataclass(slots=True)
class Reader:
    """A Viewer. A name means, in this order: the claim that `[access.values]` gives it, an attribute, what st_auth itself knows of a
    login (`own`), a claim of that name or path.
    """

    granted: Granted
    claims: Mapping[str, Any] = field(repr=False)
    own: Mapping[str, Any] = field(repr=False)
    places: Mapping[str, str] = field(default_factory=lambda: _NOTHING)
    attributes: Callable[[], Mapping[str, Any]] = field(default=lambda: _NOTHING, repr=False)
    _asked: Mapping[str, Any] | None = field(default=None, repr=False)

    def value(self, name: str) -> Sequence[Scalar]:
        """Return the values of a claim or an attribute, at least one. Raises PermissionDenied (`claim_missing`) that names it."""
        if values := scalars(self._found(name)):
            return values
        message = f"A rule of this app needs your “{name}”, and your login does not say it."
        hint = f"Ask whoever looks after your company's logins to add it{', confirmed' if name == 'email' else ''}."
        raise PermissionDenied(message, code="claim_missing", hint=hint, claim=name)

    def one(self, name: str) -> Scalar:
        """Return the one value of a claim or an attribute. Raises PermissionDenied (`claim_missing`) where there are several, or none."""
        return only(name, self.value(name))

    def _found(self, name: str) -> Any:
        if name in self.places:
            return claim_at(self.claims, self.places[name])
        if self._asked is None:
            self._asked = self.attributes()
        for known in (self._asked, self.own):
            if name in known:
                return known[name]
        return claim_at(self.claims, name)


def own_values(card: Any, profile: Mapping[str, Any], granted: Granted) -> Mapping[str, Any]:
    """What st_auth knows of a login; an e-mail address only where the provider confirms it, as its profile says."""
    return MappingProxyType(
        {
            "subject": card.subject,
            "issuer": card.issuer,
            "email": profile.get("email") if profile.get("email_verified") is True else None,
            "groups": list(profile.get("groups") or ()),
            "roles": list(granted.roles),
        }
    )
