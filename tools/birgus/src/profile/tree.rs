//! Counts by address, summed up by function and by path.

use super::stack::Counts;
use super::symbols::{Name, Symbols};
use std::collections::{BTreeMap, HashMap, HashSet};

/// A function called from where its parent stands.
#[derive(Clone, Debug, Default)]
pub struct Node {
    pub name: Name,
    /// Instructions of its own, and with all that it called.
    pub own: u64,
    pub all: u64,
    pub children: BTreeMap<Name, usize>,
}

/// A function, wherever it was called from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sum {
    pub own: u64,
    pub all: u64,
}

pub struct Profile {
    /// The root first.
    pub nodes: Vec<Node>,
    pub names: Vec<String>,
    /// By function, inlined ones on their own.
    pub functions: HashMap<Name, Sum>,
    /// By symbol: what was inlined counts for the function that holds it.
    pub symbols: HashMap<Name, u64>,
    operations: u64,
}

impl Profile {
    pub fn new(counts: &Counts, symbols: &mut Symbols, operations: u64) -> Self {
        let mut profile = Self {
            nodes: vec![Node { name: symbols.number("all"), ..Node::default() }],
            names: Vec::new(),
            functions: HashMap::new(),
            symbols: HashMap::new(),
            operations: operations.max(1),
        };
        for (&(chain, address), &count) in &counts.counts {
            let mut path = Vec::new();
            for call in counts.calls(chain) {
                path.extend_from_slice(&symbols.functions(call));
            }
            let here = symbols.functions(address);
            *profile.symbols.entry(here[0]).or_default() += count;
            path.extend_from_slice(&here);
            profile.add(&path, count);
        }
        if counts.user > 0 {
            let user = symbols.number("[user mode]");
            profile.add(&[user], counts.user);
            *profile.symbols.entry(user).or_default() += counts.user;
        }
        let highest = profile.nodes.iter().map(|node| node.name).max().unwrap_or(0);
        profile.names = (0..=highest).map(|name| symbols.name(name).to_owned()).collect();
        profile
    }

    fn add(&mut self, path: &[Name], count: u64) {
        let mut at = 0;
        self.nodes[0].all += count;
        for &name in path {
            let next = self.nodes.len();
            let child = *self.nodes[at].children.entry(name).or_insert(next);
            if child == next {
                self.nodes.push(Node { name, ..Node::default() });
            }
            self.nodes[child].all += count;
            at = child;
        }
        self.nodes[at].own += count;
        // A function that calls itself counts once.
        for name in path.iter().collect::<HashSet<_>>() {
            self.functions.entry(*name).or_default().all += count;
        }
        if let Some(last) = path.last() {
            self.functions.entry(*last).or_default().own += count;
        }
    }

    /// All instructions.
    pub fn total(&self) -> u64 {
        self.nodes[0].all
    }

    /// For one operation.
    pub fn each(&self, count: u64) -> f64 {
        count as f64 / self.operations as f64
    }

    /// A node's children, the largest first.
    pub fn children(&self, at: usize) -> Vec<usize> {
        let mut children: Vec<usize> = self.nodes[at].children.values().copied().collect();
        children.sort_by_key(|&child| std::cmp::Reverse(self.nodes[child].all));
        children
    }

    pub fn name(&self, name: Name) -> &str {
        &self.names[name as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::super::stack::Stacks;
    use super::super::symbols::Symbols;
    use super::super::trace::{Flow, Step};
    use super::{Profile, Sum};

    #[test]
    fn functions_and_paths() {
        let mut symbols = Symbols::of_list("8000000000000000 T outer\n8000000000000010 T inner\n");
        let mut stacks = Stacks::default();
        let word = |address: u64, flow| Step { address: 1 << 63 | address, length: 1, flow };
        // outer calls inner, which calls itself; then a step in user mode.
        let steps = [
            word(0, Flow::Call),
            word(0x10, Flow::Call),
            word(0x10, Flow::Nothing),
            word(0x11, Flow::Return),
            word(0x11, Flow::Return),
            word(1, Flow::Leave),
            Step { address: 5, length: 1, flow: Flow::Nothing },
        ];
        steps.into_iter().for_each(|step| stacks.step(step));
        let profile = Profile::new(&stacks.finish(), &mut symbols, 2);
        assert_eq!(profile.total(), 7);
        assert!((profile.each(7) - 3.5).abs() < 1e-9);
        let (outer, inner) = (symbols.number("outer"), symbols.number("inner"));
        assert_eq!(profile.functions[&outer], Sum { own: 2, all: 6 });
        assert_eq!(profile.functions[&inner], Sum { own: 4, all: 4 });
        assert_eq!(profile.symbols[&inner], 4);
        let top = profile.children(0);
        assert_eq!(profile.name(profile.nodes[top[0]].name), "outer");
        assert_eq!(profile.name(profile.nodes[top[1]].name), "[user mode]");
    }
}
