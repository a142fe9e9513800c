#![allow(clippy::unwrap_used)]

use super::*;
use clap::{CommandFactory, FromArgMatches, Parser};
use std::time::Duration;

#[test]
fn durations_are_read_as_go_writes_them() {
    for (text, millis) in [("10s", 10_000), ("2m", 120_000), ("1h30m", 5_400_000), ("500ms", 500), ("0", 0), ("0s", 0)]
    {
        assert_eq!(duration(text).unwrap(), Duration::from_millis(millis), "{text}");
    }
    for text in ["", "10", "s", "3d", "-1s", "1.2.3s", "1e400s"] {
        assert!(duration(text).is_err(), "{text}");
    }
    assert_eq!(timeout("10").unwrap(), Duration::from_secs(10));
    assert_eq!(timeout("1m").unwrap(), Duration::from_secs(60));
    assert!(timeout("soon").is_err());
}

#[derive(Debug, Parser)]
struct Line {
    #[arg(short, long)]
    force: bool,
    #[arg(short = 't', long)]
    tty: bool,
    what: Option<String>,
}

#[test]
fn a_boolean_may_say_its_value() {
    let read = |line: &str| {
        let words = std::iter::once("x").chain(line.split_whitespace());
        Line::from_arg_matches(&with_booleans(Line::command()).try_get_matches_from(words).unwrap()).unwrap()
    };
    assert!(!read("").force);
    assert!(!read("--force=false").force && read("--force=true").force);
    assert!(!read("--force --force=false").force, "the last one counts");
    let both = read("-ft name");
    assert!(both.force && both.tty);
    assert_eq!(read("--force name").what.as_deref(), Some("name"));
}
