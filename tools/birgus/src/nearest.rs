//! The name that somebody may have meant.

/// The one of `known` that is the least changes away; empty if there is none.
pub fn nearest<'a>(known: impl Iterator<Item = &'a str>, name: &str) -> &'a str {
    known.min_by_key(|known| distance(known, name)).unwrap_or_default()
}

/// Levenshtein's distance.
fn distance(left: &str, right: &str) -> usize {
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (index, letter) in left.bytes().enumerate() {
        let mut diagonal = index;
        row[0] = index + 1;
        for (column, other) in right.bytes().enumerate() {
            let changed = diagonal + usize::from(letter != other);
            diagonal = row[column + 1];
            row[column + 1] = changed.min(row[column] + 1).min(diagonal + 1);
        }
    }
    row[right.len()]
}

#[cfg(test)]
mod tests {
    use super::{distance, nearest};

    #[test]
    fn the_least_changes() {
        assert_eq!(nearest(["fork", "first-touch", "pipes"].into_iter(), "first-tuch"), "first-touch");
        assert_eq!(nearest(std::iter::empty(), "x"), "");
    }

    #[test]
    fn distances() {
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("same", "same"), 0);
    }
}
