//! From the kernel's first instruction in user space to `birgus_main`, and the panic handler.

use crate::{Text, exit, open, write_all};
use core::ffi::CStr;
use core::panic::PanicInfo;

core::arch::global_asm!(
    ".globl _start",
    ".type _start, @function",
    "_start:",
    "xor ebp, ebp",
    "mov rdi, rsp",
    "and rsp, -16",
    "call {enter}",
    "ud2",
    enter = sym enter,
);

unsafe extern "Rust" {
    /// The program: its return value is its exit status.
    safe fn birgus_main(arguments: Arguments) -> i32;
}

/// The argument and environment strings that the kernel left above the stack.
#[derive(Clone, Copy)]
pub struct Arguments {
    argument_vector: *const *const u8,
    environment: *const *const u8,
}

impl Arguments {
    /// How many arguments, the program's name included.
    #[must_use]
    pub fn count(&self) -> usize {
        self.each().count()
    }

    /// The arguments, the program's name first.
    pub fn each(&self) -> impl Iterator<Item = &'static CStr> + use<> {
        strings(self.argument_vector)
    }

    /// The environment, as `NAME=value`.
    pub fn environment(&self) -> impl Iterator<Item = &'static CStr> + use<> {
        strings(self.environment)
    }

    /// The null-terminated vector of arguments after the first `skip`, as execve wants it.
    #[must_use]
    pub fn vector(&self, skip: usize) -> *const *const u8 {
        // The vector ends with a null that is never skipped.
        self.argument_vector.wrapping_add(skip.min(self.count()))
    }

    /// The null-terminated vector of the environment.
    #[must_use]
    pub fn environment_vector(&self) -> *const *const u8 {
        self.environment
    }
}

fn strings(vector: *const *const u8) -> impl Iterator<Item = &'static CStr> {
    let mut next = vector;
    core::iter::from_fn(move || {
        // SAFETY: the vector is the kernel's and ends with a null pointer, behind which `next` never goes.
        let string = unsafe { *next };
        if string.is_null() {
            return None;
        }
        next = next.wrapping_add(1);
        // SAFETY: the kernel closes each string with a NUL, and the initial stack is never unmapped.
        Some(unsafe { CStr::from_ptr(string.cast()) })
    })
}

extern "C" fn enter(stack: *const usize) -> ! {
    // SAFETY: the initial stack starts with the count of arguments (System V ABI for AMD64, 3.4.1).
    let count = unsafe { *stack };
    let argument_vector = stack.wrapping_add(1).cast();
    let environment = stack.wrapping_add(count + 2).cast();
    exit(birgus_main(Arguments { argument_vector, environment }))
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    let mut text = Text::<256>::new();
    text.put(b"panic in a guest program");
    if let Some(place) = info.location() {
        text.put(b" at ").put(place.file().as_bytes()).put(b":").number(u64::from(place.line()));
    }
    text.put(b"\n");
    let _ = write_all(2, text.bytes());
    if let Ok(console) = open(c"/dev/console", crate::O_WRONLY) {
        let _ = write_all(console, text.bytes());
    }
    exit(101)
}
