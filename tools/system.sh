#!/usr/bin/env bash
# What the tests need from the system: Chromium, Node.js with npm, PostgreSQL. Installed by apt-get where missing, which takes root or sudo.
# Of Chromium its headless shell, where the system has that: the same engine without windows, for two thirds of the time.
set -euo pipefail

missing=()
has_chromium=
for name in chromium-headless-shell chromium chromium-browser google-chrome; do
  if command -v "$name" >/dev/null; then has_chromium=yes; fi
done
[ -n "$has_chromium" ] || missing+=(chromium)
command -v node >/dev/null || missing+=(nodejs)
command -v npm >/dev/null || missing+=(npm)
command -v postgres >/dev/null || ls /usr/lib/postgresql/*/bin/postgres >/dev/null 2>&1 || missing+=(postgresql)
[ ${#missing[@]} -eq 0 ] && exit 0

echo "• missing on this machine: ${missing[*]}"
if ! command -v apt-get >/dev/null; then
  echo "Please install ${missing[*]} with this system's package manager, then run make test again." >&2
  exit 1
fi
if [ "$(id -u)" -eq 0 ]; then
  as_root=()
elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
  as_root=(sudo -n)
else
  echo "Installing them takes root: run  apt-get install ${missing[*]}  as root, then make test again." >&2
  exit 1
fi
"${as_root[@]}" apt-get update -qq
if apt-cache show chromium-headless-shell >/dev/null 2>&1; then missing=("${missing[@]/#%chromium/chromium-headless-shell}"); fi
DEBIAN_FRONTEND=noninteractive "${as_root[@]}" apt-get install -y -qq --no-install-recommends "${missing[@]}"
