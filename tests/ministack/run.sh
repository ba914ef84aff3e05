#!/usr/bin/env bash
# Tells one story on the deployed shape: see run.py. Arguments are run.py's.
set -euo pipefail
cd "$(dirname "$0")/../.."

offline=${AJAR_TERRAFORM_OFFLINE:-../shared/terraform-offline}
if [ ! -f "$offline/tfstub.py" ]; then
    echo "tests/ministack: $offline is missing, so Terraform cannot be run without a registry" >&2
    [ -n "${CI:-}" ] && exit 1
    echo "tests/ministack: SKIPPED"
    exit 0
fi
command -v terraform >/dev/null || { echo "tests/ministack: no terraform on the PATH" >&2; exit 1; }

export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$PWD/target}
python=$(tests/ministack/venv.sh)
exec "$python" tests/ministack/run.py --offline "$(realpath "$offline")" "$@"
