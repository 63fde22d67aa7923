"""`filter_frame`: the rule file on a frame of 1 000 000 rows, against the mask that one would write by hand."""

import json
import time
from collections.abc import Callable, Sequence
from statistics import median
from typing import Any

from bench.ground import Ground, in_fresh_process
from bench.result import TIMES, Note, Row, against_peer

_COUNT, _TURNS = 1_000_000, 15
_REGIONS = ("eu", "us")


def filter_frame(_: Ground) -> list[Row | Note]:
    """Wall time of `visible`, by turns with the hand-written mask; the bar is on the worst of the three kinds of frames."""
    figures: dict[str, list[float]] = in_fresh_process("bench.rows.filter_frame")
    ours, peer = max(figures.values(), key=lambda pair: pair[0] / pair[1])
    said = ", ".join(f"{kind} {one / other:.2f} {TIMES} ({one:.1f} and {other:.1f} ms)" for kind, (one, other) in figures.items())
    return [against_peer("filter_frame", ours, peer, "ms", "≤ 1.2"), Note(f"filter_frame, each kind: {said}")]


class _Viewer:
    """Somebody with two regions."""

    def __init__(self) -> None:
        from st_auth.access.permissions import Granted

        self.granted = Granted((), frozenset())

    def value(self, _: str) -> Sequence[str]:
        return _REGIONS


def _measured() -> dict[str, list[float]]:
    import numpy as np
    import polars as pl
    import pyarrow as pa
    import pyarrow.compute as pc

    from st_auth.access.frames import visible
    from st_auth.access.rules import TableRule

    random = np.random.default_rng(1)
    table = pa.table(
        {
            "region": pa.array(np.array(["eu", "us", "de", "fr", "uk", "jp"])[random.integers(0, 6, _COUNT)]),
            "amount": random.integers(0, 10_000, _COUNT),
            "margin": random.random(_COUNT),
            "customer": pa.array([f"customer {number}" for number in random.integers(0, 50_000, _COUNT)]),
        }
    )
    pandas, polars, regions = table.to_pandas(), pl.from_arrow(table), list(_REGIONS)
    by_hand: dict[str, tuple[Any, Callable[[], Any]]] = {
        "pandas": (pandas, lambda: pandas[pandas["region"].isin(regions) & (pandas["amount"] >= 100)]),
        "polars": (polars, lambda: polars.filter(pl.col("region").is_in(regions) & (pl.col("amount") >= 100))),
        "pyarrow": (
            table,
            lambda: table.filter(pc.and_(pc.is_in(table["region"], value_set=pa.array(regions)), pc.greater_equal(table["amount"], 100))),
        ),
    }
    rule, viewer = TableRule("sales", rows="region in (:regions) and amount >= 100"), _Viewer()
    found = {}
    for kind, (frame, peer) in by_hand.items():
        if len(visible(frame, rule, viewer, "duckdb")) != len(peer()):
            raise AssertionError(f"the rule and the mask leave different rows of {kind}")
        found[kind] = _by_turns(lambda frame=frame: visible(frame, rule, viewer, "duckdb"), peer)
    return found


def _by_turns(*acts: Callable[[], Any]) -> list[float]:
    """Milliseconds of each act, the median of turns; the first turn loads what is loaded once."""
    kept: list[list[float]] = [[] for _ in acts]
    for turn in range(_TURNS):
        for figures, act in zip(kept, acts, strict=True):
            began = time.perf_counter()
            act()
            if turn:
                figures.append((time.perf_counter() - began) * 1000)
    return [median(figures) for figures in kept]


ROWS = {"filter_frame": filter_frame}

if __name__ == "__main__":
    print(json.dumps(_measured()))
