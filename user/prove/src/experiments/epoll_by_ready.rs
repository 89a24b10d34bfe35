//! Waiting for one of many.

use crate::experiment::Linux;
use crate::observe::cost;
use crate::{Experiment, Lab, Subject, Trouble, times};
use evidence::Observable;
use measure::system::{check, pipe};

pub const EXPERIMENT: Experiment = Experiment {
    subject: Subject::Communication,
    claim: "poll costs by what is watched, epoll by what is ready.",
    experiment: "Of 10 to 400 pipes one has a byte to read. poll and epoll_wait are asked, which answer at once; the cost of each is measured over the number \
        of pipes.",
    expected: "poll is handed the whole list each time, and the kernel must ask each file. epoll keeps the list in the kernel, and files add themselves to a \
        list of the ready when something happens: the wait looks at that one only.",
    observable: Observable::OneProcessor,
    linux: Linux::By("the clock"),
    run,
};

/// So many pipes of which the last is ready.
fn pipes(count: usize) -> Result<Vec<(i32, i32)>, Trouble> {
    let pipes: Vec<(i32, i32)> = (0..count).map(|_| pipe()).collect::<Result<_, _>>()?;
    if let Some((_, sink)) = pipes.last() {
        check(unsafe { libc::write(*sink, c"x".as_ptr().cast(), 1) } as i64)?;
    }
    Ok(pipes)
}

fn close(pipes: &[(i32, i32)]) {
    for (source, sink) in pipes {
        unsafe { (libc::close(*source), libc::close(*sink)) };
    }
}

fn by_poll(count: usize) -> Result<f64, Trouble> {
    let pipes = pipes(count)?;
    let mut watched: Vec<libc::pollfd> =
        pipes.iter().map(|(source, _)| libc::pollfd { fd: *source, events: libc::POLLIN, revents: 0 }).collect();
    let cost = cost(move || {
        unsafe { libc::poll(watched.as_mut_ptr(), watched.len() as u64, -1) };
    });
    close(&pipes);
    cost
}

fn by_epoll(count: usize) -> Result<f64, Trouble> {
    let pipes = pipes(count)?;
    let epoll = check(unsafe { libc::epoll_create1(0) })?;
    for (source, _) in &pipes {
        let mut event = libc::epoll_event { events: libc::EPOLLIN as u32, u64: *source as u64 };
        check(unsafe { libc::epoll_ctl(epoll, libc::EPOLL_CTL_ADD, *source, &mut event) })?;
    }
    let mut events = [libc::epoll_event { events: 0, u64: 0 }; 8];
    let cost = cost(move || {
        unsafe { libc::epoll_wait(epoll, events.as_mut_ptr(), 8, -1) };
    });
    unsafe { libc::close(epoll) };
    close(&pipes);
    cost
}

fn run(lab: &mut Lab) -> Result<(), Trouble> {
    let measured = lab.pairs(&[10, 50, 100, 200, 400], by_epoll, by_poll)?;
    let (few, many) = (measured[0], measured[4]);
    lab.mechanism("epoll, 10 watched", few.1, "instructions");
    lab.mechanism("epoll, 400 watched", many.1, "instructions")
        .at_most(times(1.5, "epoll, 10 watched"), "one is ready of either");
    lab.control("poll, 10 watched", few.2, "instructions");
    lab.control("poll, 400 watched", many.2, "instructions").at_least(times(8.0, "poll, 10 watched"), "each is asked");
    let line = |which: fn(&(usize, f64, f64)) -> f64| measured.iter().map(|row| (row.0 as f64, which(row))).collect();
    lab.chart(
        "Cost of a wait with one ready",
        ("pipes watched", "instructions"),
        ("epoll_wait", line(|row| row.1)),
        ("poll", line(|row| row.2)),
    );
    Ok(())
}
