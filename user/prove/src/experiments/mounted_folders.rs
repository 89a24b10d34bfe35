//! mount.

use crate::experiment::Linux;
use crate::{Experiment, Lab, Subject, Trouble};
use evidence::Observable;
use measure::system::check;
use std::path::Path;

pub const EXPERIMENT: Experiment = Experiment {
    subject: Subject::Files,
    claim: "mount ties a file system's root to a folder: the same path then leads elsewhere, and back after umount.",
    experiment: "A folder holds a file. An empty tmpfs is mounted on it, a second file is made there, and the folder is looked at before, during and after. The control makes \
        the second file without mounting anything.",
    expected: "The walk along a path steps from a folder that is mounted upon to the root of what is mounted. The folder below is covered, not changed. What was made in \
        between belongs to the mounted file system and goes with it.",
    observable: Observable::OneProcessor,
    linux: Linux::By("readdir and stat"),
    run,
};

const FOLDER: &str = "/tmp/prove-folder";

fn content() -> Result<String, Trouble> {
    let mut names: Vec<String> =
        std::fs::read_dir(FOLDER)?.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    Ok(names.join(", "))
}

fn device() -> Result<u64, Trouble> {
    use std::os::unix::fs::MetadataExt;
    Ok(std::fs::metadata(FOLDER)?.dev())
}

struct Seen {
    during: String,
    after: String,
    other_device: bool,
}

fn seen(mounting: bool) -> Result<Seen, Trouble> {
    let _ = std::fs::remove_dir_all(FOLDER);
    std::fs::create_dir_all(FOLDER)?;
    std::fs::write(Path::new(FOLDER).join("below"), "")?;
    let (before, place) = (device()?, measure::system::c(FOLDER)?);
    let kind = c"tmpfs".as_ptr();
    if mounting {
        check(unsafe { libc::mount(kind, place.as_ptr(), kind, 0, std::ptr::null()) })?;
    }
    let made = std::fs::write(Path::new(FOLDER).join("made"), "");
    let (during, other_device) = (content()?, device()? != before);
    if mounting {
        check(unsafe { libc::umount2(place.as_ptr(), 0) })?;
    }
    made?;
    let after = content()?;
    std::fs::remove_dir_all(FOLDER)?;
    Ok(Seen { during, after, other_device })
}

fn run(lab: &mut Lab) -> Result<(), Trouble> {
    if unsafe { libc::geteuid() } != 0 {
        return Err(Trouble::not_observable("only root may mount"));
    }
    let (mounted, plain) = lab.pair(|| seen(true), || seen(false))?;
    lab.mechanism("the folder while something is mounted", mounted.during, "").equals("made", "it is the other's root");
    lab.mechanism("its device is another", i32::from(mounted.other_device), "").equals(1, "it is another file system");
    lab.mechanism("the folder after umount", mounted.after, "").equals("below", "it was only covered");
    lab.control("the folder without mounting", plain.during, "").equals("below, made", "nothing covers it");
    lab.control("its device is another, without mounting", i32::from(plain.other_device), "")
        .equals(0, "it is the same file system");
    Ok(())
}
