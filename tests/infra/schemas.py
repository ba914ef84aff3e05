"""The providers' schemas, for Terraform without a registry: those of ../shared/terraform-offline, and what the
configuration uses beyond them, recovered from the generated bindings on PyPI.

  schemas.py OFFLINE_DIR INTO        writes INTO/<provider>[-version].json and prints nothing
"""
import hashlib
import json
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
# The bindings, and the file of the offline kit that holds part of the same schema.
BINDINGS = {
    "aws": ("cdktn-provider-aws==25.8.1", "aws-6.69.1"),
    "azurerm-4.81.0": ("cdktn-provider-azurerm==17.0.0", "azurerm-4.81.0"),
    "azurerm-5.10.0": ("cdktn-provider-azurerm==18.9.0", "azurerm-5.10.0"),
    "archive": ("cdktn-provider-archive==14.0.1", None),
    "local": ("cdktn-provider-local==14.0.1", None),
}
TEXT = {"computed": True, "type": "string"}
# The bindings of `external` name its one data source in a way that the kit does not read; it is five lines.
EXTERNAL = {
    "provider": "registry.terraform.io/hashicorp/external", "version": "2.3.0", "resource": {}, "ephemeral": {},
    "config": {"attributes": {}, "block_types": {}},
    "data": {"external": {"block_types": {}, "attributes": {
        "id": TEXT, "working_dir": {"optional": True, "type": "string"}, "program": {"required": True, "type": ["list", "string"]},
        "query": {"optional": True, "type": ["map", "string"]}, "result": {"computed": True, "type": ["map", "string"]}}}},
}


def used():
    """The types that infra/terraform names: {(kind, type)}."""
    found = set()
    for path in sorted((ROOT / "infra/terraform").rglob("*.tf")):
        found |= set(re.findall(r'^(resource|data) "(\w+)"', path.read_text(), re.M))
    return found


def main(offline, into):
    sys.path.insert(0, str(offline))
    import tfschema

    into.mkdir(parents=True, exist_ok=True)
    types = used()
    made_from = hashlib.sha256(json.dumps([sorted(types), Path(__file__).read_text()]).encode()).hexdigest()
    stamp = into / "made-from"
    if stamp.exists() and stamp.read_text() == made_from:
        return
    (into / "external.json").write_text(json.dumps(EXTERNAL))
    for name, (package, shared) in BINDINGS.items():
        provider = name.split("-")[0]
        schema = json.loads((offline / "schemas" / f"{shared}.json").read_text()) if shared else None
        wanted = [] if schema else ["provider"]
        for kind, type_name in sorted(types):
            if type_name.startswith(provider + "_") and not (schema and type_name in schema[kind]):
                wanted.append(type_name if kind == "resource" else f"data.{type_name}")
        if wanted:
            wheels = into / "wheels" / name
            if not list(wheels.glob("*.whl")):
                subprocess.run([sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps",
                                "--dest", wheels, package], check=True)
            recovered = tfschema.extract(str(next(wheels.glob("*.whl"))), wanted)
            if schema:
                for kind in ("resource", "data"):
                    schema[kind] |= recovered[kind]
            else:
                schema = recovered
        (into / f"{name}.json").write_text(json.dumps(schema))
    stamp.write_text(made_from)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
