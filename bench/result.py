"""One measured row: what it is held against, and how it is printed."""

import json
import operator
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

TIMES = "\N{MULTIPLICATION SIGN}"
_JUDGES = {"≤": operator.le, "<": operator.lt, "≥": operator.ge, "=": operator.eq}


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table. `ratio` is ours / peer; None where the bar is on our own figure."""

    name: str
    ours: float
    peer: float | None
    unit: str
    ratio: float | None
    bar: str
    held: bool


@dataclass(frozen=True, slots=True)
class Note:
    """A figure that is stated beside the rows, without a bar."""

    text: str


def against_peer(name: str, ours: float, peer: float, unit: str, bar: str, *, holds: bool = True) -> Row:
    """A row whose bar, such as `≤ 0.3`, is on ours / peer. `holds` is False where something else that the row must show was not so."""
    ratio = ours / peer
    return Row(name, _short(ours), _short(peer), unit, _short(ratio), f"{bar} {TIMES}", holds and _within(ratio, bar))


def absolute(name: str, ours: float, unit: str, bar: str, *, peer: float | None = None) -> Row:
    """A row whose bar, such as `≤ 25 µs`, is on our own figure; the peer's stands beside it to compare."""
    return Row(name, _short(ours), None if peer is None else _short(peer), unit, None, bar, _within(ours, bar))


def _within(value: float, bar: str) -> bool:
    sign, limit, *_ = bar.split()
    return bool(_JUDGES[sign](value, float(limit)))


def _short(value: float) -> float:
    return float(f"{value:.4g}")


def table(results: Sequence[Row | Note]) -> str:
    """The rows as a table, the notes below them."""
    head = ("name", "ours", "peer", "unit", "ratio", "bar", "held")
    rows = [row for row in results if isinstance(row, Row)]
    cells = [head, *(_cells(row) for row in rows)]
    widths = [max(len(line[i]) for line in cells) for i in range(len(head))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in cells]
    notes = [f"• {note.text}" for note in results if isinstance(note, Note)]
    return "\n".join([*(lines if rows else []), *notes])


def _cells(row: Row) -> tuple[str, ...]:
    figures = ["-" if value is None else f"{value:g}" for value in (row.ours, row.peer, row.ratio)]
    return row.name, figures[0], figures[1], row.unit, figures[2], row.bar, "yes" if row.held else "NO"


def write(results: Sequence[Row | Note], path: Path) -> None:
    """Write the rows, and only them, as DESIGN 5 says."""
    rows = [asdict(row) for row in results if isinstance(row, Row)]
    path.write_text(json.dumps(rows, indent=1, ensure_ascii=False) + "\n", "utf-8")
