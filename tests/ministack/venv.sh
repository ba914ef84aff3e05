#!/usr/bin/env bash
# Makes target/venv from requirements.txt, once per state of that file, and prints its python.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
venv=${CARGO_TARGET_DIR:-$here/../../target}/venv
wanted=$(sha256sum <"$here/requirements.txt" | cut -c1-16)
if [ "$(cat "$venv/made-from" 2>/dev/null)" != "$wanted" ]; then
    rm -rf "$venv"
    mkdir -p "$(dirname "$venv")"
    python3 -m venv "$venv" >&2
    "$venv/bin/pip" install --quiet --disable-pip-version-check --requirement "$here/requirements.txt" >&2
    # Only its generated protocol is used; its own dependencies would bring an older protobuf.
    "$venv/bin/pip" install --quiet --disable-pip-version-check --no-deps tf==1.2.0 >&2
    echo "$wanted" >"$venv/made-from"
fi
echo "$venv/bin/python"
