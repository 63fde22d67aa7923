#!/usr/bin/env bash
# The proof of "on a fresh machine": a new system user with an empty home clones this repository and, with nothing in the environment
# but PATH, runs `make demo` until it answers (then stops it) and `make test`. Needs root, to make the user and to take it away again.
set -euo pipefail
cd "$(dirname "$0")/.."
repository=$PWD
port=8501
path=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin

if [ "$(id -u)" -ne 0 ]; then
  echo "make fresh makes a system user: run it as root." >&2
  exit 1
fi
if [ -n "$(git status --porcelain)" ]; then
  echo "! what is not committed is not in the clone:"
  git status --short | head -20
fi
tools/system.sh

user=st-auth-fresh-$$
home=$(mktemp -d)
demo=
finish() {
  set +e
  [ -n "$demo" ] && kill -TERM -- "-$demo" 2>/dev/null && sleep 2
  [ -n "$demo" ] && kill -KILL -- "-$demo" 2>/dev/null
  userdel "$user" 2>/dev/null || true
  rm -rf "$home"
}
trap finish EXIT

useradd --system --no-create-home --home-dir "$home" --shell /bin/bash "$user"
git clone --quiet --no-local "$repository" "$home/st_auth"
chown -R "$user" "$home"
clone=$home/st_auth
as_user() { runuser -u "$user" -- env -i PATH="$path" "$@"; }
answers() { python3 -c "import urllib.request as u; u.urlopen('http://localhost:$port$1', timeout=2)" 2>/dev/null; }

if answers /_stcore/health; then
  echo "something else answers on port $port: stop it first" >&2
  exit 1
fi
echo "== make demo, as $user with an empty home"
started=$SECONDS
setsid runuser -u "$user" -- env -i PATH="$path" make -C "$clone" demo </dev/null >"$home/demo.log" 2>&1 &
demo=$!
until answers /_stcore/health; do
  if ! kill -0 "$demo" 2>/dev/null || [ $((SECONDS - started)) -gt 300 ]; then
    cat "$home/demo.log"
    echo "make demo did not come up" >&2
    exit 1
  fi
  sleep 1
done
echo "== the demo answered after $((SECONDS - started)) s"
python3 - "http://localhost:$port" <<'EOF'
import sys
import urllib.request

page = urllib.request.urlopen(f"{sys.argv[1]}/auth/login", timeout=5).read().decode()
people = [name for name in ("Ana", "Ada", "Noa") if name in page]
print("== its login page offers", ", ".join(people))
sys.exit(len(people) != 3)
EOF
tail -n 20 "$home/demo.log"
kill -TERM -- "-$demo"
wait "$demo" 2>/dev/null || true
demo=

echo "== make test, as $user with an empty home"
started=$SECONDS
as_user make -C "$clone" test
echo "== make test passed after $((SECONDS - started)) s"
