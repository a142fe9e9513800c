//! What a member wrote into its volume is there when it comes again, unless its node's disk was broken.

use super::Verdict;
use super::excuses::breaks_disk;
use crate::record::Record;
use std::time::Duration;

/// See the module.
pub(super) struct Kept;

impl Verdict for Kept {
    fn name(&self) -> &'static str {
        "a volume keeps what its member has written"
    }

    fn check(&self, record: &Record) -> Result<String, String> {
        let (mut lives, mut excused) = (0, 0);
        let broken =
            |node: &str, at: Duration| record.spans.iter().any(|span| breaks_disk(span, node) && span.begun <= at);
        for name in &record.tied {
            let mut last: Option<(&str, u64)> = None;
            for line in record.diaries.get(name).into_iter().flatten() {
                let Ok(number) = line.word.trim().parse::<u64>() else {
                    return Err(format!("{name} wrote {:?} at {:.1} s", line.word, line.at.as_secs_f64()));
                };
                let again = last.filter(|(life, _)| *life != line.life);
                if let Some((_, before)) = again {
                    lives += 1;
                    if number <= before {
                        if !broken(&line.node, line.at) {
                            let at = line.at.as_secs_f64();
                            return Err(format!(
                                "{name} had counted to {before}, and went on with {number} at {at:.1} s"
                            ));
                        }
                        excused += 1;
                    }
                }
                last = Some((&line.life, number));
            }
        }
        let names = record.tied.len();
        Ok(format!("{names} volumes, {lives} times taken up again, {excused} of them after a broken disk"))
    }
}
