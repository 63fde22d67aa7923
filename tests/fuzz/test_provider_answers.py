"""2 000 of the cases that `make fuzz` plays by the hundred thousand, always the same ones; and that generator and table are sound."""

from collections import Counter
from dataclasses import replace
from random import Random

import pytest

from tests.fuzz.answers import KINDS, Case
from tests.fuzz.branches import NOT_REACHED, branches_in, every_branch
from tests.fuzz.catalogue import every_change
from tests.fuzz.provider import World
from tests.fuzz.run import LEFT_VALID, WEIGHTS, Drawer, run, verdict

SEED = 20_261_122


@pytest.fixture(scope="module")
def tally():
    return run(2000, SEED)


def test_no_changed_answer_lets_anybody_in_who_should_not_be_and_none_crashes(tally):
    assert tally.wrong == []
    assert tally.cases == sum(tally.outcomes.values()) == 2000


def test_the_generator_makes_both_kinds_and_signs_half_of_the_changed_tokens_again(tally):
    assert tally.outcomes["refused"] > 1000
    assert tally.outcomes["valid"] > 200
    assert tally.changes["(left valid)"] == 2000 // LEFT_VALID
    assert tally.changed_tokens > 500
    assert 0.4 < tally.resigned / tally.changed_tokens < 0.6


def test_nearly_every_branch_of_the_judges_is_hit_even_in_2000_cases(tally):
    branches = every_branch()
    missed = [str(branch) for branch in branches if not tally.branches[branch]]

    assert len(branches) > 70
    assert len(missed) < len(branches) / 10, missed


def test_no_error_comes_from_a_branch_that_the_table_does_not_know(tally):
    known = set(every_branch())

    assert [str(branch) for branch in tally.branches if branch not in known and (branch.file, branch.function) not in NOT_REACHED] == []


def test_each_branch_that_is_left_out_exists():
    assert all(any(branch.function == function for branch in branches_in(file)) for file, function in NOT_REACHED)


def test_the_same_seed_plays_the_same_cases():
    one, again, other = run(100, SEED), run(100, SEED), run(100, SEED + 1)

    assert (one.changes, one.outcomes, one.branches) == (again.changes, again.outcomes, again.branches)
    assert one.changes != other.changes


@pytest.mark.parametrize("kind", KINDS)
def test_an_answer_that_nobody_changed_is_believed(kind):
    rng = Random(SEED)
    world = World(rng)

    for _ in range(5):
        assert world.play(Case(kind, rng, world.keys), anew=True) is None


def test_each_change_alone_comes_out_as_its_rule_says():
    """One by one and signed again, so that no wrong signature hides what a change is about."""
    rng = Random(SEED)
    world = World(rng)
    seen: Counter[str] = Counter()
    wrong = []
    for change in every_change():
        kind = rng.choice(change.kinds)
        case = Case(kind, rng, world.keys)
        for jwt in case.jwts():
            jwt.resigned = True
        change.bend(case)
        outcome = "refused" if world.play(case, anew=True) else "valid"
        seen[outcome] += 1
        if change.verdict not in (outcome, "either"):
            wrong.append(f"{change.name} ({kind}): {outcome}, not {change.verdict}")

    assert wrong == []
    assert min(seen["refused"], seen["valid"]) > 100


def test_a_verdict_that_is_wrong_would_be_seen():
    """The comparison itself can fail: a change that is declared harmless and is not."""
    rng = Random(SEED)
    world = World(rng)
    nonce = next(change for change in every_change() if change.name == "claims.nonce of another login")
    case = Case("plain", rng, world.keys)
    case.jwt.resigned = True
    nonce.bend(case)

    assert verdict(case, [replace(nonce, verdict="valid")]) == "valid"
    assert world.play(case, anew=False) is not None


def test_an_unsigned_change_is_refused_whatever_it_is():
    rng = Random(SEED)
    world = World(rng)
    case = Case("plain", rng, world.keys)
    case.jwt.claims.members["x"] = 1

    assert case.jwt.is_unsigned
    assert verdict(case, []) == "refused"
    error = world.play(case, anew=False)
    assert getattr(error, "parameter", "") == "signature"


def test_places_keep_changes_apart():
    changes = {change.name: change for change in every_change()}

    assert changes["claims is cut"].meets(changes["claims.iss gone"])
    assert changes["claims.iat gone"].meets(changes["claims.iat 0"])
    assert not changes["claims.iss gone"].meets(changes["claims.aud gone"])
    assert not changes["claims.iss gone"].meets(changes["query.iss gone"])


def test_every_kind_has_changes_of_each_verdict_and_a_weight():
    drawer = Drawer(Random(SEED))

    assert set(WEIGHTS) == set(KINDS)
    for kind in KINDS:
        verdicts = {change.verdict for place in drawer._of[kind] for change in place}
        assert {"refused", "valid"} <= verdicts
