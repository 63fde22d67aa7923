"""Draw cases, let them happen, and hold what came of each against the verdict that its changes carry."""

import time
import traceback
from collections import Counter
from dataclasses import dataclass, field
from random import Random

from st_auth.errors import StAuthError
from tests.fuzz.answers import KINDS, Case
from tests.fuzz.branches import Branch, branches_of
from tests.fuzz.catalogue import every_change
from tests.fuzz.changes import Change, Verdict
from tests.fuzz.provider import World

WEIGHTS = {
    "plain": 20,
    "by_url": 6,
    "pushed": 12,
    "keyed": 4,
    "strong": 8,
    "signed": 13,
    "no_openid": 3,
    "refresh": 14,
    "logout": 18,
    "revoke": 5,
    "people": 14,
    "named": 4,
    "people_again": 7,
    "tenants": 12,
    "exchange": 6,
    "on_behalf": 2,
}
OWN_PLACES = {  # where a kind's own questions are asked: every other case of it begins there
    "plain": (
        "query",
        "jwks.twice",
        "token.id_token.absent",
        "claims.iss",
        "claims.aud",
        "claims.sub.none",
        "claims.iat",
        "claims.exp",
        "claims.nbf",
    ),
    "by_url": ("metadata.issuer",),
    "pushed": ("pushed", "http.par", "metadata.pushed_authorization_request_endpoint.absent"),
    "keyed": ("metadata.token_endpoint_auth_signing_alg_values_supported",),
    "strong": ("claims.auth_time", "claims.acr"),
    "signed": ("uheader", "ujwt", "userinfo.iss", "userinfo.aud", "userinfo.azp", "userinfo.sub"),
    "no_openid": ("token.id_token",),
    "refresh": ("claims.iss", "claims.sub", "claims.auth_time"),
    "logout": ("claims.iss", "claims.events", "claims.nonce", "claims.jti", "claims.sub", "claims.sid", "jwt.claims", "claims.iat"),
    "revoke": ("http.revoke",),
    "people": ("userinfo.id", "emails", "http.emails", "token.error", "token.scope", "token.id_token", "userinfo.sub"),
    "named": ("token.username", "token.sub", "token.id_token"),
    "people_again": ("userinfo.id", "emails", "http.userinfo"),
    "tenants": ("claims.tid", "claims.iss", "jwks.issuer", "metadata.issuer"),
    "exchange": ("token.issued_token_type", "token.token_type", "token.error"),
    "on_behalf": ("token.issued_token_type", "token.token_type", "token.error"),
}
LEFT_VALID = 50
_ANEW = ("metadata", "jwks", "http.metadata", "http.jwks")


@dataclass
class Tally:
    """What came of a run. `wrong` has the cases where it was something else than it should have been."""

    cases: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    branches: Counter[Branch] = field(default_factory=Counter)
    changes: Counter[str] = field(default_factory=Counter)
    changed_tokens: int = 0
    resigned: int = 0
    seconds: float = 0.0
    wrong: list[str] = field(default_factory=list)


def run(cases: int, seed: int) -> Tally:
    """Play `cases` cases; the same seed gives the same ones."""
    rng, tally = Random(seed), Tally()
    world, drawer = World(rng), Drawer(rng)
    began = time.perf_counter()
    for number in range(cases):
        case, changes = drawer.draw(number, world)
        tally.cases += 1
        _play(world, case, changes, tally, f"seed {seed}, case {number}")
    tally.seconds = time.perf_counter() - began
    return tally


class Drawer:
    """Draws a kind of case and one to three changes that go together; every fiftieth case stays valid."""

    def __init__(self, rng: Random) -> None:
        self._rng = rng
        everything = every_change()
        self._of = {kind: _by_place([one for one in everything if kind in one.kinds]) for kind in KINDS}
        self._own = {kind: [ones for ones in self._of[kind] if ones[0].places[0].startswith(places)] for kind, places in OWN_PLACES.items()}

    def draw(self, number: int, world: World) -> tuple[Case, list[Change]]:
        kind = self._rng.choices(list(WEIGHTS), list(WEIGHTS.values()))[0]
        case = Case(kind, self._rng, world.keys)
        changes: list[Change] = []
        if number % LEFT_VALID:
            for _ in range(self._rng.choices((1, 2, 3), (70, 20, 10))[0]):
                change = self._change(kind, first=not changes)
                if not any(change.meets(other) for other in changes):
                    changes.append(change)
        resigned = self._rng.random() < 0.5
        for jwt in case.jwts():
            jwt.resigned = resigned
        for change in changes:
            change.bend(case)
        return case, changes

    def _change(self, kind: str, *, first: bool) -> Change:
        """Draw a place, so that places with few changes come as often as others, and then a change there."""
        places = self._own[kind] if first and kind in self._own and self._rng.random() < 0.5 else self._of[kind]
        return self._rng.choice(self._rng.choice(places))


def _by_place(changes: list[Change]) -> list[list[Change]]:
    places: dict[str, list[Change]] = {}
    for change in changes:
        places.setdefault(change.places[0], []).append(change)
    return list(places.values())


def verdict(case: Case, changes: list[Change]) -> Verdict:
    """Return what must come of a case: the worst of its changes, and a refusal where a signature is for something else.

    A JWT counts where it is looked at: the ID token of a refresh that brings none does not, nor userinfo without an address.
    """
    said = {change.verdict for change in changes}
    if "refused" in said or any(jwt.is_unsigned for jwt in case.jwts()):
        return "refused"
    return "either" if "either" in said else "valid"


def _play(world: World, case: Case, changes: list[Change], tally: Tally, which: str) -> None:
    expected = verdict(case, changes)
    names = [change.name for change in changes]
    tally.changes.update(names or ["(left valid)"])
    if any(place.startswith(("claims", "header")) for change in changes for place in change.places):
        tally.changed_tokens += 1
        tally.resigned += case.jwt.resigned
    try:
        error = world.play(case, anew=any(place.startswith(_ANEW) for change in changes for place in change.places))
    except Exception:  # noqa: BLE001  # whatever comes out here is what this is looking for
        tally.outcomes["crashed"] += 1
        tally.wrong.append(f"{which} ({case.kind}): {names}: should be {expected}, and crashed:\n{traceback.format_exc()[-1500:]}")
        return
    outcome: Verdict = "refused" if error else "valid"
    tally.outcomes[outcome] += 1
    if error is not None:
        tally.branches.update(branches_of(error))
    if expected not in (outcome, "either"):
        tally.wrong.append(f"{which} ({case.kind}): {names}: should be {expected}, was {outcome}: {error}")
    elif error is not None and (shown := _shown(error, case)):
        tally.wrong.append(f"{which} ({case.kind}): {names}: the error shows a secret: {shown}")


def _shown(error: StAuthError, case: Case) -> str:
    """Return what an error shows of what it should not, in any of its fields."""
    words = "\n".join([str(error), repr(error), error.hint, *(str(value) for value in vars(error).values())])
    return next((words for secret in case.secrets() if secret in words), "")
