use super::*;
use proptest::prelude::*;
use std::collections::BTreeMap;

/// Checks order, balance and summaries; answers the number of nodes.
fn check<T>(link: &Link<T>) -> usize {
    let Some(node) = link else { return 0 };
    let count = 1 + check(&node.left) + check(&node.right);
    assert!(node::height(&node.left).abs_diff(node::height(&node.right)) <= 1, "balanced");
    let (mut gap, mut first, mut last) = (0, node.start, node.end);
    if let Some(left) = &node.left {
        assert!(left.last <= node.start);
        (gap, first) = (left.gap.max(node.start - left.last), left.first);
    }
    if let Some(right) = &node.right {
        assert!(node.end <= right.first);
        (gap, last) = (gap.max(right.gap).max(right.first - node.end), right.last);
    }
    assert_eq!((node.gap, node.first, node.last), (gap, first, last));
    count
}

type Model = BTreeMap<usize, (usize, u32)>;

fn free(model: &Model, range: Range<usize>) -> bool {
    model.iter().all(|(&start, &(end, _))| end <= range.start || range.end <= start)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn like_an_ordered_map(steps in prop::collection::vec((0usize..6, 0usize..300, 1usize..12), 1..200)) {
        let (mut tree, mut model) = (RangeTree::new(), Model::new());
        for (number, (what, at, length)) in steps.into_iter().enumerate() {
            match what {
                0..=2 => if free(&model, at..at + length) {
                    tree.insert(at..at + length, number as u32).unwrap();
                    model.insert(at, (at + length, number as u32));
                },
                3 => {
                    let start = model.range(..=at).next_back().map(|(&start, _)| start).unwrap_or(at);
                    let expected = model.remove(&start).map(|(end, value)| (start..end, value));
                    prop_assert_eq!(tree.remove(start), expected);
                }
                4 => if let Some((&start, &(end, value))) = model.range(at..).next() && end - start > 1 {
                    prop_assert!(tree.resize(start, start + 1..end));
                    model.remove(&start);
                    model.insert(start + 1, (end, value));
                },
                _ => {
                    let found = (0..300).filter(|&start| start >= at && start + length <= 300 && free(&model, start..start + length));
                    let all: Vec<usize> = found.collect();
                    prop_assert_eq!(tree.lowest_gap(at..300, length), all.first().copied());
                    prop_assert_eq!(tree.highest_gap(at..300, length), all.last().copied());
                }
            }
            prop_assert_eq!(check(&tree.root), tree.len());
            let expected = model.iter().find(|(_, (end, _))| *end > at).map(|(&start, &(end, _))| start..end);
            prop_assert_eq!(tree.find(at).map(|(range, _)| range), expected);
            let before = model.iter().rfind(|(_, (end, _))| *end <= at).map(|(&start, &(end, _))| start..end);
            prop_assert_eq!(tree.before(at).map(|(range, _)| range), before);
            prop_assert_eq!(tree.get_mut(at).map(|(range, _)| range), tree.get(at).map(|(range, _)| range));
        }
        let all: Vec<_> = tree.iter().map(|(range, value)| (range.start, (range.end, *value))).collect();
        prop_assert_eq!(&all, &model.iter().map(|(&start, &value)| (start, value)).collect::<Vec<_>>());
        let mut copies = tree.iter().map(|(range, value)| (range, *value));
        let copy = RangeTree::from_sorted(tree.len(), &mut copies).unwrap();
        prop_assert_eq!(check(&copy.root), model.len());
        prop_assert_eq!(copy.iter().count(), model.len());
    }
}

#[test]
fn reserved_nodes_are_used_and_come_back() {
    let mut tree = RangeTree::new();
    tree.reserve(2).unwrap();
    tree.insert(10..20, ()).unwrap();
    tree.insert(30..40, ()).unwrap();
    assert!(tree.spares.iter().all(|spare| spare.capacity() == 0));
    tree.remove(10).unwrap();
    assert_eq!(tree.spares.iter().filter(|spare| spare.capacity() != 0).count(), 1);
    tree.give_back();
    assert!(tree.spares.iter().all(|spare| spare.capacity() == 0), "nothing but the nodes of ranges is left");
}
