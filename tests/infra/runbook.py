"""Every alarm that is planned has its section in infra/RUNBOOK.md, with three commands, and every section its alarm.

  runbook.py      (under tfstub.py, which brings the providers; see .ci/steps/terraform)
"""
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import planned

SECTION = re.compile(r"^### (.+?)\n(.*?)(?=^##|\Z)", re.DOTALL | re.MULTILINE)
BLOCK = re.compile(r"^```\n(.*?)^```", re.DOTALL | re.MULTILINE)
AZURE = {
    "installation": "acme", "issuer_url": "https://00000000-0000-0000-0000-000000000000.tokens.sts.global.api.aws",
    "role_arns": {name: f"arn:aws:iam::123456789012:role/ajar/ajar-acme-{name}" for name in ("grant", "revoke", "discover")},
    "scopes": ["/subscriptions/00000000-0000-0000-0000-000000000000"], "location": "westeurope", "resource_group_name": "ajar",
    "log_analytics_workspace_id": "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/logs/providers/Microsoft.OperationalInsights/workspaces/logs",
}


def azure_plan(folder):
    """The plan of modules/azure, with all of its alerts."""
    module = folder / "azure"
    shutil.copytree(planned.ROOT / "infra/terraform/modules/azure", module, ignore=shutil.ignore_patterns(".terraform*", "tests"))
    (module / "terraform.tfvars.json").write_text(json.dumps(AZURE))
    (module / "provider.tf").write_text('provider "azurerm" {\n  features {}\n}\n')
    return planned.plan_of(module, folder / "azure-data")


def alarms(plan, kinds):
    """Names of the planned resources of these types, without `ajar-<installation>-`."""
    resources = [change for change in plan["resource_changes"] if change["mode"] == "managed" and change["type"] in kinds]
    names = [change["change"]["after"].get("alarm_name") or change["change"]["after"]["name"] for change in resources]
    return {name.removeprefix("ajar-acme-") for name in names}


def problems(page, wanted):
    """What the page lacks, or has too much."""
    found, seen = [], []
    for title, text in SECTION.findall(page):
        seen += title.split(", ")
        blocks = BLOCK.findall(text)
        # Where an alarm is one of several functions', the first of the three says which.
        if not blocks or len(blocks[0].splitlines()) != 3:
            found.append(f"{title} has not three commands")
    found += [f"no section for the alarm {name}" for name in sorted(wanted - set(seen))]
    found += [f"no alarm for the section {name}" for name in sorted(set(seen) - wanted)]
    if len(seen) != len(set(seen)):
        found.append("an alarm has two sections")
    functions = set(re.findall(r"/aws/lambda/ajar-\$I-(\w+)", page)) - set(planned.FUNCTIONS)
    return found + [f"there is no function {name}" for name in sorted(functions)]


def main():
    with tempfile.TemporaryDirectory() as folder:
        aws = alarms(planned.make_plan(Path(folder)), {"aws_cloudwatch_metric_alarm"})
        azure = alarms(azure_plan(Path(folder)), {"azurerm_monitor_activity_log_alert", "azurerm_monitor_scheduled_query_rules_alert_v2"})
    assert len(aws) > 10 and len(azure) == 8, (aws, azure)
    page = (planned.ROOT / "infra/RUNBOOK.md").read_text()
    wrong = problems(page, aws | azure)
    if wrong:
        sys.exit("infra/RUNBOOK.md:\n  " + "\n  ".join(wrong))
    assert problems(page, aws | azure | {"another"}) == ["no section for the alarm another"]
    assert problems(page, (aws | azure) - {"overdue"}) == ["no alarm for the section overdue"]

    print(f"RUNBOOK.md: a section with three commands for each of {len(aws)} alarms of AWS and {len(azure)} of Azure")


if __name__ == "__main__":
    main()
