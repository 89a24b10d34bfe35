//! Making threads and ending them.
use crate::cpus::Account;
use crate::wake;
use alloc::boxed::Box;
use alloc::sync::Arc;
use core::sync::atomic::{AtomicU64, Ordering};
use sched::{Entity, Nice, Policy};
use sync::Thread;
use sync::thread::Sleep;

pub(crate) static NEXT_ACCOUNT: AtomicU64 = AtomicU64::new(1);

/// Makes `thread`, which has never run, runnable with the given share.
pub fn start(thread: Arc<Thread>, nice: Nice, policy: Policy) {
    let number = NEXT_ACCOUNT.fetch_add(1, Ordering::Relaxed);
    let entity: Account = Box::new(Entity::new(number, nice, policy));
    thread.account.store(number, Ordering::Relaxed);
    let target = wake::target_for_new(&thread);
    wake::enqueue_new(entity, thread, target);
}

/// Ends the running thread. Its memory goes once its last reference does, after it has left its stack.
pub fn exit_thread() -> ! {
    loop {
        sync::current().prepare_to_sleep(Sleep::Dead);
        sync::ambient::give_up_cpu();
    }
}
