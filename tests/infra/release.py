"""Judges a release: the archives, what is in them, what they are linked from, and that it can be made again.

  release.py FOLDER ARCHITECTURE       (with the Python of infra/release.sh; FOLDER was made for this machine)
"""
import hashlib
import json
import os
import re
import stat
import subprocess
import sys
import tempfile
import time
import tomllib
import zipfile
from pathlib import Path

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

ROOT = Path(__file__).resolve().parent.parent.parent
FUNCTIONS = ["request", "grant", "revoke", "notify", "discover"]
TRIPLES = {"arm64": "aarch64-unknown-linux-gnu", "x86_64": "x86_64-unknown-linux-gnu"}
# Half as much again as today: a function that doubles has got something that it should not have.
LARGEST_ARCHIVE = 4_500_000
# That of Amazon Linux 2023.
GLIBC = (2, 34)


def run(*command, **options):
    return subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT, **options).stdout


def commit():
    return run("git", "rev-parse", "--short=12", "HEAD").strip()


def bootstrap(archive):
    """The one file of an archive, which must be a program that Lambda can start."""
    with zipfile.ZipFile(archive) as opened:
        entries = opened.infolist()
        assert [one.filename for one in entries] == ["bootstrap"], f"{archive.name} holds {[one.filename for one in entries]}"
        mode = entries[0].external_attr >> 16
        assert stat.S_ISREG(mode) and stat.S_IMODE(mode) == 0o755 and entries[0].create_system == 3, f"{archive.name}: mode {mode:o}"
        return opened.read("bootstrap")


def judge_binary(name, binary, folder):
    """The glibc that it asks for, no path of this machine, and one line that says its commit and what is missing."""
    path = folder / name
    path.write_bytes(binary)
    path.chmod(0o755)
    asked = {tuple(map(int, version.split("."))) for version in re.findall(r"GLIBC_([0-9.]+)", run("readelf", "--wide", "--version-info", path))}
    assert asked and max(asked)[:2] <= GLIBC, f"{name} asks for glibc {max(asked)}"
    libraries = re.findall(r"\(NEEDED\).*\[(.+)\]", run("readelf", "--dynamic", path))
    assert all(re.match(r"(libc|libm|libgcc_s|libpthread|libdl|librt|ld-linux.*)\.so", one) for one in libraries), f"{name} needs {libraries}"
    cargo = os.environ.get("CARGO_HOME", str(Path.home() / ".cargo"))
    for place in (cargo, str(ROOT), str(Path.home())):
        assert place == "/" or place.encode() not in binary, f"{name} names {place}"
    started = subprocess.run([path], env={}, capture_output=True, text=True, timeout=30)
    lines = [json.loads(line) for line in started.stdout.splitlines()]
    why = [line["why"] for line in lines if line.get("message") == "cannot start"]
    assert [line.get("commit") for line in lines] == [commit()] * len(lines), f"{name} says another commit: {lines}"
    assert started.returncode == 1 and len(why) == 1 and re.fullmatch(r"[A-Z_]+ is not set", why[0]), f"{name} says {lines} {started.stderr}"
    return max(asked)[:2], why[0]


def judge_components(folder, triple):
    """The list of components: its form, and whether it is what cargo and the binaries say."""
    text = (folder / "sbom.cdx.json").read_text()
    validator = JsonStrictValidator(SchemaVersion.V1_6)
    problem = validator.validate_str(text)
    assert problem is None, f"sbom.cdx.json: {problem}"
    assert validator.validate_str(text.replace('"components"', '"component"', 1)) is not None, "the validator does not mind a broken list"

    bom = json.loads(text)
    listed = {(one["name"], one["version"]) for one in bom["components"]} - {("rust-std", run("rustc", "--version").split()[1])}
    packages = [word for name in FUNCTIONS for word in ("--package", name)]
    tree = run("cargo", "tree", "--locked", "--edges", "normal,no-proc-macro", "--target", triple, "--prefix", "none", "--format", "{p}", *packages)
    wanted = {(name, version) for name, version in re.findall(r"^(\S+) v(\S+)", tree, re.MULTILINE)}
    assert listed == wanted, f"not in the list: {sorted(wanted - listed)}; not linked: {sorted(listed - wanted)}"

    denied = {entry["crate"] for entry in tomllib.loads((ROOT / "deny.toml").read_text())["bans"]["deny"]}
    found = {name for name, _ in listed} & {name for name in denied if ":" not in name}
    assert not found, f"the functions are linked from {sorted(found)}, which deny.toml forbids"
    for one in bom["components"]:
        ours = one["name"] in [*FUNCTIONS, "access", "edge"]
        assert one["licenses"] and (ours or one["name"] == "rust-std" or (one["hashes"] and one["purl"])), f"{one['name']} is not described"
    assert {edge["ref"] for edge in bom["dependencies"]} >= {one["bom-ref"] for one in bom["components"]}
    return listed


def judge_tool(folder):
    """The tool says what it was built from, and knows every command that the pages name."""
    ajar = folder / "ajar"
    version = run(ajar, "--version").strip()
    assert re.fullmatch(rf"ajar \d+\.\d+\.\d+ \({commit()}\)", version), version
    pages = "".join((ROOT / page).read_text() for page in ("README.md", "infra/README.md", "infra/RUNBOOK.md"))
    named = {(name, tuple(re.findall(r"--[a-z-]+", rest))) for name, rest in re.findall(r"dist/ajar ((?:policy )?[a-z]+)([^`\n]*)", pages)}
    for name, options in sorted(named):
        told = run(ajar, *name.split(), "--help")
        missing = [option for option in options if option not in told]
        assert not missing, f"the pages say ajar {name} {' '.join(missing)}, which it does not know"
    print(f"  {version}; the pages name {len({name for name, _ in named})} of its commands")


def judge_again(folder):
    """The same once more gives the same bytes, with nothing built anew."""
    with tempfile.TemporaryDirectory(dir=folder.parent) as second:
        run("infra/release.sh", second)
        for path in sorted(folder.iterdir()):
            # Beside the repository's folder lies another folder, so this names another place.
            if path.name not in ("release.tfvars.json", "SHA256SUMS"):
                assert path.read_bytes() == Path(second, path.name).read_bytes(), f"{path.name} is not the same twice"


def timed(what, judge, *arguments):
    began = time.monotonic()
    answer = judge(*arguments)
    print(f"{what}: {time.monotonic() - began:.1f} s")
    return answer


def main(folder, architecture):
    folder = Path(folder).resolve()
    names = {path.name for path in folder.iterdir()}
    wanted = {*(f"{name}.zip" for name in FUNCTIONS), "sbom.cdx.json", "release.tfvars.json", "SHA256SUMS"}
    if (ROOT / "operator").is_dir():
        wanted.add("ajar")
    assert names == wanted, f"{sorted(names ^ wanted)}"

    subprocess.run(["sha256sum", "--check", "--strict", "--quiet", "SHA256SUMS"], cwd=folder, check=True)
    summed = {line.split("  ")[1] for line in (folder / "SHA256SUMS").read_text().splitlines()}
    assert summed == names - {"SHA256SUMS"}, f"not summed: {sorted(names - summed)}"

    variables = json.loads((folder / "release.tfvars.json").read_text())
    assert (ROOT / "infra/terraform" / variables["artifacts"]).resolve() == folder and variables["architecture"] == architecture, variables
    for name in FUNCTIONS:
        assert variables["artifacts_sha256"][name] == hashlib.sha256((folder / f"{name}.zip").read_bytes()).hexdigest()

    components = timed("components", judge_components, folder, TRIPLES[architecture])
    for name in FUNCTIONS:
        archive = folder / f"{name}.zip"
        size = archive.stat().st_size
        assert size <= LARGEST_ARCHIVE, f"{archive.name} has {size} bytes, more than {LARGEST_ARCHIVE}"
        binary = bootstrap(archive)
        with tempfile.TemporaryDirectory() as place:
            glibc, why = judge_binary(name, binary, Path(place))
        # Panics name files: each of them must be of a crate that is in the list.
        seen = {(name.decode(), version.decode()) for name, version in re.findall(rb"/crates/([a-z0-9_-]+?)-(\d+\.\d+\.\d+[0-9A-Za-z.+-]*)/", binary)}
        assert len(seen) > 20 and seen <= components, f"{name} names {sorted(seen - components)}, which are not in the list"
        print(f"  {name:8} {size / 1e6:.2f} MB, glibc {'.'.join(map(str, glibc))}, names {len(seen)} of {len(components)} components, started without configuration: {why}")
    if "ajar" in names:
        judge_tool(folder)
    timed("made again, the same bytes", judge_again, folder)


if __name__ == "__main__":
    main(*sys.argv[1:])
