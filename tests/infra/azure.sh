#!/usr/bin/env bash
# Judges infra/terraform/modules/azure: its roles against the simulated Azure's, its form, and its tests, with the
# oldest and the newest version of the provider that it is meant for. With ../shared beside the repository no registry is needed; without
# it plain terraform is run, with the newest provider that the registry has.
set -euo pipefail
cd "$(dirname "$0")/../.."
module=infra/terraform/modules/azure
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$PWD/target} CHECKPOINT_DISABLE=1
offline=${AJAR_TERRAFORM_OFFLINE:-../shared/terraform-offline}
command -v terraform >/dev/null || { echo "tests/infra: no terraform on the PATH" >&2; exit 1; }

tests/infra/roles.py
terraform fmt -check -diff -recursive "$module"

# A copy: whatever terraform writes beside the module is not part of it.
copy=$CARGO_TARGET_DIR/terraform-azure
rm -rf "$copy"
mkdir -p "$CARGO_TARGET_DIR"
cp -r "$module" "$copy"
rm -rf "$copy/.terraform" "$copy/.terraform.lock.hcl"

if [ ! -f "$offline/tfstub.py" ]; then
    echo "tests/infra: $offline is missing: plain terraform, with providers from the registry"
    cd "$copy"
    terraform init -backend=false -input=false -no-color
    terraform validate -no-color
    terraform test -no-color
    exit
fi

offline=$(realpath "$offline")
python=$(tests/ministack/venv.sh)
types=azurerm_federated_identity_credential,azurerm_role_assignment,azurerm_role_definition,azurerm_user_assigned_identity
types+=,azurerm_resource_group,azurerm_monitor_activity_log_alert,azurerm_monitor_action_group
types+=,azurerm_monitor_scheduled_query_rules_alert_v2,data.azurerm_subscription,provider
schemas=$CARGO_TARGET_DIR/terraform-schemas
mkdir -p "$schemas"
# The bindings that were generated from each version of the provider.
for pair in 4.81.0=17.0.0 5.10.0=18.9.0; do
    schema=$schemas/azurerm-${pair%=*}.json
    wanted="$pair $types"
    if [ "$(cat "$schema.made-from" 2>/dev/null)" != "$wanted" ]; then
        wheels=$(mktemp -d)
        "$python" -m pip download --quiet --disable-pip-version-check --no-deps --dest "$wheels" "cdktn-provider-azurerm==${pair#*=}"
        "$python" "$offline/tfschema.py" "$wheels"/*.whl "$types" >"$schema"
        rm -rf "$wheels"
        echo "$wanted" >"$schema.made-from"
    fi
    echo "tests/infra: azurerm ${pair%=*}"
    (cd "$copy" && "$python" "$offline/tfstub.py" "$schema" -- terraform validate -no-color)
    (cd "$copy" && "$python" "$offline/tfstub.py" "$schema" -- terraform test -no-color)
done
