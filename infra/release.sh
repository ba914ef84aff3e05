#!/usr/bin/env bash
# infra/release.sh FOLDER: makes of this checkout what is deployed.
#
#   {request,grant,revoke,notify,discover}.zip   the functions, for AJAR_ARCH=arm64 (the default) or x86_64
#   ajar                                         the operator's tool, for this machine
#   sbom.cdx.json                                what the functions are linked from (CycloneDX)
#   release.tfvars.json                          where they are, for `terraform apply -var-file=`
#   SHA256SUMS                                   of all of these
#
# The same commit gives the same zips, wherever it is checked out, with the same Rust. Needs Rust, Python 3.11 or newer with
# venv, and a C compiler for what runs while building.
set -euo pipefail
fail() { echo "infra/release.sh: $*" >&2; exit 1; }
[ $# -eq 1 ] || fail "say where to: infra/release.sh dist"

root=$(cd "$(dirname "$0")/.." && pwd -P)
mkdir -p "$1"
into=$(cd "$1" && pwd -P)
cd "$root"

functions=(request grant revoke notify discover)
architecture=${AJAR_ARCH:-arm64}
case $architecture in
    arm64) triple=aarch64-unknown-linux-gnu ;;
    x86_64) triple=x86_64-unknown-linux-gnu ;;
    *) fail "AJAR_ARCH is arm64 or x86_64, not $architecture" ;;
esac
# What Amazon Linux 2023 has. A newer one on the machine that builds does no harm.
glibc=2.34
profile=lambda
target=${CARGO_TARGET_DIR:-$root/target}
mkdir -p "$target"
target=$(cd "$target" && pwd -P)
export CARGO_TARGET_DIR=$target

# Read by the binaries (`option_env!`) and by what follows. Without git, set both by hand.
AJAR_COMMIT=${AJAR_COMMIT:-$(git rev-parse --short=12 HEAD)} || fail "this is no git checkout; set AJAR_COMMIT"
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)} || fail "this is no git checkout; set SOURCE_DATE_EPOCH"
export AJAR_COMMIT=${AJAR_COMMIT:0:12} SOURCE_DATE_EPOCH CARGO_INCREMENTAL=0
if [ -n "$(git status --porcelain --untracked-files=no 2>/dev/null)" ]; then
    echo "there are changes that are not committed: this is not commit $AJAR_COMMIT alone"
fi

tools=$target/release-tools
wanted=$(cksum <infra/release/requirements.txt)
if [ "$(cat "$tools/made-from" 2>/dev/null)" != "$wanted" ]; then
    rm -rf "$tools"
    python3 -m venv "$tools"
    "$tools/bin/pip" install --quiet --disable-pip-version-check --requirement infra/release/requirements.txt
    echo "$wanted" >"$tools/made-from"
fi
export PATH="$tools/bin:$PATH"

# Where rustup is not, the target may be there all the same, from the system's packages.
if [ ! -d "$(rustc --print sysroot)/lib/rustlib/$triple" ] && ! rustup target add "$triple"; then
    fail "this Rust cannot build for $architecture; run: rustup target add $triple"
fi

# Panics name the file in which they happened. Of what is compiled, only these files are named from the root of this machine;
# the workspace's own are named from its folder. Cargo leaves these flags out of the names that it gives to symbols.
cargo fetch --locked --quiet # unpacks them
flags=()
for registry in "${CARGO_HOME:-$HOME/.cargo}"/registry/src/*/; do
    flags+=("--remap-path-prefix=${registry%/}=/crates")
done
CARGO_ENCODED_RUSTFLAGS=$(IFS=$'\x1f'; echo "${flags[*]}")
export CARGO_ENCODED_RUSTFLAGS

started=$SECONDS
# build PACKAGE...: prints cargo's messages, from which the list of components is made.
build() {
    local packages=()
    for package in "$@"; do packages+=(--package "$package"); done
    cargo lambda build --locked --profile "$profile" --target "$triple.$glibc" \
        --lambda-dir "$target/release-build/$architecture" --message-format json-render-diagnostics "${packages[@]}"
}
echo "building for $architecture, glibc $glibc, commit $AJAR_COMMIT, $(rustc --version)"
messages=$target/release-build/$architecture.json
mkdir -p "$target/release-build"
build "${functions[@]}" >"$messages"
echo "built in $((SECONDS - started)) s"

for name in "${functions[@]}"; do
    python3 infra/release/pack.py zip "$target/release-build/$architecture/$name/bootstrap" "$into/$name.zip"
done
python infra/release/sbom.py "$triple" "$messages" "${functions[@]}" >"$into/sbom.cdx.json"

made=("${functions[@]/%/.zip}" sbom.cdx.json release.tfvars.json)
if [ -d operator ]; then
    started=$SECONDS
    if [ "$(rustc -vV | sed -n 's/^host: //p')" = "$triple" ]; then
        build ajar >/dev/null # shares what is compiled with the functions
        built=$target/release-build/$architecture/ajar/bootstrap
    else
        cargo build --locked --profile "$profile" --package ajar
        built=$target/$profile/ajar
    fi
    install -m 755 "$built" "$into/ajar"
    made+=(ajar)
    echo "ajar for this machine in $((SECONDS - started)) s"
fi
python3 infra/release/pack.py describe "$into" "$architecture" infra/terraform "${made[@]}"
