//! Signal structures (`asm/siginfo.h`, `asm/signal.h`, `asm/sigcontext.h`, `asm/ucontext.h`), native x86-64.
use zerocopy::{FromBytes, FromZeros, Immutable, IntoBytes, KnownLayout};

macro_rules! layouts {
    ($($(#[$comment:meta])* $name:ident { $($(#[$about:meta])* $field:ident: $kind:ty,)* })*) => {$(
        $(#[$comment])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
        #[repr(C)]
        pub struct $name { $($(#[$about])* pub $field: $kind,)* }

        impl Default for $name {
            fn default() -> Self {
                Self::new_zeroed()
            }
        }
    )*};
}

/// Bytes of `siginfo_t` that carry anything; the rest is zero.
pub const SIGINFO_USED: usize = 48;

layouts! {
    /// `siginfo_t`: a head, then one of the `Siginfo…` tails by signal and code.
    Siginfo {
        signal: i32,
        error: i32,
        code: i32,
        padding: u32,
        tail: [u8; 112],
    }

    /// `_kill`: SI_USER, SI_TKILL; with the value also `_rt`: SI_QUEUE.
    SiginfoSender {
        process: i32,
        user: u32,
        value: u64,
    }

    /// `_timer`: SI_TIMER.
    SiginfoTimer {
        timer: i32,
        overrun: i32,
        value: u64,
    }

    /// `_sigchld`.
    SiginfoChild {
        process: i32,
        user: u32,
        status: i32,
        padding: u32,
        user_time: i64,
        system_time: i64,
    }

    /// `_sigfault`; `key` is of use with SEGV_PKUERR.
    SiginfoFault {
        address: u64,
        reserved: u64,
        key: u32,
        padding: u32,
    }

    /// `_sigpoll`: SIGIO.
    SiginfoPoll {
        band: i64,
        descriptor: i32,
        padding: u32,
    }

    /// `_sigsys`: seccomp.
    SiginfoSystemCall {
        address: u64,
        number: i32,
        architecture: u32,
    }

    /// `struct sigaction` as `rt_sigaction` takes it.
    Sigaction {
        handler: u64,
        flags: u64,
        restorer: u64,
        mask: u64,
    }

    /// `stack_t`.
    SignalStack {
        address: u64,
        flags: u32,
        padding: u32,
        size: u64,
    }

    /// `struct sigcontext`.
    SignalContext {
        r8: u64,
        r9: u64,
        r10: u64,
        r11: u64,
        r12: u64,
        r13: u64,
        r14: u64,
        r15: u64,
        rdi: u64,
        rsi: u64,
        rbp: u64,
        rbx: u64,
        rdx: u64,
        rax: u64,
        rcx: u64,
        rsp: u64,
        rip: u64,
        eflags: u64,
        cs: u16,
        gs: u16,
        fs: u16,
        ss: u16,
        error: u64,
        trap: u64,
        old_mask: u64,
        cr2: u64,
        /// Address of the vector state, or null.
        vector_state: u64,
        reserved: [u64; 8],
    }

    /// `struct ucontext`.
    UserContextFrame {
        flags: u64,
        link: u64,
        stack: SignalStack,
        context: SignalContext,
        mask: u64,
    }

    /// `struct rt_sigframe` up to its `siginfo_t`, which follows at once.
    SignalFrame {
        return_address: u64,
        context: UserContextFrame,
    }

    /// `struct _fpx_sw_bytes`: the software-reserved end of the legacy vector state.
    VectorStateHead {
        magic: u32,
        extended_size: u32,
        components: u64,
        size: u32,
        padding: [u32; 7],
    }
}

/// `UC_FP_XSTATE`: the vector state is extended, with a [`VectorStateHead`].
pub const UC_FP_XSTATE: u64 = 1;
/// `UC_SIGCONTEXT_SS`: SS is saved.
pub const UC_SIGCONTEXT_SS: u64 = 2;
/// `UC_STRICT_RESTORE_SS`: SS is to be restored as saved.
pub const UC_STRICT_RESTORE_SS: u64 = 4;

/// `FP_XSTATE_MAGIC1`, in [`VectorStateHead`].
pub const VECTOR_MAGIC: u32 = 0x4650_5853;
/// `FP_XSTATE_MAGIC2`, after the state.
pub const VECTOR_END_MAGIC: u32 = 0x4650_5845;
/// Where [`VectorStateHead`] is in the legacy area.
pub const VECTOR_HEAD_OFFSET: usize = 464;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::raw::general as uapi;
    use core::mem::offset_of;

    #[test]
    fn sizes_are_those_of_the_headers() {
        assert_eq!(size_of::<Siginfo>(), size_of::<uapi::siginfo_t>());
        assert_eq!(size_of::<Sigaction>(), size_of::<uapi::kernel_sigaction>());
        assert_eq!(size_of::<SignalStack>(), size_of::<uapi::stack_t>());
        assert_eq!((size_of::<SignalContext>(), size_of::<UserContextFrame>()), (256, 304));
        assert_eq!((size_of::<SignalFrame>(), size_of::<VectorStateHead>()), (312, 48));
    }

    #[test]
    fn tails_are_where_the_union_has_them() {
        type Kill = uapi::__sifields__bindgen_ty_1;
        type Timer = uapi::__sifields__bindgen_ty_2;
        type Queue = uapi::__sifields__bindgen_ty_3;
        type Child = uapi::__sifields__bindgen_ty_4;
        type Poll = uapi::__sifields__bindgen_ty_6;
        type System = uapi::__sifields__bindgen_ty_7;
        assert_eq!(offset_of!(Siginfo, tail), 16);
        assert_eq!(offset_of!(SiginfoSender, user), offset_of!(Kill, _uid));
        assert_eq!(offset_of!(SiginfoSender, value), offset_of!(Queue, _sigval));
        assert_eq!(offset_of!(SiginfoTimer, overrun), offset_of!(Timer, _overrun));
        assert_eq!(offset_of!(SiginfoTimer, value), offset_of!(Timer, _sigval));
        assert_eq!(offset_of!(SiginfoChild, status), offset_of!(Child, _status));
        assert_eq!(offset_of!(SiginfoChild, user_time), offset_of!(Child, _utime));
        assert_eq!(offset_of!(SiginfoChild, system_time), offset_of!(Child, _stime));
        assert_eq!(offset_of!(SiginfoPoll, descriptor), offset_of!(Poll, _fd));
        assert_eq!(offset_of!(SiginfoSystemCall, number), offset_of!(System, _syscall));
        assert_eq!(offset_of!(SiginfoSystemCall, architecture), offset_of!(System, _arch));
    }

    #[test]
    fn offsets_of_the_rest() {
        assert_eq!(offset_of!(Siginfo, code), 8);
        assert_eq!(offset_of!(Sigaction, mask), offset_of!(uapi::kernel_sigaction, sa_mask));
        assert_eq!(offset_of!(Sigaction, restorer), offset_of!(uapi::kernel_sigaction, sa_restorer));
        assert_eq!(offset_of!(SignalStack, size), offset_of!(uapi::stack_t, ss_size));
        assert_eq!(offset_of!(SiginfoFault, key), 16);
    }
}
