use super::*;
use proptest::prelude::*;
use std::collections::BTreeMap;

/// A value whose hash is chosen by the test, through the name's length.
#[derive(Clone, Debug, PartialEq)]
struct Value(Vec<u8>);

impl Named for Value {
    fn hash(&self) -> u64 {
        Name::new(&self.0).unwrap().hash()
    }
    fn is_named(&self, name: &Name<'_>) -> bool {
        self.0 == name.bytes()
    }
}

fn insert<V: Named>(trie: &mut NameTrie<V>, mut value: V) {
    let mut spare = Spare::new();
    while let Err(NeedsNodes(back)) = trie.insert(value, &mut spare) {
        value = back;
        spare.fill();
    }
}

/// The shape of what is below a slot, values by their hashes.
fn shape<V: Named>(slot: &Slot<V>) -> String {
    match slot {
        Slot::Empty => String::from("-"),
        Slot::One(value) => format!("{:x}", value.hash()),
        Slot::Node(node) => {
            let slots: Vec<_> = node.slots.iter().map(shape).collect();
            assert_eq!(node.used as usize, slots.iter().filter(|slot| *slot != "-").count());
            format!("({})", slots.join(" "))
        }
        Slot::Same(same) => format!("[{}]", same.0.len()),
    }
}

/// A value whose hash agrees with others' in as many bits as is wanted.
#[derive(Clone, Debug)]
struct Chosen {
    name: u8,
    hash: u64,
}

impl Named for Chosen {
    fn hash(&self) -> u64 {
        self.hash
    }
    fn is_named(&self, name: &Name<'_>) -> bool {
        name.bytes() == [self.name]
    }
}

proptest! {
    /// The nodes of what is left are those of a trie that never had anything else.
    #[test]
    fn what_went_leaves_no_nodes(differing in prop::collection::vec((0u32..=64, any::<bool>()), 1..32)) {
        let base = 0x0123_4567_89ab_cdef;
        let chosen = |name: usize, bits: u32| {
            let own = Name::new(&[name as u8 + 1]).unwrap().hash();
            Chosen { name: name as u8 + 1, hash: base ^ own.checked_shr(64 - bits).unwrap_or(0) }
        };
        let all: Vec<_> =
            differing.iter().enumerate().map(|(name, &(bits, stays))| (chosen(name, bits), stays)).collect();
        let (mut trie, mut fresh) = (NameTrie::new(), NameTrie::new());
        all.iter().for_each(|(chosen, _)| insert(&mut trie, chosen.clone()));
        for (chosen, stays) in &all {
            if *stays {
                insert(&mut fresh, chosen.clone());
            } else {
                let bytes = [chosen.name];
                let name = Name::new(&bytes).unwrap().with_hash(chosen.hash);
                prop_assert_eq!(trie.remove(&name).map(|removed| removed.name), Some(chosen.name));
            }
        }
        prop_assert_eq!(shape(&trie.root), shape(&fresh.root));
    }

    #[test]
    fn agrees_with_a_map(steps in prop::collection::vec((any::<bool>(), "[a-d]{1,4}"), 1..300)) {
        let mut trie = NameTrie::new();
        let mut model = BTreeMap::new();
        for (add, text) in steps {
            let bytes = text.as_bytes();
            let name = Name::new(bytes).unwrap();
            prop_assert_eq!(trie.get(&name).is_some(), model.contains_key(bytes));
            if add && !model.contains_key(bytes) {
                insert(&mut trie, Value(bytes.to_vec()));
                model.insert(bytes.to_vec(), ());
            } else if !add {
                prop_assert_eq!(trie.remove(&name).is_some(), model.remove(bytes).is_some());
            }
            prop_assert_eq!(trie.len(), model.len());
        }
        let (mut seen, mut from) = (0, 0);
        while let Some(value) = trie.next(from) {
            prop_assert!(model.contains_key(&value.0));
            seen += 1;
            from = value.hash() + 1;
        }
        prop_assert_eq!(seen, model.len());
        while trie.pop().is_some() {}
        prop_assert!(trie.is_empty() && matches!(trie.root, Slot::Empty));
    }
}

/// Values that all collide.
struct Collides(u8, u64);

impl Named for Collides {
    fn hash(&self) -> u64 {
        self.1
    }
    fn is_named(&self, name: &Name<'_>) -> bool {
        name.bytes() == [self.0]
    }
}

#[test]
fn equal_hashes_are_kept_apart() {
    let hash = Name::new(b"a").unwrap().hash();
    let mut trie = NameTrie::new();
    insert(&mut trie, Collides(b'a', hash));
    insert(&mut trie, Collides(b'b', hash));
    insert(&mut trie, Collides(b'c', hash ^ 1));
    let name = Name::new(b"a").unwrap();
    assert_eq!(trie.get(&name).map(|value| value.0), Some(b'a'));
    assert_eq!(trie.remove(&name).map(|value| value.0), Some(b'a'));
    assert!(trie.get(&name).is_none());
    assert_eq!(trie.len(), 2);
    assert!(trie.pop().is_some() && trie.pop().is_some() && trie.pop().is_none());
}
