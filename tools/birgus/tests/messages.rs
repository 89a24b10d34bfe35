//! What a user is told who asks for what cannot be: one line that names the thing, and a status.
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// A folder of this test's own, with a cache in it.
struct Place(PathBuf);

impl Place {
    fn new(name: &str) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }

    fn file(&self, name: &str, content: &[u8]) -> String {
        let path = self.0.join(name);
        fs::write(&path, content).unwrap();
        path.display().to_string()
    }

    fn birgus(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_birgus"));
        command.args(arguments).env("XDG_CACHE_HOME", self.0.join("cache")).current_dir(&self.0);
        command
    }

    /// The parts of files that were never finished.
    fn parts(&self) -> Vec<PathBuf> {
        let folders = ["roots", "initrds"].map(|name| self.0.join("cache/birgus").join(name));
        let entries = folders.iter().filter_map(|folder| fs::read_dir(folder).ok()).flatten().flatten();
        entries.map(|entry| entry.path()).filter(|path| path.extension().is_some_and(|end| end == "part")).collect()
    }
}

fn check(output: &Output, status: i32, said: &str) {
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(status), "{text}");
    assert!(text.starts_with("birgus: ") && text.trim_end().lines().count() == 1, "{text}");
    assert!(text.contains(said), "{text} does not say {said}");
    assert!(output.stdout.is_empty());
}

#[test]
fn roots_that_are_none() {
    let place = Place::new("roots");
    let text = place.file("text", b"this is no archive at all");
    let nothing = place.file("nothing", b"");
    let zstd = place.file("cut.zst", b"\x28\xb5\x2f\xfd\x04\x00\x91");
    let xz = place.file("cut.xz", b"\xfd7zXZ\0\0\x04\xe6\xd6\xb4\x46\x02");
    let gzip = place.file("cut.gz", b"\x1f\x8b\x08\0\0\0\0\0\0\x03\x4b");
    for (root, said) in [
        (text.as_str(), "text is not a cpio archive of format newc"),
        (&nothing, "nothing is empty"),
        (&zstd, "cut.zst is cut short or damaged"),
        (&xz, "cut.xz is cut short or damaged"),
        (&gzip, "cut.gz is cut short or damaged"),
        ("debian:UPPER CASE", "'UPPER CASE' is not the name of a package"),
    ] {
        check(&place.birgus(&["image", root]).output().unwrap(), 1, said);
    }
    for root in ["/no/such/root", "as-is:/no/such/file", "zstd:/no/such/root", "debianish"] {
        check(&place.birgus(&["image", root]).output().unwrap(), 2, root.rsplit(':').next().unwrap());
    }
    assert_eq!(place.parts(), Vec::<PathBuf>::new());
}

#[test]
fn folders_that_cannot_be_read() {
    use std::os::unix::fs::PermissionsExt;
    let place = Place::new("unreadable");
    let folder = place.0.join("root/shut");
    fs::create_dir_all(&folder).unwrap();
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o000)).unwrap();
    if fs::read_dir(&folder).is_ok() {
        // The superuser reads everything.
        return;
    }
    let root = place.0.join("root").display().to_string();
    check(&place.birgus(&["image", &root]).output().unwrap(), 1, "a root must be readable to be packed");
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o700)).unwrap();
}

#[test]
fn kernels_that_are_none() {
    let place = Place::new("kernels");
    let text = place.file("text", b"this is no kernel at all");
    let nothing = place.file("nothing", b"");
    let damaged = place.file("damaged", b"\x7fELF and so on");
    let program = env!("CARGO_BIN_EXE_birgus");
    for (kernel, said) in [
        (text.as_str(), "text is no kernel: neither an ELF file nor a bzImage"),
        (&nothing, "nothing is no kernel"),
        (&damaged, "damaged is no kernel: a damaged ELF file"),
        (program, "is no kernel: an ELF file without a PVH entry"),
        ("/", "/ is not a file, and so no kernel"),
        ("/no/such/kernel", "cannot open the kernel /no/such/kernel"),
    ] {
        check(&place.birgus(&["run", "--kernel", kernel, "--", "true"]).output().unwrap(), 125, said);
    }
}

#[test]
fn words_that_mean_nothing() {
    let place = Place::new("words");
    for (arguments, status, said) in [
        (&["run", "--nosuch"][..], 125, "'--nosuch'"),
        (&["run", "--mem", "1T"], 125, "'1T' is not a size"),
        (&["run", "--smp", "0"], 125, "0 is not in 1..=255"),
        (&["run", "--timeout", "soon"], 125, "'soon'"),
        (&["frobnicate"], 2, "'frobnicate'"),
    ] {
        check(&place.birgus(arguments).output().unwrap(), status, said);
    }
}

/// Neither QEMU nor apt can be found.
#[test]
fn a_host_without_qemu() {
    let place = Place::new("bare");
    let output = place.birgus(&["run", "--", "true"]).env("PATH", &place.0).output().unwrap();
    check(&output, 125, "please install qemu-system-x86");
    let doctor = place.birgus(&["doctor"]).env("PATH", &place.0).output().unwrap();
    let text = String::from_utf8_lossy(&doctor.stdout);
    assert_eq!(doctor.status.code(), Some(1));
    assert!(text.contains("missing  qemu-system-x86_64") && text.contains("apt-get install"), "{text}");
}

#[test]
fn shells_take_the_completions() {
    let place = Place::new("completions");
    for (shell, check) in [("bash", "complete -p birgus"), ("zsh", "true"), ("fish", "complete -C 'birgus '")] {
        let script = place.birgus(&["completions", shell]).output().unwrap();
        assert!(script.status.success() && script.stdout.len() > 1000);
        let file = place.file(shell, &script.stdout);
        let loads = format!("autoload -U compinit 2> /dev/null && compinit -u; . {file} && {check}");
        let line = if shell == "zsh" { loads } else { format!(". {file} && {check}") };
        // Only the shells that this host has.
        if let Ok(output) = Command::new(shell).args(["-c", &line]).env("HOME", &place.0).output() {
            assert!(output.status.success(), "{shell}: {}", String::from_utf8_lossy(&output.stderr));
        }
    }
}
