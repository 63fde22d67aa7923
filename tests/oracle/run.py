"""Many generated statements: what each person gets under the rules, beside what they get over their copies."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from st_auth.errors import PermissionDenied
from tests.oracle.engines import Engine
from tests.oracle.generator import Generator, Statement, schedule
from tests.oracle.people import Answer, Reader, is_empty
from tests.oracle.tables import PEOPLE

# Refused though the copies answer: by construct, why.
MAY_BE_REFUSED: Mapping[str, str] = {
    "pivot_dynamic": "DuckDB looks the values up in a statement of its own, which takes no parameters; the refusal says how to name them",
    "values_first": "sqlglot does not read FROM (VALUES …) JOIN … SELECT …; what cannot be read is refused",
}


@dataclass
class Tally:
    """What came out of a run. `wrong` are the statements whose answers differ, with what was made of them."""

    statements: int = 0
    answered: int = 0
    filled: int = 0
    neither: int = 0
    used: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)


Ask = Callable[[Statement, Reader], tuple[str, Answer]]


def compare(dialect: str, ask: Ask, twins: Mapping[str, Engine], statements: int, seed: int, *, enough: int = 20) -> Tally:
    """Compare as many statements, each construct in its turn; stop when enough of them are wrong."""
    tally, generator, names = Tally(), Generator(seed, dialect), schedule(dialect)
    while tally.statements < statements and len(tally.wrong) < enough:
        statement = generator.statement(names[tally.statements % len(names)])
        reader = PEOPLE[tally.statements // len(names) % len(PEOPLE)]
        tally.statements += 1
        ours = _answer_of(ask, statement, reader)
        theirs = _answer_of(_of_the_copies, statement, twins[reader.name])
        _judge(tally, statement, ours, theirs[1])
    return tally


def _of_the_copies(statement: Statement, engine: Engine) -> tuple[str, Answer]:
    return "", engine.run(statement.sql, statement.params)


def _answer_of(asked: Callable[..., tuple[str, Answer]], statement: Statement, of: Any) -> tuple[str, Answer | Exception]:
    try:
        return asked(statement, of)
    except Exception as error:  # noqa: BLE001 - whatever a database says: the other one has to say no as well
        return "", error


def _judge(tally: Tally, statement: Statement, ours: tuple[str, Answer | Exception], theirs: Answer | Exception) -> None:
    rewritten, mine = ours
    if isinstance(theirs, Exception):
        if isinstance(mine, Exception):
            tally.neither += 1
        else:
            tally.wrong.append(f"{statement}\nruns under the rules, and over the copies: {theirs}")
    elif isinstance(mine, PermissionDenied) and statement.used & MAY_BE_REFUSED.keys():
        tally.refused.update(statement.used & MAY_BE_REFUSED.keys())
        tally.used.update(statement.used)
    elif mine != theirs:
        what = (
            f"{type(mine).__name__}: {mine}" if isinstance(mine, Exception) else f"{rewritten}\nmore {mine - theirs}\nless {theirs - mine}"
        )
        tally.wrong.append(f"{statement}\n{what}")
    else:
        tally.answered += 1
        tally.filled += not is_empty(theirs)
        tally.used.update(statement.used)
