//! Which operations.

use crate::nearest::nearest;
use anyhow::{Result, bail};

/// Those named (a name without `@` stands for all its sizes), in the order of `known`; all that do not grow when none is named.
pub fn choose(known: &[String], names: &[String], growth: bool) -> Result<Vec<String>> {
    for name in names {
        if !known.iter().any(|known| is_meant(known, name)) {
            let nearest = nearest(known.iter().map(|known| base(known)), base(name));
            bail!("no operation is called {name}; {nearest} comes nearest (--list prints all)");
        }
    }
    let wanted = |known: &&String| {
        names.iter().any(|name| is_meant(known, name))
            || names.is_empty() && !known.contains('@')
            || growth && known.contains('@')
    };
    Ok(known.iter().filter(wanted).cloned().collect())
}

fn is_meant(known: &str, name: &str) -> bool {
    known == name || known.split_once('@').is_some_and(|(base, _)| base == name)
}

fn base(name: &str) -> &str {
    name.split('@').next().unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::choose;

    fn strings(words: &[&str]) -> Vec<String> {
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    #[test]
    fn names_and_sizes() {
        let known = strings(&["fork_exit", "pipe_rtt", "poll@10", "poll@100"]);
        assert_eq!(choose(&known, &[], false).unwrap(), ["fork_exit", "pipe_rtt"]);
        assert_eq!(choose(&known, &[], true).unwrap().len(), 4);
        assert_eq!(
            choose(&known, &strings(&["poll", "fork_exit"]), false).unwrap(),
            ["fork_exit", "poll@10", "poll@100"]
        );
        assert_eq!(choose(&known, &strings(&["poll@10"]), false).unwrap(), ["poll@10"]);
        let error = choose(&known, &strings(&["fork_exi"]), false).unwrap_err().to_string();
        assert!(error.contains("fork_exit comes nearest"), "{error}");
    }
}
