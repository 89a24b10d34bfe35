//! Functions with typed arguments as entries of the table.
use crate::argument::Argument;
use abi::Errno;
use task::{Answer, Failure, Task};
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
