//! Functions with typed arguments as entries of the table.
use crate::argument::Argument;
use abi::Errno;
use task::{Answer, Failure, Restart, Task};
use trap::UserContext;

/// What a handler may return.
pub trait IntoAnswer {
    fn into_answer(self) -> Answer;
}

impl IntoAnswer for Answer {
    #[inline(always)]
    fn into_answer(self) -> Answer {
        self
    }
}

impl IntoAnswer for Result<usize, Errno> {
    #[inline(always)]
    fn into_answer(self) -> Answer {
        self.map_err(Failure::Errno)
    }
}

impl IntoAnswer for Result<(), Errno> {
    #[inline(always)]
    fn into_answer(self) -> Answer {
        self.map(|()| 0).map_err(Failure::Errno)
    }
}

impl IntoAnswer for Result<(), Failure> {
    #[inline(always)]
    fn into_answer(self) -> Answer {
        self.map(|()| 0)
    }
}

impl IntoAnswer for usize {
    #[inline(always)]
    fn into_answer(self) -> Answer {
        Ok(self)
    }
}

/// An answer as one word, so that it comes back in a register: what RAX is to hold, or a number that stands for an interruption.
#[derive(Clone, Copy)]
pub struct Packed(u64);

/// Numbers that no call answers, below those of the errors (as ERESTARTSYS and its kin on Linux).
const INTERRUPTIONS: [(u64, Restart); 4] = [
    (512_u64.wrapping_neg(), Restart::IfFlagged),
    (513_u64.wrapping_neg(), Restart::Always),
    (514_u64.wrapping_neg(), Restart::WithoutHandler),
    (516_u64.wrapping_neg(), Restart::Block),
];

impl From<Answer> for Packed {
    #[inline(always)]
    fn from(answer: Answer) -> Self {
        Self(match answer {
            Ok(value) => value as u64,
            Err(Failure::Errno(errno)) => errno.to_return_value() as u64,
            Err(Failure::Interrupted(restart)) => match restart {
                Restart::IfFlagged => INTERRUPTIONS[0].0,
                Restart::Always => INTERRUPTIONS[1].0,
                Restart::WithoutHandler => INTERRUPTIONS[2].0,
                Restart::Block => INTERRUPTIONS[3].0,
            },
        })
    }
}

impl Packed {
    /// What RAX is to hold; or how the interrupted call goes on.
    #[inline(always)]
    pub fn unpack(self) -> Result<u64, Restart> {
        let interruption = self.0.wrapping_sub(INTERRUPTIONS[3].0) <= INTERRUPTIONS[0].0 - INTERRUPTIONS[3].0;
        if interruption { self.interruption() } else { Ok(self.0) }
    }

    #[cold]
    fn interruption(self) -> Result<u64, Restart> {
        let found = INTERRUPTIONS.iter().find(|(number, _)| *number == self.0);
        found.map_or(Ok(self.0), |(_, restart)| Err(*restart))
    }
}

/// A handler with arguments of the types in `A`.
pub trait Handler<A> {
    fn call(&self, task: &Task, context: &mut UserContext) -> Answer;
}

/// Marks handlers that take all registers: those that change them.
pub struct WithContext;

macro_rules! handlers {
    ($($name:ident $register:ident),*) => {
        impl<F, R, $($name),*> Handler<($($name,)*)> for F
        where
            F: Fn(&Task $(, $name)*) -> R,
            R: IntoAnswer,
            $($name: Argument,)*
        {
            #[inline(always)]
            fn call(&self, task: &Task, context: &mut UserContext) -> Answer {
                let _ = &context;
                self(task $(, $name::from_register(context.$register))*).into_answer()
            }
        }

        impl<F, R, $($name),*> Handler<(WithContext, $($name,)*)> for F
        where
            F: Fn(&Task, &mut UserContext $(, $name)*) -> R,
            R: IntoAnswer,
            $($name: Argument,)*
        {
            #[inline(always)]
            fn call(&self, task: &Task, context: &mut UserContext) -> Answer {
                $(let $register = $name::from_register(context.$register);)*
                self(task, context $(, $register)*).into_answer()
            }
        }
    };
}
handlers!();
handlers!(A rdi);
handlers!(A rdi, B rsi);
handlers!(A rdi, B rsi, C rdx);
handlers!(A rdi, B rsi, C rdx, D r10);
handlers!(A rdi, B rsi, C rdx, D r10, E r8);
handlers!(A rdi, B rsi, C rdx, D r10, E r8, G r9);
