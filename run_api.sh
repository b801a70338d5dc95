#!/usr/bin/env bash
# The HTTP service and its page on port 5001 (PORT=6000 ./run_api.sh for another); Ctrl-C ends it.
# Without Docker it needs Python 3.11 to 3.13 and makes its environment first, once; ./run_api.sh --docker uses Docker.
set -euo pipefail
cd "$(dirname "$0")"
if [ "${1:-}" = --docker ]; then
  docker compose version >/dev/null 2>&1 || {
    echo './run_api.sh --docker needs docker with its plugin compose; without --docker it needs Python alone.' >&2
    exit 1
  }
  exec docker compose up --build service
fi
make --no-print-directory --silent setup
exec .venv/bin/python -m riskscore serve "$@"
