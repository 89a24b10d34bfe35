use super::*;
use proptest::prelude::*;
use std::collections::BTreeMap;

#[derive(Clone, Debug)]
enum Step {
    Insert(u64, u32),
    Remove(u64),
    Dirty(u64, bool),
    Next(u64),
    Previous(u64),
}

fn index() -> impl Strategy<Value = u64> {
    prop_oneof![0..200u64, 4000..4200u64, (0..64u32).prop_map(|bit| 1 << bit), Just(u64::MAX), any::<u64>()]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (index(), any::<u32>()).prop_map(|(index, value)| Step::Insert(index, value)),
        2 => index().prop_map(Step::Remove),
        1 => (index(), any::<bool>()).prop_map(|(index, dirty)| Step::Dirty(index, dirty)),
        1 => index().prop_map(Step::Next),
        1 => index().prop_map(Step::Previous),
    ]
}

fn insert(tree: &mut Radix<u32>, index: u64, value: u32) -> bool {
    let mut spare = Spare::new();
    loop {
        match tree.insert(index, value, &mut spare) {
            Ok(()) => return true,
            Err(Refused::Occupied(_)) => return false,
            Err(Refused::NeedsNodes(_)) => spare.fill(),
        }
    }
}

proptest! {
    #[test]
    fn agrees_with_an_ordered_map(steps in prop::collection::vec(step(), 1..200)) {
        let mut tree = Radix::new();
        let mut model: BTreeMap<u64, (u32, bool)> = BTreeMap::new();
        for step in steps {
            match step {
                Step::Insert(index, value) => {
                    prop_assert_eq!(insert(&mut tree, index, value), !model.contains_key(&index));
                    model.entry(index).or_insert((value, false));
                }
                Step::Remove(index) => prop_assert_eq!(tree.remove(index), model.remove(&index).map(|entry| entry.0)),
                Step::Dirty(index, dirty) => {
                    let known = model.get_mut(&index).map(|entry| entry.1 = dirty).is_some();
                    prop_assert_eq!(tree.set_dirty(index, dirty), known);
                }
                Step::Next(from) => {
                    let mut after = model.range(from..);
                    prop_assert_eq!(tree.next(from, Tag::Present), after.clone().next().map(|entry| *entry.0));
                    let dirty = after.find(|entry| entry.1.1).map(|entry| *entry.0);
                    prop_assert_eq!(tree.next(from, Tag::Dirty), dirty);
                }
                Step::Previous(to) => {
                    let mut before = model.range(..=to).rev();
                    prop_assert_eq!(tree.previous(to, Tag::Present), before.clone().next().map(|entry| *entry.0));
                    let dirty = before.find(|entry| entry.1.1).map(|entry| *entry.0);
                    prop_assert_eq!(tree.previous(to, Tag::Dirty), dirty);
                }
            }
            prop_assert_eq!(tree.len(), model.len() as u64);
            for (index, (value, dirty)) in &model {
                prop_assert_eq!(tree.get(*index), Some(value));
                prop_assert_eq!(tree.is_dirty(*index), *dirty);
            }
        }
        for index in model.keys() {
            tree.remove(*index);
        }
        prop_assert!(tree.root.is_none() && tree.height == 0);
    }
}
