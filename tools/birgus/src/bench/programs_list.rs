//! The programs that `birgus bench --macro` times.

/// A program: lines for the shell.
#[derive(Debug)]
pub struct Program {
    pub name: &'static str,
    pub what: &'static str,
    pub prepare: &'static str,
    pub run: &'static str,
    pub clear: &'static str,
}

/// One that needs nothing and leaves nothing.
const fn alone(name: &'static str, what: &'static str, run: &'static str) -> Program {
    Program { name, what, prepare: ":", run, clear: ":" }
}

pub const PROGRAMS: [Program; 15] = [
    Program {
        name: "make",
        what: "make of the C package figlet with gcc",
        prepare: "mkdir -p /tmp/make && tar -xf /tests/sources.tar -C /tmp/make --strip-components=1",
        run: "cd /tmp/make && make -s figlet chkfont",
        clear: "rm -rf /tmp/make",
    },
    alone(
        "python",
        "a loop of Python's: 2,000 small files written, read, renamed and deleted, then 20 subprocesses",
        "python3 -c '
import os, subprocess
os.makedirs(\"/tmp/python\", exist_ok=True)
os.chdir(\"/tmp/python\")
for number in range(2000):
    name = \"file-%d\" % number
    with open(name, \"w\") as file: file.write(name * 20)
    with open(name) as file: assert file.read() == name * 20
    os.rename(name, \"renamed\")
    os.stat(\"renamed\")
    os.unlink(\"renamed\")
for number in range(20):
    assert subprocess.run([\"echo\", str(number)], capture_output=True).stdout == b\"%d\\n\" % number
'",
    ),
    Program {
        name: "tar",
        what: "tar of 10,000 small files on tmpfs into an archive, and out of it again",
        prepare: "python3 -c '
import os
for folder in range(100):
    os.makedirs(\"/tmp/tar/in/%d\" % folder)
    for number in range(100):
        with open(\"/tmp/tar/in/%d/%d\" % (folder, number), \"w\") as file: file.write(str(number) * 100)
'; mkdir /tmp/tar/out",
        run: "cd /tmp/tar && tar -cf archive.tar in && tar -xf archive.tar -C out",
        clear: "rm -rf /tmp/tar",
    },
    Program {
        name: "sort",
        what: "sort of 100 MB of random text",
        prepare: "python3 -c '
import base64, random
random.seed(1)
with open(\"/tmp/text\", \"wb\") as file: file.write(base64.encodebytes(random.randbytes(74000000)))
'",
        run: "LC_ALL=C sort --parallel=1 -S 256M /tmp/text -o /tmp/sorted",
        clear: "rm -f /tmp/text /tmp/sorted",
    },
    alone("perf_messaging", "perf bench sched messaging, over pipes", "perf bench sched messaging -p -g 2 -l 200"),
    alone("perf_messaging_sockets", "the same over Unix sockets", "perf bench sched messaging -g 2 -l 200"),
    alone("perf_pipe", "perf bench sched pipe: 20,000 there and back", "perf bench sched pipe -l 20000"),
    alone("perf_syscall", "perf bench syscall basic: 2,000,000 getppid", "perf bench syscall basic -l 2000000"),
    alone("stress_fork", "stress-ng: 2,000 forks", "stress-ng --metrics --fork 1 --fork-ops 2000"),
    alone("stress_pipe", "stress-ng: data through a pipe", "stress-ng --metrics --pipe 1 --pipe-ops 200000"),
    alone(
        "stress_switch",
        "stress-ng: switches between processes",
        "stress-ng --metrics --switch 1 --switch-ops 50000",
    ),
    alone(
        "stress_mmap",
        "stress-ng: mmap, mprotect, munmap",
        "stress-ng --metrics --mmap 1 --mmap-bytes 16m --mmap-ops 20",
    ),
    alone("stress_fault", "stress-ng: page faults", "stress-ng --metrics --fault 1 --fault-ops 20000"),
    alone("stress_futex", "stress-ng: futexes", "stress-ng --metrics --futex 1 --futex-ops 20000"),
    alone("stress_open", "stress-ng: open and close", "stress-ng --metrics --open 1 --open-ops 50000"),
];
