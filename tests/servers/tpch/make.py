"""`python make.py FOLDER SCALE`: write TPC-H's tables as Parquet and its 22 statements as JSON.

Runs in an environment of its own, .venv-tpch: one version of DuckDB loads the extension.
"""

import json
import sys
from pathlib import Path

import duckdb
import duckdb_ext

folder, scale = Path(sys.argv[1]), float(sys.argv[2])
places = [place for root in duckdb_ext.__path__ for place in Path(root).glob(f"extensions/v{duckdb.__version__}/*/tpch.duckdb_extension")]
connection = duckdb.connect(config={"allow_unsigned_extensions": "true", "threads": 1})
connection.load_extension(str(places[0]))
connection.execute(f"call dbgen(sf = {scale})")
for (table,) in connection.execute("select table_name from duckdb_tables() order by 1").fetchall():
    connection.execute(f"copy {table} to '{folder / table}.parquet'")
statements = connection.execute("select query_nr, query from tpch_queries() order by 1").fetchall()
(folder / "statements.json").write_text(json.dumps(dict(statements)), "utf-8")
