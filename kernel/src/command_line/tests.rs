use super::*;

fn arguments(line: &str) -> String {
    shown(CommandLine::parse(line.as_bytes()).init_arguments())
}

fn environment(line: &str) -> String {
    shown(CommandLine::parse(line.as_bytes()).init_environment())
}

#[test]
fn words_values_and_inits_share() {
    let line = CommandLine::parse(b"quiet  panic=-1 title=\"two words\" foo module.parameter=1 panic=5 -- -x \"a b\"");
    assert!(line.has("quiet"));
    assert_eq!(line.value("panic"), Some("5"), "the last one counts");
    assert_eq!(line.number::<i32>("panic"), Some(5));
    assert_eq!(line.init_arguments().collect::<Vec<_>>(), [b"foo" as &[u8], b"-x", b"a b"]);
    assert_eq!(shown(line.init_environment()), "HOME=/ TERM=linux title=two words");
    assert_eq!(shown(line.unknown()), "foo title=two words", "a module's word is not spoken of");
    assert_eq!(CommandLine::parse(b"").unknown().count(), 0);
    assert_eq!(CommandLine::parse(&[0xff, b' ', b'a']).unknown().collect::<Vec<_>>(), [b"\xff" as &[u8], b"a"]);
}

/// As observed on Linux 6.1: `=x`, `"quoted words"` and a bare `init` reach init as arguments.
#[test]
fn odd_words_are_init_arguments_as_on_linux() {
    assert_eq!(arguments("nosuch=1 =x \"quoted words\" init mem= rdinit"), "=x quoted words init rdinit");
    assert_eq!(
        environment("nosuch=1 a=\"b c\" \"d=e f\" g\"h i\"=j"),
        "HOME=/ TERM=linux nosuch=1 a=b c d=e f g\"h i\"=j"
    );
    assert_eq!(environment("TERM=vt100 TERM=dumb HOMES=/x HOME="), "HOME= TERM=dumb HOMES=/x");
    assert_eq!(arguments("unclosed \"quote and more"), "unclosed quote and more");
    assert_eq!(arguments("single init=/bin/sh S"), "S", "what came before init= is dropped");
    assert_eq!(arguments("-- -- init=/x \"y=z\""), "-- init=/x y=z");
}

#[test]
fn dashes_are_underscores_in_names() {
    let line = CommandLine::parse(b"softlockup-panic=1 watchdog_thresh=3 loglevel=99999999999 root=/dev/vda pti=off");
    assert_eq!(line.value("softlockup_panic"), Some("1"));
    assert_eq!(line.number::<u64>("watchdog_thresh"), Some(3));
    assert_eq!(line.number::<u8>("loglevel"), None, "malformed");
    assert_eq!(line.unknown().count(), 0);
    assert_eq!(shown(line.without_effect()), "root=/dev/vda pti=off");
}

#[test]
fn init_has_room_for_so_many_words() {
    let line = |count: usize| CommandLine::parse(vec!["word"; count].join(" ").as_bytes());
    assert_eq!(line(31).too_many(), None);
    assert_eq!(line(32).too_many(), Some(TooMany { kind: "init", word: "word".into() }));
    let variables: Vec<String> = (0..31).map(|number| format!("name{number}=1")).collect();
    assert_eq!(CommandLine::parse(variables[..30].join(" ").as_bytes()).too_many(), None);
    let too_many = CommandLine::parse(variables.join(" ").as_bytes()).too_many();
    assert_eq!(too_many, Some(TooMany { kind: "env", word: "name30".into() }));
}

#[test]
fn hostile_lines_are_only_words() {
    for line in ["\"", "\"\"", "=", "==", "\"=\"", "a=\"", "-- --", "   ", "\"\"=\"\"", "a=\"\"b"] {
        let parsed = CommandLine::parse(line.as_bytes());
        let _ = (parsed.unknown().count(), parsed.too_many(), parsed.value("a"));
    }
}
