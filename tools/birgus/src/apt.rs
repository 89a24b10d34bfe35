//! Debian packages without installing them: an apt of our own beside the machine's.
//!
//! The machine's own sources say where its mirror is, so no host name stands here; its `apt.conf` (proxies) stays in force. Lists and
//! packages go to the cache, so that neither the superuser is needed nor the machine's state touched.

use crate::paths::{Paths, create_folder};
use crate::program::{Program, exists};
use crate::say;
use anyhow::{Context, Result, bail};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// The suite of roots and of the kernel that is compared with: Debian 12.
pub const SUITE: &str = "bookworm";

/// Package lists older than this are fetched anew.
const LISTS_LAST: Duration = Duration::from_secs(24 * 3600);

/// The keyring with which Debian's lists are signed.
const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// The addresses from which this machine takes Debian's main archive.
pub fn mirrors() -> Result<Vec<String>> {
    if !exists("apt-get") {
        bail!("this needs packages from Debian, and this machine has no apt-get");
    }
    let format = "$(ORIGIN)\t$(REPO_URI)\t$(RELEASE)\t$(COMPONENT)";
    let text = Program::new("apt-get").args(["indextargets", "--format", format, "Created-By: Packages"]).text()?;
    let found: BTreeSet<&str> = text.lines().filter_map(main_archive).collect();
    Ok(found.into_iter().map(str::to_owned).collect())
}

/// The address in a line of `apt-get indextargets`, if it is of Debian's main archive. The origin is empty before the first
/// `apt-get update`; the names of the security archive's releases end with `-security`.
fn main_archive(line: &str) -> Option<&str> {
    let [origin, address, release, component] = line.split('\t').collect::<Vec<_>>().try_into().ok()?;
    let debian = origin == "Debian" || origin.is_empty() && address.contains("debian");
    (debian && component == "main" && !release.ends_with("-security")).then_some(address)
}

/// An apt with its own sources and state.
pub struct Apt {
    folder: PathBuf,
    suite: String,
    /// `deb`, or `deb-src` for packages' sources.
    kind: &'static str,
}

impl Apt {
    /// The apt of one suite, its lists no older than a day.
    pub fn of_suite(paths: &Paths, suite: &str) -> Result<Self> {
        Self::of_kind(suite, "deb", paths.cache_folder(&format!("apt/{suite}"))?)
    }

    /// The same for packages' sources.
    pub fn of_sources(paths: &Paths, suite: &str) -> Result<Self> {
        Self::of_kind(suite, "deb-src", paths.cache_folder(&format!("apt/{suite}-sources"))?)
    }

    fn of_kind(suite: &str, kind: &'static str, folder: PathBuf) -> Result<Self> {
        for name in ["lists/partial", "cache/archives/partial", "packages"] {
            create_folder(&folder.join(name))?;
        }
        let apt = Self { folder, suite: suite.to_owned(), kind };
        apt.write_sources()?;
        apt.update()?;
        Ok(apt)
    }

    fn write_sources(&self) -> Result<()> {
        let signed = if Path::new(KEYRING).exists() { format!(" signed-by={KEYRING}") } else { String::new() };
        let mirrors = mirrors()?;
        if mirrors.is_empty() {
            bail!("no Debian archive in this machine's apt sources: add one for {}, then try again", self.suite);
        }
        let line = |mirror: &String| format!("{} [arch=amd64{signed}] {mirror} {} main\n", self.kind, self.suite);
        fs::write(self.folder.join("status"), "")?;
        fs::write(self.folder.join("sources.list"), mirrors.iter().map(line).collect::<String>())
            .with_context(|| format!("cannot write to {}", self.folder.display()))
    }

    fn program(&self, name: &str) -> Program {
        let at = |name: &str| self.folder.join(name).display().to_string();
        let settings = [
            format!("Dir::Etc::sourcelist={}", at("sources.list")),
            "Dir::Etc::sourceparts=/dev/null".to_owned(),
            "Dir::Etc::preferencesparts=/dev/null".to_owned(),
            format!("Dir::State::lists={}", at("lists")),
            format!("Dir::State::status={}", at("status")),
            format!("Dir::Cache={}", at("cache")),
            "APT::Architecture=amd64".to_owned(),
            "APT::Architectures=amd64".to_owned(),
            "APT::Sandbox::User=".to_owned(),
            "Acquire::Languages=none".to_owned(),
            "Acquire::Retries=3".to_owned(),
        ];
        settings
            .iter()
            .fold(Program::new(name), |program, setting| program.arg("-o").arg(setting))
            .variable("LC_ALL", "C.UTF-8")
    }

    fn update(&self) -> Result<()> {
        let stamp = self.folder.join("updated");
        let fresh = fs::metadata(&stamp)
            .and_then(|metadata| metadata.modified())
            .is_ok_and(|time| SystemTime::now().duration_since(time).is_ok_and(|age| age < LISTS_LAST));
        if fresh {
            return Ok(());
        }
        let _step = say::step(format!("fetching the package lists of {}", self.suite));
        let update = self.program("apt-get").args(["-qq", "--error-on=any", "update"]).quietly();
        update.map_err(|error| self.explain(error))?;
        fs::write(stamp, "").context("cannot write the cache")
    }

    /// What keeps apt from fetching, in one line: a full disk says so itself, anything else is most often the network.
    fn explain(&self, error: anyhow::Error) -> anyhow::Error {
        if format!("{error:#}").contains("No space left on device") {
            anyhow::anyhow!("no space is left on the disk of {}", self.folder.display())
        } else {
            error.context(format!("the package lists of {} cannot be fetched; is there a network?", self.suite))
        }
    }

    /// What a package depends on, by name.
    pub fn dependencies(&self, package: &str) -> Result<Vec<String>> {
        let text = self.program("apt-cache").args(["depends", package]).text()?;
        Ok(text.lines().filter_map(|line| line.trim().strip_prefix("Depends: ")).map(str::to_owned).collect())
    }

    /// The versions that the suite has of a package.
    pub fn versions(&self, package: &str) -> Result<Vec<String>> {
        let text = self.program("apt-cache").args(["madison", package]).text()?;
        Ok(text.lines().filter_map(|line| line.split('|').nth(1)).map(|version| version.trim().to_owned()).collect())
    }

    /// Fetches a package (`NAME` or `NAME=VERSION`) and unpacks it below `to`.
    pub fn unpack(&self, package: &str, to: &Path) -> Result<()> {
        let _step = say::step(format!("fetching {package}"));
        let folder =
            self.folder.join("packages").join(format!("{}.{}", package.replace(['=', '/'], "_"), std::process::id()));
        create_folder(&folder)?;
        let done = self
            .fetch(package, &folder)
            .and_then(|file| Program::new("dpkg-deb").arg("-x").arg(&file).arg(to).quietly());
        let _ = fs::remove_dir_all(&folder);
        done.with_context(|| format!("package {package} of {}", self.suite))
    }

    /// Fetches a package's sources as they were before Debian changed them, as a tar archive at `to`.
    pub fn source(&self, package: &str, to: &Path) -> Result<()> {
        let _step = say::step(format!("fetching the sources of {package}"));
        let folder = self.folder.join("packages").join(format!("{package}.{}", std::process::id()));
        create_folder(&folder)?;
        let done = self.fetch_source(package, &folder).and_then(|file| {
            let from = fs::File::open(&file).with_context(|| format!("cannot read {}", file.display()))?;
            crate::image::archive::expand(&mut std::io::BufReader::new(from), &mut fs::File::create(to)?)
        });
        let _ = fs::remove_dir_all(&folder);
        done.with_context(|| format!("the sources of {package} of {}", self.suite))
    }

    fn fetch_source(&self, package: &str, folder: &Path) -> Result<PathBuf> {
        self.program("apt-get").args(["-qq", "source", "--download-only", package]).folder(folder).quietly()?;
        let is_original = |path: &PathBuf| path.to_string_lossy().contains(".orig.tar.");
        let is_signature = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "asc");
        let mut files = fs::read_dir(folder)?.flatten().map(|entry| entry.path());
        files.find(|path| is_original(path) && !is_signature(path)).context("no archive of sources in the package")
    }

    fn fetch(&self, package: &str, folder: &Path) -> Result<PathBuf> {
        self.program("apt-get").args(["-qq", "download", package]).folder(folder).quietly()?;
        let entry = fs::read_dir(folder)?.next().context("apt-get fetched nothing")??;
        Ok(entry.path())
    }
}

#[cfg(test)]
mod tests {
    use super::main_archive;

    #[test]
    fn the_main_archive_is_told_from_others() {
        assert_eq!(main_archive("Debian\thttp://m/debian/\tbookworm\tmain"), Some("http://m/debian/"));
        assert_eq!(main_archive("\thttp://m/debian/\tbookworm\tmain"), Some("http://m/debian/"));
        assert_eq!(main_archive("Debian\thttp://m/debian-security/\tbookworm-security\tmain"), None);
        assert_eq!(main_archive("Debian\thttp://m/debian/\tbookworm\tcontrib"), None);
        assert_eq!(main_archive("Node Source\thttp://n/\tnodistro\tmain"), None);
        assert_eq!(main_archive(""), None);
    }
}
