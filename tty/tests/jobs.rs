//! Job control's verdicts, case by case.

use tty::job_control::{
    Acquire, Attempt, Caller, Refusal, Verdict, check_acquire, check_foreground, judge, open_acquires,
};

const BACKGROUND: Caller =
    Caller { is_controlled: true, group: 10, group_is_orphaned: false, refuses_ttin: false, refuses_ttou: false };
const FOREGROUND: Option<u32> = Some(20);

#[test]
fn the_foreground_and_strangers_are_free() {
    for attempt in [Attempt::Read, Attempt::Write { tostop: true }, Attempt::Change] {
        assert_eq!(judge(attempt, &BACKGROUND, Some(10)), Verdict::Allow);
        assert_eq!(judge(attempt, &BACKGROUND, None), Verdict::Allow);
        let stranger = Caller { is_controlled: false, group_is_orphaned: true, ..BACKGROUND };
        assert_eq!(judge(attempt, &stranger, FOREGROUND), Verdict::Allow);
    }
}

#[test]
fn the_background_is_stopped_or_refused() {
    use Verdict::{Allow, Refuse, StopInput, StopOutput};
    let write = Attempt::Write { tostop: true };
    let free = Attempt::Write { tostop: false };
    // (attempt, orphaned, refuses TTIN, refuses TTOU, verdict)
    let cases = [
        (Attempt::Read, false, false, true, StopInput),
        (Attempt::Read, false, true, false, Refuse),
        (Attempt::Read, true, false, false, Refuse),
        (Attempt::Read, true, true, false, Refuse),
        (write, false, true, false, StopOutput),
        (write, false, false, true, Allow),
        (write, true, false, false, Refuse),
        (write, true, false, true, Allow),
        (free, false, false, false, Allow),
        (free, true, false, false, Allow),
        (Attempt::Change, false, false, false, StopOutput),
        (Attempt::Change, false, false, true, Allow),
        (Attempt::Change, true, false, false, Refuse),
        (Attempt::Change, true, true, true, Allow),
    ];
    for (attempt, group_is_orphaned, refuses_ttin, refuses_ttou, verdict) in cases {
        let caller = Caller { group_is_orphaned, refuses_ttin, refuses_ttou, ..BACKGROUND };
        assert_eq!(judge(attempt, &caller, FOREGROUND), verdict, "{attempt:?} {caller:?}");
    }
}

#[test]
fn foreground_groups_belong_to_the_session() {
    let check =
        |caller: &Caller, of_terminal, group, of_group| check_foreground(caller, 1, of_terminal, group, of_group);
    assert_eq!(check(&BACKGROUND, Some(1), 30, Some(1)), Ok(()));
    assert_eq!(check(&BACKGROUND, Some(1), 30, Some(2)), Err(Refusal::NotPermitted));
    assert_eq!(check(&BACKGROUND, Some(1), 30, None), Err(Refusal::NoSuchGroup));
    assert_eq!(check(&BACKGROUND, Some(1), -1, None), Err(Refusal::Invalid));
    assert_eq!(check(&BACKGROUND, Some(2), 30, Some(1)), Err(Refusal::NotTheTerminal));
    assert_eq!(check(&BACKGROUND, None, 30, Some(1)), Err(Refusal::NotTheTerminal));
    let stranger = Caller { is_controlled: false, ..BACKGROUND };
    assert_eq!(check(&stranger, Some(1), -1, None), Err(Refusal::NotTheTerminal));
}

#[test]
fn leaders_without_a_terminal_may_take_a_free_one() {
    let refused = Err(Refusal::NotPermitted);
    // (leader, has one, terminal's session, forces, may read, answer); the caller's session is 1.
    let cases = [
        (true, false, None, false, true, Ok(Acquire::Take)),
        (true, true, Some(1), false, true, Ok(Acquire::Kept)),
        (true, true, None, false, true, refused),
        (false, false, None, false, true, refused),
        (true, false, Some(2), false, true, refused),
        (true, false, Some(2), true, true, Ok(Acquire::Steal)),
        (true, false, None, false, false, refused),
    ];
    for (leader, has_terminal, of_terminal, forces, may_read, answer) in cases {
        assert_eq!(check_acquire(leader, 1, has_terminal, of_terminal, forces, may_read), answer);
    }
    assert!(open_acquires(true, false, None, false, true));
    for (leader, has, of, no_ctty, reads) in [
        (false, false, None, false, true),
        (true, true, None, false, true),
        (true, false, Some(3), false, true),
        (true, false, None, true, true),
        (true, false, None, false, false),
    ] {
        assert!(!open_acquires(leader, has, of, no_ctty, reads));
    }
}
