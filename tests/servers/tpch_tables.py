"""TPC-H's tables and statements, made at test time by DuckDB's extension in an environment of its own; none of them are in here."""

import json
import os
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]
TABLES = ("customer", "lineitem", "nation", "orders", "part", "partsupp", "region", "supplier")
_MAKE = Path(__file__).parent / "tpch" / "make.py"


def tpch_python() -> Path:
    """The Python that the extension is installed for."""
    return Path(os.environ.get("TPCH_VENV", ROOT / ".venv-tpch")) / "bin" / "python"


def make_tables(folder: Path, scale: float) -> dict[int, str]:
    """Write each table as FOLDER/NAME.parquet; return the 22 statements by their numbers. A missing extension is an error."""
    python = tpch_python()
    if not python.exists():
        raise RuntimeError(f"TPC-H's extension is not installed in {python.parents[1]}: `make test` does it (Makefile)")
    subprocess.run([str(python), str(_MAKE), str(folder), str(scale)], check=True, capture_output=True)
    statements = json.loads((folder / "statements.json").read_text("utf-8"))
    return {int(number): sql for number, sql in statements.items()}
