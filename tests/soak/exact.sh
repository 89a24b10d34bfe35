#!/bin/sh
# 20,000 times fork, exec and wait; 2,000 groups of processes killed while they fork, as many while they exec, make threads, map, write to
# pipes and to files; 2,000 threads at once; 500 MB through a pipe; a shell's loop that creates and removes 100,000 files: frames, slabs,
# inodes, dentries, open files, tasks and descriptors are back where they were, exactly. On one processor and on two.
# Minutes, not seconds. A number divides the counts: exact.sh 10.
set -eu
here=$(cd -P -- "$(dirname -- "$0")/../.." && pwd)
part=${1:-1}
cd "$here"
cargo rustc --quiet --package=guest-tests --profile=user -- -Ctarget-feature=+crt-static -Crelocation-model=static
tests=${CARGO_TARGET_DIR:-$here/target}/user/guest-tests
inside='mkdir -p /tmp && cat > /tmp/tests && chmod 755 /tmp/tests && failed=0'
killed='kill-fork:2000 kill-exec:2000 kill-thread:2000 kill-map:2000 kill-pipe:2000 kill-file:2000'
for load in fork:20000 $killed thread:2000 pipe:500 shell:100000; do
    inside="$inside; start=\$(date +%s); /tmp/tests exact ${load%:*} $((${load#*:} / part)) || failed=1; echo \$((\$(date +%s) - start)) s"
done
worst=0
for processors in 1 2; do
    echo "processors: $processors"
    "$here/birgus" run --smp "$processors" --mem 512 -- sh -c "$inside; exit \$failed" < "$tests" || worst=$?
done
exit "$worst"
