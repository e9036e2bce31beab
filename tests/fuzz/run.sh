#!/bin/sh
# Fuzzes a target: tests/fuzz/run.sh <codec|envelope|manifest|routing> [seconds, 600]. Needs a C++ compiler.
# What it learns goes to the target folder; `tests/fuzz/run.sh <target> merge` takes of it into the corpus what adds to it.
set -eu
cd "$(dirname "$0")/../.."
target=$1
built=${CARGO_TARGET_DIR:-$PWD/target}
learnt=$built/fuzz/$target
mkdir -p "$learnt"
RUSTC_WORKSPACE_WRAPPER=$PWD/tests/fuzz/instrument.sh cargo build --release --workspace --features fuzz/libfuzzer --bin "$target"
if [ "${2:-600}" = merge ]; then
  exec "$built/release/$target" -set_cover_merge=1 "tests/fuzz/corpus/$target" "$learnt"
fi
exec "$built/release/$target" "$learnt" "tests/fuzz/corpus/$target" "-max_total_time=${2:-600}" -max_len=8192 -timeout=10 \
  -dict="tests/fuzz/$target.dict" -print_final_stats=1 -print_coverage=0 "-artifact_prefix=$learnt-"
