//! /proc/cpuinfo. CPUs are taken to be alike: what CPUID says where this is read holds for all.
use crate::cpu_flags::WORDS;
use crate::roots::Sources;
use crate::topology::Division;
use abi::Errno;
use alloc::collections::BTreeSet;
use alloc::vec::Vec;
use arch::features;
use core::fmt::Write;
use procfs::Output;

/// A text of fixed length, up to its NULs, without blanks around it.
fn trimmed(bytes: &[u8]) -> &str {
    let text = bytes.split(|&byte| byte == 0).next().unwrap_or_default();
    core::str::from_utf8(text).unwrap_or_default().trim()
}

fn flags(output: &mut Output) {
    output.bytes(b"flags\t\t:");
    for word in &WORDS {
        word.names_of(features::leaf(word.leaf, word.part)[word.register], |name| {
            output.bytes(b" ");
            output.bytes(name.as_bytes());
        });
    }
    output.bytes(b"\n");
}

pub(crate) fn information(sources: &Sources, output: &mut Output) -> Result<(), Errno> {
    for cpu in 0..scheduler::cpu_count() {
        if scheduler::statistics(cpu).is_some_and(|statistics| statistics.online) {
            one(sources, output, cpu)?;
        }
    }
    Ok(())
}

fn one(sources: &Sources, output: &mut Output, cpu: usize) -> Result<(), Errno> {
    let (vendor, brand) = (features::vendor(), features::brand());
    let (family, model, stepping) = features::signature();
    writeln!(output, "processor\t: {cpu}\nvendor_id\t: {}", trimmed(&vendor))?;
    writeln!(output, "cpu family\t: {family}\nmodel\t\t: {model}\nmodel name\t: {}", trimmed(&brand))?;
    writeln!(output, "stepping\t: {stepping}")?;
    // The TSC runs at the nominal rate.
    let kilohertz = sources.tsc_hertz / 1000;
    writeln!(output, "cpu MHz\t\t: {}.{:03}", kilohertz / 1000, kilohertz % 1000)?;
    if let Some(size) = cache_size(&vendor) {
        writeln!(output, "cache size\t: {size} KB")?;
    }
    if let Some(apic) = (sources.apic_id)(cpu) {
        let division = Division::of(&features::leaf);
        let package = division.package_of(apic);
        let others = (0..scheduler::cpu_count()).filter_map(sources.apic_id);
        let cores: Vec<u32> = others
            .filter(|&other| division.package_of(other) == package)
            .map(|other| division.core_of(other))
            .collect();
        let siblings = cores.len();
        let cores = BTreeSet::from_iter(cores).len();
        writeln!(output, "physical id\t: {}\nsiblings\t: {siblings}", division.package_of(apic))?;
        writeln!(output, "core id\t\t: {}\ncpu cores\t: {cores}", division.core_of(apic))?;
        writeln!(output, "apicid\t\t: {apic}\ninitial apicid\t: {apic}")?;
    }
    let level = features::leaf(0, 0)[0];
    writeln!(output, "fpu\t\t: yes\nfpu_exception\t: yes\ncpuid level\t: {level}\nwp\t\t: yes")?;
    flags(output);
    // As on Linux, which counts two loops for each cycle of the TSC.
    let bogomips = sources.tsc_hertz / 5000;
    writeln!(output, "bogomips\t: {}.{:02}", bogomips / 100, bogomips % 100)?;
    let line = features::leaf(1, 0)[1] >> 8 & 0xff;
    writeln!(output, "clflush size\t: {}\ncache_alignment\t: {}", line * 8, line * 8)?;
    let sizes = features::leaf(0x8000_0008, 0)[0];
    writeln!(output, "address sizes\t: {} bits physical, {} bits virtual", sizes & 0xff, sizes >> 8 & 0xff)?;
    output.bytes(b"power management:\n\n");
    Ok(())
}

/// Of the largest cache, in KiB: of level 2 on AMD's CPUs, of the last level on others.
fn cache_size(vendor: &[u8; 12]) -> Option<u32> {
    if vendor == b"AuthenticAMD" {
        return Some(features::leaf(0x8000_0006, 0)[2] >> 16).filter(|&size| size != 0);
    }
    let size = |part| {
        let [kind, shape, sets, _] = features::leaf(4, part);
        let (ways, parts, line) = ((shape >> 22) + 1, (shape >> 12 & 0x3ff) + 1, (shape & 0xfff) + 1);
        (kind & 0x1f != 0).then(|| (u64::from(ways) * u64::from(parts) * u64::from(line) * (u64::from(sets) + 1)) >> 10)
    };
    (0..8).map_while(size).last().and_then(|size| u32::try_from(size).ok())
}
