//! The same in a few lines.

use super::html::{headline, time};
use super::model::Model;
use crate::record::Stream;

/// For a terminal.
pub fn summary(model: &Model<'_>) -> String {
    let mut lines = Vec::new();
    for one in &model.judged.to_vec() {
        match &one.outcome {
            Ok(basis) => lines.push(format!("holds   {} ({basis})", one.name)),
            Err(why) => lines.push(format!("BROKEN  {}: {why}", one.name)),
        }
    }
    lines.push(String::new());
    let row = |what: &str, cells: [String; 4]| {
        format!("{what:<84} {:>7} {:>9} {:>9} {:>9}", cells[0], cells[1], cells[2], cells[3])
    };
    lines.push(row("recovery", ["times", "p50", "p99", "worst"].map(str::to_owned)));
    for one in &model.recoveries {
        let times = [50, 99, 100].map(|percent| time(one.percentile(percent)));
        let [p50, p99, worst] = times;
        lines.push(row(&one.what, [one.times.len().to_string(), p50, p99, worst]));
    }
    lines.push(String::new());
    lines.push(row("requests", ["all", "excused", "failed", "gap"].map(str::to_owned)));
    for stream in Stream::ALL {
        let (all, excused, failed) = model.counts(stream);
        let gap = model.gaps.iter().filter(|((of, _), _)| *of == stream).map(|(_, gap)| *gap).max();
        let cells = [all, excused, failed].map(|count| count.to_string());
        let [all, excused, failed] = cells;
        lines.push(row(stream.name(), [all, excused, failed, gap.map(time).unwrap_or_default()]));
    }
    lines.push(String::new());
    lines.push(format!("{}: {}", model.schedule.scenario, headline(model)));
    lines.push(format!("again:  {}", model.again));
    lines.join("\n")
}
