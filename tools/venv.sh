#!/usr/bin/env bash
# Make the environment in .venv and bring one lock file into it:  tools/venv.sh PYTHON VENV requirements-demo.lock
set -euo pipefail
cd "$(dirname "$0")/.."
python=$1 venv=$2 lock=$3

if ! command -v "$python" >/dev/null; then
  echo "There is no $python here. st_auth needs Python 3.11 or newer: make PYTHON=/path/to/python3.11 …" >&2
  exit 1
fi
if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
  echo "$("$python" --version) is too old: st_auth needs Python 3.11 or newer. make PYTHON=/path/to/python3.11 …" >&2
  exit 1
fi
if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
  echo "This Python cannot make environments. On Debian or Ubuntu: apt-get install python3-venv (as root), then again." >&2
  exit 1
fi

if [ ! -x "$venv/bin/python" ]; then
  echo "• making an environment in $venv with $("$python" --version)"
  "$python" -m venv "$venv"
fi
pip() { "$venv/bin/python" -m pip --disable-pip-version-check --quiet "$@"; }
echo "• installing what $lock pins (versions and hashes)"
pip install --no-compile --require-hashes --requirement "$lock"
echo "• installing st_auth itself from this folder"
pip install --no-deps --no-build-isolation --editable .
