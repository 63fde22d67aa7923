"""`import`: what `import st_auth` adds to `import streamlit`."""

from statistics import median

from bench.ground import Ground, in_fresh_process
from bench.result import Note, Row, against_peer

_PROCESSES = 5


def import_(_: Ground) -> list[Row | Note]:
    """CPU of the import in fresh processes, and beside it the first touch of `require_login`, which loads the script edge."""
    figures = [in_fresh_process("bench.import_clock") for _ in range(_PROCESSES)]
    streamlit, st_auth, touch = (1000 * median(kind) for kind in zip(*figures, strict=True))
    return [
        against_peer("import", st_auth, streamlit, "ms CPU", "≤ 0.06"),
        Note(f"import: the first touch of st_auth.require_login, after both imports, takes {touch:.0f} ms more"),
    ]


ROWS = {"import": import_}
