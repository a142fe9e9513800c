//! The page.

use super::chart::{escape, svg};
use super::model::Model;
use crate::record::Stream;
use std::fmt::Write;
use std::time::Duration;

const STYLE: &str = "body{font:14px/1.5 system-ui,sans-serif;color:#1e293b;margin:2rem auto;max-width:1220px;padding:0 1rem}\
h1{font-size:1.5rem;margin:0}h2{font-size:1.1rem;margin:2rem 0 .5rem}table{border-collapse:collapse;width:100%}\
td,th{text-align:left;padding:.25rem .6rem;border-bottom:1px solid #e2e8f0;vertical-align:top}td.n,th.n{text-align:right;\
font-variant-numeric:tabular-nums}.ok{color:#15803d;font-weight:600}.no{color:#b91c1c;font-weight:600}code,pre{background:#f1f5f9;\
padding:.15rem .35rem;border-radius:4px}pre{padding:.7rem;overflow:auto}.chart{overflow-x:auto}.key span{display:inline-block;\
width:.8em;height:.8em;margin:0 .3em 0 1em;border-radius:2px}p.sub{color:#475569;margin:.2rem 0 1rem}";

/// Seconds or milliseconds, whichever reads better.
pub(super) fn time(time: Duration) -> String {
    if time < Duration::from_secs(1) {
        format!("{} ms", time.as_millis())
    } else {
        format!("{:.2} s", time.as_secs_f64())
    }
}

/// What can be said in one line.
pub(super) fn headline(model: &Model<'_>) -> String {
    let broken = model.judged.iter().filter(|one| one.outcome.is_err()).count();
    let verdict = match broken {
        0 => format!("all {} invariants hold", model.judged.len()),
        _ => format!("{broken} of {} invariants do not hold", model.judged.len()),
    };
    let (requests, faults) = (model.record.requests.len(), model.record.spans.len());
    format!("{verdict}; {faults} faults, {requests} requests, {:.0} s", model.end.as_secs_f64())
}

fn verdicts(model: &Model<'_>) -> String {
    let row = |one: &crate::verdicts::Judged| {
        let (class, word, why) = match &one.outcome {
            Ok(basis) => ("ok", "holds", basis),
            Err(why) => ("no", "BROKEN", why),
        };
        format!(
            "<tr><td class={class}>{word}</td><td>{}</td><td>{}</td></tr>\n",
            escape(&one.name),
            escape(why).replace('\n', "<br>")
        )
    };
    // Whoever looks at this wants to know first what is broken.
    let (good, bad): (Vec<_>, Vec<_>) = model.judged.iter().partition(|one| one.outcome.is_ok());
    bad.into_iter().chain(good).map(row).collect()
}

fn recoveries(model: &Model<'_>) -> String {
    let row = |one: &super::Recovery| {
        format!(
            "<tr><td>{}</td><td class=n>{}</td><td class=n>{}</td><td class=n>{}</td><td class=n>{}</td></tr>\n",
            escape(&one.what),
            one.times.len(),
            time(one.percentile(50)),
            time(one.percentile(99)),
            time(one.percentile(100))
        )
    };
    model.recoveries.iter().map(row).collect()
}

fn requests(model: &Model<'_>) -> String {
    let row = |stream: Stream| {
        let (all, excused, failed) = model.counts(stream);
        let gap = model.gaps.iter().filter(|((of, _), _)| *of == stream).max_by_key(|(_, gap)| **gap);
        let gap = gap.map_or(String::new(), |((_, through), gap)| {
            let through = if through.is_empty() { String::new() } else { format!(" (through {through})") };
            format!("{}{through}", time(*gap))
        });
        let class = if failed > 0 { "n no" } else { "n" };
        format!(
            "<tr><td>{}</td><td class=n>{all}</td><td class=n>{excused}</td><td class=\"{class}\">{failed}</td><td class=n>{gap}</td></tr>\n",
            stream.name()
        )
    };
    Stream::ALL.into_iter().map(row).collect()
}

/// What failed requests said, the most frequent first.
fn reasons(model: &Model<'_>) -> String {
    let mut counts: std::collections::BTreeMap<(Stream, String), (usize, Duration)> = std::collections::BTreeMap::new();
    for request in &model.record.requests {
        if let Some(error) = &request.error {
            let last = error.lines().last().unwrap_or_default().chars().take(160).collect();
            counts.entry((request.stream, last)).or_insert((0, request.at)).0 += 1;
        }
    }
    let mut all: Vec<_> = counts.into_iter().collect();
    all.sort_by_key(|(_, (count, _))| std::cmp::Reverse(*count));
    let row = |((stream, why), (count, at)): &((Stream, String), (usize, Duration))| {
        let (name, at) = (stream.name(), at.as_secs_f64());
        format!("<tr><td class=n>{count}</td><td>{name}</td><td>{}</td><td class=n>{at:.1}</td></tr>\n", escape(why))
    };
    all.iter().take(25).map(row).collect()
}

fn faults(model: &Model<'_>) -> String {
    let row = |span: &crate::record::Span| {
        let until = span.until.map_or("never".to_owned(), |until| format!("{:.1}", until.as_secs_f64()));
        let leader = if span.leader { "the leader" } else { "" };
        let error = span.error.as_deref().map(escape).unwrap_or_default();
        let skipped = span.skipped.as_deref().map(|why| format!("not done: {}", escape(why))).unwrap_or_default();
        format!(
            "<tr><td class=n>{:.1}</td><td class=n>{until}</td><td>{}</td><td>{leader}</td><td class=no>{error}</td><td>{skipped}</td></tr>\n",
            span.begun.as_secs_f64(),
            escape(&span.what)
        )
    };
    model.record.spans.iter().map(row).collect()
}

/// The whole page; it needs nothing else.
pub fn page(model: &Model<'_>) -> String {
    let seed = model.schedule.seed.map_or("written by hand".to_owned(), |seed| format!("seed {seed}"));
    let schedule = serde_yaml::to_string(model.schedule).unwrap_or_default();
    let mut notes = String::new();
    for note in &model.record.notes {
        // Writing into a string does not fail.
        let _ = writeln!(notes, "<li>{}</li>", escape(note));
    }
    format!(
        "<!doctype html>\n<html lang=en><meta charset=utf-8><meta name=viewport content=\"width=device-width\">\
<title>chaos: {scenario}, {seed}</title><style>{STYLE}</style>\n\
<h1 class={class}>{headline}</h1>\n<p class=sub>Scenario <b>{scenario}</b>, {seed}. Again: <code>{again}</code></p>\n\
<p class=key>Requests:<span style=\"background:#4ade80\"></span>answered<span style=\"background:#fbbf24\"></span>failed, and a fault \
excuses it<span style=\"background:#dc2626\"></span>failed without an excuse. Latency of writes:<span style=\"background:#1e40af\"></span>\
median<span style=\"background:#94a3b8\"></span>99th percentile. Coloured bands: while a fault was there. Point at anything for details.</p>\n\
<p class=key>Faults:<span style=\"background:#c2410c\"></span>ended, lost, unplugged<span style=\"background:#a16207\"></span>stopped, starved, \
clock, certificate<span style=\"background:#1d4ed8\"></span>links<span style=\"background:#7e22ce\"></span>disks<span \
style=\"background:#be185d\"></span>pods\u{2019} processes<span style=\"background:#0f766e\"></span>membership</p>\n\
<div class=chart>{chart}</div>\n\
<h2>Invariants</h2><table><tr><th>verdict<th>invariant<th>basis, or what broke it</tr>\n{verdicts}</table>\n\
<h2>Recovery</h2><table><tr><th>from what to what<th class=n>times<th class=n>p50<th class=n>p99<th class=n>worst</tr>\n{recoveries}</table>\n\
<h2>Requests</h2><table><tr><th>kind<th class=n>all<th class=n>failed, excused<th class=n>failed without excuse<th class=n>longest without an answer</tr>\n{requests}</table>\n\
<h2>What failed requests said</h2><table><tr><th class=n>times<th>kind<th>reason<th class=n>first (s)</tr>\n{reasons}</table>\n\
<h2>Faults</h2><table><tr><th class=n>from (s)<th class=n>until (s)<th>fault<th>hit<th>failed<th></tr>\n{faults}</table>\n\
<h2>Notes</h2><ul>{notes}</ul>\n<h2>The schedule</h2><pre>{schedule}</pre></html>\n",
        scenario = escape(&model.schedule.scenario),
        class = if model.passed() { "ok" } else { "no" },
        headline = escape(&headline(model)),
        again = escape(&model.again),
        chart = svg(model),
        verdicts = verdicts(model),
        recoveries = recoveries(model),
        requests = requests(model),
        reasons = reasons(model),
        faults = faults(model),
        schedule = escape(&schedule),
    )
}
