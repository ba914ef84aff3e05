"""The list of what the functions are linked from, CycloneDX 1.6, JSON.

  sbom.py TRIPLE MESSAGES FUNCTION...      (MESSAGES: what `cargo build --message-format json` printed)

The compiler's own messages say what was compiled for the target. What only ran while building (build scripts, macros) was
compiled for this machine and is not in the list. Who depends on whom is cargo's resolution of the whole workspace, so an edge
between two components may be one that only the tests switch on.
"""
import json
import os
import subprocess
import sys
import tomllib
import uuid
from datetime import datetime, timezone
from pathlib import Path

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model import ExternalReference, ExternalReferenceType, HashAlgorithm, HashType, XsUri
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output import make_outputter
from cyclonedx.schema import OutputFormat, SchemaVersion
from packageurl import PackageURL


def run(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def linked(messages, triple):
    """Ids of the packages of which something was compiled for the target."""
    found = set()
    for line in Path(messages).read_text().splitlines():
        message = json.loads(line)
        if message["reason"] == "compiler-artifact" and any(f"/{triple}/" in name for name in message["filenames"]):
            found.add(message["package_id"])
    return found


def described(package, checksum, kind):
    """A component. Ours have neither a checksum nor an address to fetch them from."""
    licence = package["license"].replace("/", " OR ") if package["license"] else None
    url = PackageURL(type="cargo", name=package["name"], version=package["version"])
    component = Component(
        type=kind, name=package["name"], version=package["version"], purl=url if checksum else None, bom_ref=url.to_string(),
        licenses=[LicenseFactory().make_from_string(licence)] if licence else [],
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=checksum)] if checksum else [],
    )
    if checksum and package["repository"]:
        component.external_references.add(ExternalReference(type=ExternalReferenceType.VCS, url=XsUri(package["repository"])))
    return component


def main(triple, messages, *functions):
    rust = run("rustc", "--version").split()[1]
    metadata = json.loads(run("cargo", "metadata", "--locked", "--format-version", "1", "--filter-platform", triple))
    packages = {package["id"]: package for package in metadata["packages"]}
    lock = tomllib.loads(Path(metadata["workspace_root"], "Cargo.lock").read_text())
    checksums = {(one["name"], one["version"]): one.get("checksum") for one in lock["package"]}

    components = {}
    for identity in linked(messages, triple):
        package = packages[identity]
        kind = ComponentType.APPLICATION if package["name"] in functions else ComponentType.LIBRARY
        components[identity] = described(package, checksums[package["name"], package["version"]], kind)
    ours = [one for one in components.values() if one.type == ComponentType.APPLICATION]
    assert {one.name for one in ours} == set(functions), f"the messages tell of {[one.name for one in ours]}"
    # Linked as a whole from the toolchain; cargo does not name it.
    standard = Component(type=ComponentType.LIBRARY, name="rust-std", version=rust, bom_ref=f"rust-std@{rust}",
                         licenses=[LicenseFactory().make_from_string("MIT OR Apache-2.0")])

    commit = os.environ["AJAR_COMMIT"]
    bom = Bom(components=[*components.values(), standard], serial_number=uuid.uuid5(uuid.NAMESPACE_URL, f"ajar:{commit}:{triple}"))
    bom.metadata.timestamp = datetime.fromtimestamp(int(os.environ["SOURCE_DATE_EPOCH"]), timezone.utc)
    bom.metadata.component = Component(type=ComponentType.APPLICATION, name="ajar-functions", version=f"{ours[0].version}+{commit}", bom_ref="ajar-functions")
    bom.register_dependency(bom.metadata.component, ours)
    for node in metadata["resolve"]["nodes"]:
        if node["id"] not in components:
            continue
        for_linking = [one["pkg"] for one in node["deps"] if any(kind["kind"] is None for kind in one["dep_kinds"])]
        bom.register_dependency(components[node["id"]], [standard, *(components[one] for one in for_linking if one in components)])
    print(make_outputter(bom, OutputFormat.JSON, SchemaVersion.V1_6).output_as_string(indent=2))


if __name__ == "__main__":
    main(*sys.argv[1:])
