#!/bin/sh
# Cargo calls this in the place of rustc for the workspace's own crates: those that are fuzzed count the branches they
# take and check their arithmetic, in stable Rust. What they depend on stays as it was built.
case " $* " in
  *" --crate-name a4co_host "* | *" --crate-name codec "* | *" --crate-name delivery "* | *" --crate-name kit "* | *" --crate-name fuzz "*)
    exec "$@" -Coverflow-checks=yes -Cdebug-assertions=yes -Cpasses=sancov-module \
      -Cllvm-args=-sanitizer-coverage-level=4 -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
      -Cllvm-args=-sanitizer-coverage-pc-table -Cllvm-args=-sanitizer-coverage-trace-compares
    ;;
esac
exec "$@"
