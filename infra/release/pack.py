"""The files of a release around its binaries. Standard library only.

  pack.py zip BINARY ARCHIVE                               an archive as Lambda takes it
  pack.py describe FOLDER ARCHITECTURE TERRAFORM FILE...   release.tfvars.json and SHA256SUMS of FILEs
"""
import hashlib
import json
import os
import sys
import zipfile
from pathlib import Path


def pack(binary, archive):
    """One file called `bootstrap` that everybody may run. Nothing in it depends on when or by whom it was made."""
    entry = zipfile.ZipInfo("bootstrap", date_time=(1980, 1, 1, 0, 0, 0))
    entry.create_system = 3  # Unix, on whatever machine: Lambda reads the mode.
    entry.external_attr = 0o100755 << 16
    entry.compress_type = zipfile.ZIP_DEFLATED
    contents = Path(binary).read_bytes()
    with zipfile.ZipFile(archive, "w") as out:
        out.writestr(entry, contents, compresslevel=9)
    name = Path(archive).name
    print(f"  {name:13} {Path(archive).stat().st_size / 1e6:5.2f} MB, unzipped {len(contents) / 1e6:5.2f} MB")


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def describe(folder, architecture, terraform, names):
    """What Terraform and whoever fetched the folder want to know of it."""
    folder = Path(folder)
    archives = sorted(name for name in names if name.endswith(".zip"))
    variables = {
        # As seen from the root module, so that it holds wherever the checkout is.
        "artifacts": Path(os.path.relpath(folder, Path(terraform).resolve())).as_posix(),
        "artifacts_sha256": {name.removesuffix(".zip"): sha256(folder / name) for name in archives},
        "architecture": architecture,
    }
    (folder / "release.tfvars.json").write_text(json.dumps(variables, indent=2) + "\n")
    sums = "".join(f"{sha256(folder / name)}  {name}\n" for name in sorted(names))
    (folder / "SHA256SUMS").write_text(sums)
    print(sums, end="")


if __name__ == "__main__":
    command, *arguments = sys.argv[1:]
    if command == "zip":
        pack(*arguments)
    else:
        folder, architecture, terraform, *names = arguments
        describe(folder, architecture, terraform, names)
