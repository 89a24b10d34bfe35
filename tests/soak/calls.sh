#!/bin/sh
# System calls with arguments drawn by chance, by processes with and without privileges, on the debug kernel (lock order, overflow,
# assertions), for SECONDS (300), from SEED (the day's). The machine must not end, and every process must be one that can be killed.
set -eu
here=$(cd -P -- "$(dirname -- "$0")/../.." && pwd)
seconds=${1:-300}
seed=${2:-$(date +%Y%m%d)0000}
cd "$here"
cargo rustc --quiet --package=guest-tests --profile=user -- -Ctarget-feature=+crt-static -Crelocation-model=static
tests=${CARGO_TARGET_DIR:-$here/target}/user/guest-tests
inside="mkdir -p /tmp && cat > /tmp/tests && chmod 755 /tmp/tests && exec /tmp/tests fuzz $seed $seconds"
"$here/birgus" run --debug --smp 2 --mem 512 --timeout $((seconds + 120)) -- sh -c "$inside" < "$tests"
