//! Rings under one writer, and under a reader on another CPU.
use trace::ring::{Found, Ring};
use trace::{Kind, POINTS, Record};

fn record(number: u64) -> Record {
    Record {
        cycles: number,
        event: (number % 7) as u8,
        context: number as u32,
        thread: !number as u32,
        stack: number * 3,
        arguments: [number; 6],
    }
}

#[test]
fn the_oldest_are_overwritten_and_counted() {
    let ring = Ring::new(100).expect("little memory");
    let capacity = ring.capacity() as u64;
    assert!(capacity >= 100);
    assert_eq!(ring.read(0), Found::Nothing);
    for number in 0..capacity - 1 {
        ring.write(&record(number));
    }
    assert_eq!((ring.oldest(), ring.overwritten()), (0, 0));
    for number in capacity - 1..3 * capacity {
        ring.write(&record(number));
    }
    let oldest = 2 * capacity + 1;
    assert_eq!((ring.next(), ring.oldest(), ring.overwritten()), (3 * capacity, oldest, oldest));
    assert_eq!(ring.read(5), Found::Overtaken(oldest));
    for number in oldest..3 * capacity {
        assert_eq!(ring.read(number), Found::Record(record(number)));
    }
    assert_eq!(ring.read(3 * capacity), Found::Nothing);
    ring.clear();
    assert_eq!((ring.oldest(), ring.overwritten()), (3 * capacity, 0));
    ring.write(&record(7));
    assert_eq!(ring.read(3 * capacity), Found::Record(record(7)));
}

#[test]
fn a_reader_sees_whole_records_or_none() {
    const RECORDS: u64 = 300_000;
    let ring = Ring::new(64).expect("little memory");
    let seen = std::thread::scope(|scope| {
        scope.spawn(|| (0..RECORDS).for_each(|number| ring.write(&record(number))));
        let (mut number, mut seen) = (0, 0);
        while number < RECORDS {
            match ring.read(number) {
                Found::Record(found) => {
                    assert_eq!(found, record(number));
                    (number, seen) = (number + 1, seen + 1);
                }
                Found::Overtaken(oldest) => number = oldest.max(number + 1),
                Found::Nothing => std::thread::yield_now(),
            }
        }
        seen
    });
    assert!(seen > 0);
}

#[test]
fn names_of_points_are_words_and_differ() {
    for (index, point) in POINTS.iter().enumerate() {
        assert!(point.name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'));
        assert!(POINTS[..index].iter().all(|other| other.name != point.name));
        assert!(
            point
                .arguments
                .iter()
                .all(|(name, kind)| !name.is_empty() && (*kind != Kind::Name || name.ends_with("comm")))
        );
    }
}
