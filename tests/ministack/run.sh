#!/usr/bin/env bash
# The README's commands and the story on what they deploy: see run.py. Arguments are run.py's.
set -euo pipefail
cd "$(dirname "$0")/../.."

offline=${AJAR_TERRAFORM_OFFLINE:-../shared/terraform-offline}
if [ ! -f "$offline/tfstub.py" ]; then
    echo "SKIPPED: $offline is missing, so Terraform cannot apply anything to an emulator"
    exit 77
fi
command -v terraform >/dev/null || { echo "tests/ministack: no terraform on the PATH" >&2; exit 1; }

export CARGO_TARGET_DIR=$(realpath -m "${CARGO_TARGET_DIR:-target}")
offline=$(realpath "$offline")
schemas=$CARGO_TARGET_DIR/terraform/schemas
python=$(tests/ministack/venv.sh)
"$python" tests/infra/schemas.py "$offline" "$schemas"
exec "$python" tests/ministack/run.py --offline "$offline" --schemas "$schemas" "$@"
