#!/bin/sh
# Everything used up, kind by kind, by as many processes of root's as there can be, on little memory and one, two and four CPUs: the kernel
# goes on, and nothing of it is left. Twice SECONDS (5) for each; some ten minutes. flood.sh 5 pipe page: these kinds.
set -eu
here=$(cd -P -- "$(dirname -- "$0")/../.." && pwd)
seconds=${1:-5}
shift $(($# > 0))
cd "$here"
cargo rustc --quiet --package=guest-tests --profile=user -- -Ctarget-feature=+crt-static -Crelocation-model=static
tests=${CARGO_TARGET_DIR:-$here/target}/user/guest-tests
failed=0
for kind in ${*:-process page pipe signal file epoll timer area table}; do
    for machine in 1:24 2:24 4:40 2:48 4:64; do
        inside="mkdir -p /tmp && cd /tmp && cat > tests && chmod 755 tests && exec ./tests exact flood-$kind $seconds"
        printf '%s, %s CPUs, %s MiB: ' "$kind" "${machine%:*}" "${machine#*:}"
        "$here/birgus" run --smp "${machine%:*}" --mem "${machine#*:}" --timeout $((2 * seconds + 60)) -- sh -c "$inside" < "$tests" || failed=1
    done
done
exit "$failed"
