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

proptest! {
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
