//! Error numbers (`errno(3)`).
use core::fmt;
use core::num::NonZeroU16;

/// An error number as Linux returns it: a system call answers its negative.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Errno(NonZeroU16);

impl Errno {
    /// The positive number.
    pub const fn number(self) -> u16 {
        self.0.get()
    }

    /// What a system call leaves in RAX for this error.
    pub const fn to_return_value(self) -> isize {
        -(self.0.get() as isize)
    }

    const fn from_raw(number: u32) -> Self {
        match NonZeroU16::new(number as u16) {
            Some(number) => Self(number),
            None => panic!("an error number is never zero"),
        }
    }
}

impl fmt::Debug for Errno {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => formatter.write_str(name),
            None => write!(formatter, "errno {}", self.0),
        }
    }
}

macro_rules! errors {
    ($($name:ident)*) => {
        impl Errno {
            $(pub const $name: Self = Self::from_raw(linux_raw_sys::errno::$name);)*

            /// The symbolic name, such as `ENOENT`.
            pub const fn name(self) -> Option<&'static str> {
                match self.0.get() as u32 {
                    $(linux_raw_sys::errno::$name => Some(stringify!($name)),)*
                    _ => None,
                }
            }
        }
    };
}

/// Writing text into the kernel's memory fails for want of memory only.
impl From<core::fmt::Error> for Errno {
    fn from(_: core::fmt::Error) -> Self {
        Self::ENOMEM
    }
}

impl Errno {
    /// The same number as `EAGAIN`.
    pub const EWOULDBLOCK: Self = Self::EAGAIN;
}

errors! {
    EPERM ENOENT ESRCH EINTR EIO ENXIO E2BIG ENOEXEC EBADF ECHILD EAGAIN ENOMEM EACCES EFAULT ENOTBLK EBUSY
    EEXIST EXDEV ENODEV ENOTDIR EISDIR EINVAL ENFILE EMFILE ENOTTY ETXTBSY EFBIG ENOSPC ESPIPE EROFS EMLINK
    EPIPE EDOM ERANGE EDEADLK ENAMETOOLONG ENOLCK ENOSYS ENOTEMPTY ELOOP ENOMSG EIDRM ECHRNG EL2NSYNC EL3HLT
    EL3RST ELNRNG EUNATCH ENOCSI EL2HLT EBADE EBADR EXFULL ENOANO EBADRQC EBADSLT EBFONT ENOSTR ENODATA ETIME
    ENOSR ENONET ENOPKG EREMOTE ENOLINK EADV ESRMNT ECOMM EPROTO EMULTIHOP EDOTDOT EBADMSG EOVERFLOW ENOTUNIQ
    EBADFD EREMCHG ELIBACC ELIBBAD ELIBSCN ELIBMAX ELIBEXEC EILSEQ ERESTART ESTRPIPE EUSERS ENOTSOCK
    EDESTADDRREQ EMSGSIZE EPROTOTYPE ENOPROTOOPT EPROTONOSUPPORT ESOCKTNOSUPPORT EOPNOTSUPP EPFNOSUPPORT
    EAFNOSUPPORT EADDRINUSE EADDRNOTAVAIL ENETDOWN ENETUNREACH ENETRESET ECONNABORTED ECONNRESET ENOBUFS
    EISCONN ENOTCONN ESHUTDOWN ETOOMANYREFS ETIMEDOUT ECONNREFUSED EHOSTDOWN EHOSTUNREACH EALREADY EINPROGRESS
    ESTALE EUCLEAN ENOTNAM ENAVAIL EISNAM EREMOTEIO EDQUOT ENOMEDIUM EMEDIUMTYPE ECANCELED ENOKEY EKEYEXPIRED
    EKEYREVOKED EKEYREJECTED EOWNERDEAD ENOTRECOVERABLE ERFKILL EHWPOISON
}
