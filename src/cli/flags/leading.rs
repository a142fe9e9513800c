//! Flags before the verb, as kubectl takes them: `raftsman -n web get pods`.

use crate::kubeconfig::Target;
use clap::{ArgAction, Args, Command};

/// The words with the flags of [`Target`] that stand before the verb moved behind it, where its command knows them.
pub fn verb_first(words: Vec<String>) -> Vec<String> {
    let known = Target::augment_args(Command::new("flags"));
    let mut end = 1;
    while let Some(word) = words.get(end).filter(|word| word.starts_with('-')) {
        match length(&known, word) {
            Some(length) => end += length,
            // Another flag, or an odd one: whoever reads the line says so.
            None => return words,
        }
    }
    if end == 1 || end >= words.len() {
        return words;
    }
    let (front, rest) = words.split_at(end);
    let (program, flags) = front.split_at(1);
    let (verb, rest) = rest.split_at(1);
    [program, verb, flags, rest].concat()
}

/// How many words a flag takes: itself, and its value if that is the next one.
fn length(known: &Command, word: &str) -> Option<usize> {
    let (arg, attached) = match word.strip_prefix("--") {
        Some(long) => {
            let (name, value) = long.split_once('=').map_or((long, None), |(name, value)| (name, Some(value)));
            (known.get_arguments().find(|arg| arg.get_long() == Some(name))?, value.is_some())
        }
        None => {
            let letter = word.chars().nth(1)?;
            (known.get_arguments().find(|arg| arg.get_short() == Some(letter))?, word.len() > 1 + letter.len_utf8())
        }
    };
    Some(if attached || matches!(arg.get_action(), ArgAction::SetTrue) { 1 } else { 2 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_before_the_verb_come_behind_it() {
        let moved = |line: &str| verb_first(line.split(' ').map(str::to_owned).collect()).join(" ");
        for (line, wanted) in [
            ("x -n web get pods", "x get -n web pods"),
            ("x --context=c -nweb exec p -- ls", "x exec --context=c -nweb p -- ls"),
            ("x --insecure-skip-tls-verify -s u get -n a", "x get --insecure-skip-tls-verify -s u -n a"),
            ("x get -n web", "x get -n web"),
            ("x --help", "x --help"),
            ("x -n web", "x -n web"),
            ("x --odd get", "x --odd get"),
            ("x - get", "x - get"),
        ] {
            assert_eq!(moved(line), wanted);
        }
    }
}
