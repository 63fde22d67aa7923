#!/usr/bin/env bash
# Write the lock files from pyproject.toml: versions and hashes, and no address of any index.
#   requirements.lock       everything, every extra: the one place where a version is decided
#   requirements-test.lock  what `make test` needs;  requirements-demo.lock  what `make demo` needs: the same versions, less of them
#   tests/servers/*/requirements.lock  fakesnow, SecantusDB and TPC-H, which have environments of their own
set -euo pipefail
cd "$(dirname "$0")/.."

if ! uv=$(command -v uv || ls .venv/bin/uv 2>/dev/null); then
  echo "make lock needs uv (only this target does): .venv/bin/pip install uv" >&2
  exit 1
fi
compile() {
  UV_CUSTOM_COMPILE_COMMAND="make lock" "$uv" pip compile pyproject.toml --quiet --universal --generate-hashes \
    --no-emit-index-url --no-header --no-annotate --python-version 3.11 "$@"
}
compile --upgrade --all-extras --group build -o requirements.lock
compile --extra demo --extra test --extra files --extra snowflake --extra sql --extra postgres --extra mongo --group build -c requirements.lock -o requirements-test.lock
compile --extra demo --group build -c requirements.lock -o requirements-demo.lock
for server in snowflake mongodb tpch; do
  inputs=tests/servers/$server/requirements.in
  UV_CUSTOM_COMPILE_COMMAND="make lock" "$uv" pip compile "$inputs" --quiet --universal --generate-hashes --no-emit-index-url --no-header \
    --no-annotate --python-version 3.11 --upgrade -o "${inputs%.in}.lock"
done

if grep -nE '://|file:|index-url|find-links' requirements*.lock tests/servers/*/requirements.lock; then
  echo "a lock file names an address (the lines above): it must not" >&2
  exit 1
fi
wc -l requirements*.lock
