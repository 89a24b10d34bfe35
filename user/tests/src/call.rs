//! System calls without libc in between: neither errno nor wrappers that change arguments.
use std::arch::asm;

/// `sys!(number, arguments…)`: the result, or the error number.
#[macro_export]
macro_rules! sys {
    ($number:expr) => { $crate::call::raw($number as usize, [0; 6]) };
    ($number:expr, $($argument:expr),+ $(,)?) => {{
        let given = [$($argument as usize),+];
        let mut arguments = [0usize; 6];
        arguments[..given.len()].copy_from_slice(&given);
        $crate::call::raw($number as usize, arguments)
    }};
}

/// The call by the `syscall` instruction.
pub fn raw(number: usize, arguments: [usize; 6]) -> Result<usize, i32> {
    let result: isize;
    unsafe {
        asm!(
            "syscall",
            inlateout("rax") number as isize => result,
            in("rdi") arguments[0],
            in("rsi") arguments[1],
            in("rdx") arguments[2],
            in("r10") arguments[3],
            in("r8") arguments[4],
            in("r9") arguments[5],
            lateout("rcx") _,
            lateout("r11") _,
        );
    }
    decode(result)
}

/// The call by the old door, `int 0x80`, with the i386 numbers.
pub fn old_door(number: u32, arguments: [u32; 3]) -> Result<usize, i32> {
    let result: isize;
    unsafe {
        asm!(
            "xchg rbx, {first}",
            "int 0x80",
            "xchg rbx, {first}",
            first = inout(reg) u64::from(arguments[0]) => _,
            inlateout("rax") u64::from(number) => result,
            in("rcx") u64::from(arguments[1]),
            in("rdx") u64::from(arguments[2]),
        );
    }
    decode(result)
}

fn decode(result: isize) -> Result<usize, i32> {
    if (-4095..0).contains(&result) { Err(-result as i32) } else { Ok(result as usize) }
}

/// The error number of a libc call that answered -1.
#[track_caller]
pub fn errno(result: impl Into<i64>) -> i32 {
    assert_eq!(result.into(), -1, "the call succeeded");
    std::io::Error::last_os_error().raw_os_error().unwrap_or(0)
}

/// The result of a libc call that must succeed.
#[track_caller]
pub fn must<T: Copy + Into<i64>>(result: T) -> T {
    if result.into() == -1 {
        panic!("{}", std::io::Error::last_os_error());
    }
    result
}

/// A C string.
pub fn c(text: &str) -> std::ffi::CString {
    std::ffi::CString::new(text).expect("no NUL")
}
