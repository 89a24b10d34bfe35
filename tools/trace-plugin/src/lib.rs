//! A plugin for QEMU's emulator: writes down every instruction that the guest executes between two marks.
//!
//! The marks are instructions without effect that a program in the guest executes (`user/bench/src/mark.rs`). Each instruction is
//! a little-endian word of eight bytes: the low 48 bits of its address, what it does to the flow of control in the next four, and
//! its length in the next. That is what `birgus profile` needs to rebuild the call stacks, and all that QEMU's interface of plugins
//! (version 1: QEMU 4.2 to 8.1, and still understood by later ones) tells without reading registers.
//!
//! With `count=FILE` in place of `out=FILE` it only counts: a line of the file for each pair of marks says how many instructions the
//! machine executed between them, whoever's they were; a processor that waits executes none. That is how `birgus bench` finds work
//! that an operation put off.
//!
//! One processor only: the recording is not locked, and the order of several would mean nothing.

use std::ffi::{CStr, c_char, c_int, c_uint, c_void};
use std::fs::File;
use std::io::{BufWriter, Write};

/// What QEMU asks for.
#[unsafe(no_mangle)]
pub static qemu_plugin_version: c_int = 1;

const BEGIN: [u8; 8] = [0x0f, 0x1f, 0x84, 0x00, 0x01, 0x00, 0x49, 0x42];
const END: [u8; 8] = [0x0f, 0x1f, 0x84, 0x00, 0x02, 0x00, 0x49, 0x42];

/// Bits of an address that are kept.
const ADDRESS: u64 = (1 << 48) - 1;
/// `QEMU_PLUGIN_INLINE_ADD_U64`.
const ADD: c_uint = 0;
/// `QEMU_PLUGIN_CB_NO_REGS`.
const NO_REGISTERS: c_uint = 0;

static mut RECORDING: bool = false;
/// Instructions executed so far, when counting: QEMU itself adds to it, a block at a time.
static mut EXECUTED: u64 = 0;
/// What that was at the mark that begins.
static mut BEGINNING: u64 = 0;
static mut OUTPUT: Option<BufWriter<File>> = None;

unsafe extern "C" {
    fn qemu_plugin_register_vcpu_tb_trans_cb(id: u64, callback: extern "C" fn(u64, *mut c_void));
    fn qemu_plugin_register_atexit_cb(id: u64, callback: extern "C" fn(u64, *mut c_void), data: *mut c_void);
    fn qemu_plugin_register_vcpu_insn_exec_cb(
        instruction: *mut c_void,
        callback: extern "C" fn(c_uint, *mut c_void),
        flags: c_uint,
        data: *mut c_void,
    );
    fn qemu_plugin_register_vcpu_tb_exec_inline(block: *mut c_void, operation: c_uint, to: *mut u64, value: u64);
    fn qemu_plugin_tb_n_insns(block: *const c_void) -> usize;
    fn qemu_plugin_tb_get_insn(block: *const c_void, index: usize) -> *mut c_void;
    fn qemu_plugin_insn_data(instruction: *const c_void) -> *const u8;
    fn qemu_plugin_insn_size(instruction: *const c_void) -> usize;
    fn qemu_plugin_insn_vaddr(instruction: *const c_void) -> u64;
}

/// QEMU's entry: `out=FILE` or `count=FILE` is the one argument.
///
/// # Safety
/// As QEMU calls it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn qemu_plugin_install(
    id: u64,
    _: *const c_void,
    count: c_int,
    words: *const *const c_char,
) -> c_int {
    let mut words = (0..usize::try_from(count).unwrap_or(0))
        // SAFETY: QEMU passes so many strings.
        .filter_map(|index| unsafe { CStr::from_ptr(*words.add(index)) }.to_str().ok());
    let Some((what, path)) = words.find_map(|word| word.split_once('=')) else { return 1 };
    let translated = match what {
        "out" => translated,
        "count" => counted,
        _ => return 1,
    };
    let Ok(file) = File::create(path) else { return 1 };
    // SAFETY: nothing runs yet; the callbacks have the types of QEMU's header.
    unsafe {
        OUTPUT = Some(BufWriter::with_capacity(1 << 20, file));
        qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
        qemu_plugin_register_atexit_cb(id, ended, std::ptr::null_mut());
    }
    0
}

extern "C" fn translated(_: u64, block: *mut c_void) {
    // SAFETY: the block is QEMU's, and its instructions live as long as this call.
    unsafe {
        for index in 0..qemu_plugin_tb_n_insns(block) {
            let instruction = qemu_plugin_tb_get_insn(block, index);
            let (data, size) = (qemu_plugin_insn_data(instruction), qemu_plugin_insn_size(instruction));
            let bytes = std::slice::from_raw_parts(data, size);
            let address = qemu_plugin_insn_vaddr(instruction);
            let word = address & ADDRESS | u64::from(flow(bytes)) << 48 | (size as u64 & 0xf) << 52;
            let callback = if bytes == BEGIN {
                begun
            } else if bytes == END {
                over
            } else {
                executed
            };
            qemu_plugin_register_vcpu_insn_exec_cb(instruction, callback, NO_REGISTERS, word as usize as *mut c_void);
        }
    }
}

/// Counts a block, and watches for the marks.
extern "C" fn counted(_: u64, block: *mut c_void) {
    // SAFETY: as in `translated`; the counter is a static.
    unsafe {
        let length = qemu_plugin_tb_n_insns(block);
        qemu_plugin_register_vcpu_tb_exec_inline(block, ADD, &raw mut EXECUTED, length as u64);
        for index in 0..length {
            let instruction = qemu_plugin_tb_get_insn(block, index);
            let (data, size) = (qemu_plugin_insn_data(instruction), qemu_plugin_insn_size(instruction));
            let callback = match std::slice::from_raw_parts(data, size) {
                bytes if bytes == BEGIN => counting_begun,
                bytes if bytes == END => counting_over,
                _ => continue,
            };
            qemu_plugin_register_vcpu_insn_exec_cb(instruction, callback, NO_REGISTERS, std::ptr::null_mut());
        }
    }
}

extern "C" fn counting_begun(_: c_uint, _: *mut c_void) {
    // SAFETY: one processor.
    unsafe { BEGINNING = EXECUTED };
}

#[expect(static_mut_refs, reason = "one processor")]
extern "C" fn counting_over(_: c_uint, _: *mut c_void) {
    // SAFETY: one processor.
    unsafe {
        if let Some(output) = &mut OUTPUT {
            // Whoever reads the line knows of it from the guest, later.
            let _ = writeln!(output, "{}", EXECUTED - BEGINNING).and_then(|()| output.flush());
        }
    }
}

/// What an instruction does to the flow of control: 0 nothing, 1 jump, 2 call, 3 return, 4 into the kernel, 5 out of it.
fn flow(bytes: &[u8]) -> u8 {
    let prefix = |byte: &u8| matches!(byte, 0x66 | 0xf2 | 0xf3 | 0x2e | 0x36 | 0x3e | 0x26 | 0x64 | 0x65 | 0x40..=0x4f);
    let rest = &bytes[bytes.iter().take_while(|byte| prefix(byte)).count()..];
    let extension = rest.get(1).map(|byte| byte >> 3 & 7);
    match (rest.first(), rest.get(1)) {
        (Some(0xe8), _) => 2,
        (Some(0xff), _) if matches!(extension, Some(2 | 3)) => 2,
        (Some(0xff), _) if matches!(extension, Some(4 | 5)) => 1,
        (Some(0xc2 | 0xc3 | 0xca | 0xcb), _) => 3,
        (Some(0xcf), _) | (Some(0x0f), Some(0x07 | 0x35)) => 5,
        (Some(0xcc | 0xcd), _) | (Some(0x0f), Some(0x05 | 0x34)) => 4,
        (Some(0xe9 | 0xeb | 0x70..=0x7f | 0xe0..=0xe3), _) | (Some(0x0f), Some(0x80..=0x8f)) => 1,
        _ => 0,
    }
}

extern "C" fn begun(_: c_uint, _: *mut c_void) {
    // SAFETY: one processor.
    unsafe { RECORDING = true };
}

#[expect(static_mut_refs, reason = "one processor, and QEMU's end comes behind its last instruction")]
extern "C" fn over(_: c_uint, _: *mut c_void) {
    // SAFETY: one processor.
    unsafe {
        RECORDING = false;
        if let Some(output) = &mut OUTPUT {
            let _ = output.flush();
        }
    }
}

#[expect(static_mut_refs, reason = "as above")]
extern "C" fn executed(_: c_uint, word: *mut c_void) {
    // SAFETY: one processor.
    unsafe {
        if RECORDING && let Some(output) = &mut OUTPUT {
            let _ = output.write_all(&(word as u64).to_le_bytes());
        }
    }
}

extern "C" fn ended(_: u64, _: *mut c_void) {
    over(0, std::ptr::null_mut());
}
