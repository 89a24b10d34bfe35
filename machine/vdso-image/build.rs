//! Builds the vDSO from `user/vdso` and `time`, by the compiler and the linker that Cargo itself runs for us.
//!
//! Not by Cargo: a second Cargo would wait for the lock of the first, or need a target directory of its own. Flags of the
//! environment are left out on purpose: the object is the same whoever builds it, for the kernel or for tests.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const TARGET: &str = "x86_64-unknown-linux-gnu";
const PAGE: usize = 4096;
const EDITION: &str = "--edition=2024";

fn main() {
    let root = folder("CARGO_MANIFEST_DIR").join("../..");
    let output = folder("OUT_DIR");
    let (slots, time, vdso) = (root.join("slots/src"), root.join("time/src"), root.join("user/vdso"));
    for input in [&slots, &time, &vdso, Path::new("build.rs")] {
        println!("cargo::rerun-if-changed={}", input.display());
    }
    let library = |name: &str| output.join(format!("lib{name}.rlib"));
    let emit = |name: &str| format!("--emit=link={}", library(name).display());
    let external = |name: &str| format!("--extern={name}={}", library(name).display());
    compile("slots", &slots, &root, &[emit("slots")]);
    compile("time", &time, &root, &[emit("time"), external("slots")]);
    let object = output.join("vdso.o");
    // Where the library's own dependencies are.
    let search = format!("-Ldependency={}", output.display());
    compile("vdso", &vdso.join("src"), &root, &[format!("--emit=obj={}", object.display()), external("time"), search]);
    let linked = output.join("linked.so");
    // Without the library: what the compiler did not inline would be called through a table that must be relocated.
    link(&vdso.join("vdso.lds"), &object, &linked);
    let mut image = fs::read(&linked).unwrap_or_else(|error| panic!("{}: {error}", linked.display()));
    image.resize(image.len().next_multiple_of(PAGE), 0);
    let file = output.join("vdso.so");
    fs::write(&file, image).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
}

/// Position-independent, optimized, without checks: whatever could panic does not link.
fn compile(name: &str, source: &Path, root: &Path, more: &[String]) {
    let flags = ["opt-level=3", "codegen-units=1", "panic=abort", "relocation-model=pic", "overflow-checks=off"];
    let flags = flags.into_iter().chain([
        "debug-assertions=off",
        "debuginfo=0",
        "force-unwind-tables=yes",
        "target-cpu=x86-64",
        "jump-tables=no",
    ]);
    let mut compiler = Command::new(rustc());
    compiler.args(["--crate-type=rlib", "--cap-lints=allow", EDITION, "--target", TARGET, "--crate-name", name]);
    compiler.args(flags.flat_map(|flag| ["-C", flag])).args(["-C", "embed-bitcode=no"]);
    compiler.arg(format!("--remap-path-prefix={}=", root.display())).args(more).arg(source.join("lib.rs"));
    run(&mut compiler);
}

fn link(script: &Path, object: &Path, output: &Path) {
    let mut linker = Command::new(linker());
    linker.args(["-flavor", "gnu", "-m", "elf_x86_64", "-shared", "-Bsymbolic", "-soname", "linux-vdso.so.1"]);
    linker.args(["--hash-style=both", "--eh-frame-hdr", "--build-id=sha1", "--gc-sections", "--strip-all", "-O2"]);
    linker.args(["--no-undefined", "--fatal-warnings", "--orphan-handling=error"]);
    linker.args(["-z", "text", "-z", "rodynamic", "-z", "nognustack", "-z", "max-page-size=4096", "-z", "norelro"]);
    run(linker.arg("-T").arg(script).arg("-o").arg(output).arg(object));
}

/// The linker that comes with the compiler.
fn linker() -> PathBuf {
    let mut compiler = Command::new(rustc());
    let answer = compiler.args(["--print", "target-libdir", "--target", TARGET]).output();
    let answer = answer.unwrap_or_else(|error| panic!("cannot run {compiler:?}: {error}"));
    let libraries = String::from_utf8(answer.stdout).unwrap_or_default();
    Path::new(libraries.trim_end()).with_file_name("bin").join("rust-lld")
}

fn rustc() -> PathBuf {
    folder("RUSTC")
}

fn folder(variable: &str) -> PathBuf {
    env::var_os(variable).unwrap_or_else(|| panic!("Cargo did not set {variable}")).into()
}

fn run(command: &mut Command) {
    match command.status() {
        Ok(status) if status.success() => {}
        Ok(status) => panic!("{command:?}: {status}"),
        Err(error) => panic!("cannot run {command:?}: {error}"),
    }
}
