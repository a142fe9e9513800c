//! `raftsman-sim`: runs seeds of the store's simulation, one per processor at a time.
//!
//!   raftsman-sim --seed S          one seed, twice; prints what it chose and what became of it
//!   raftsman-sim --seeds A..B      these seeds
//!   raftsman-sim --minutes N       new seeds for so long
//!
//! A seed that breaks something prints what, the last events, and the command that repeats it; the exit code is 1.

use anyhow::{Context, bail};
use raftsman_sim::{Report, run};
use std::ops::Range;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// One seed of so many is run twice.
const TWICE: u64 = 50;

/// Events that are printed of a run that broke.
const LAST: usize = 40;

enum What {
    Seed(u64),
    Seeds(Range<u64>),
    Minutes(u64),
}

fn asked() -> anyhow::Result<What> {
    let usage = "usage: raftsman-sim --seed S | --seeds A..B | --minutes N";
    let mut arguments = std::env::args().skip(1);
    let (Some(name), Some(value), None) = (arguments.next(), arguments.next(), arguments.next()) else { bail!(usage) };
    let number = |text: &str| text.parse::<u64>().with_context(|| format!("{text:?} is not a number; {usage}"));
    Ok(match name.as_str() {
        "--seed" => What::Seed(number(&value)?),
        "--minutes" => What::Minutes(number(&value)?),
        "--seeds" => {
            let (from, to) = value.split_once("..").context(usage)?;
            What::Seeds(number(from)?..number(to)?)
        }
        _ => bail!(usage),
    })
}

/// Runs a seed; a panic is a broken run too.
fn guarded(seed: u64) -> Report {
    std::panic::catch_unwind(|| run(seed)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        Report::panicked(seed, &text.unwrap_or_else(|| "without a message".into()))
    })
}

fn tell(report: &Report) {
    println!("seed {} broke: {}", report.seed, report.plan);
    for event in report.events.iter().rev().take(LAST).rev() {
        println!("  {event}");
    }
    for message in &report.messages {
        println!("  {message}");
    }
    for what in &report.broken {
        println!("BROKEN  {what}");
    }
    println!("again:  scripts/chaos.sh --sim --seed {}", report.seed);
}

fn one(seed: u64) -> bool {
    let began = Instant::now();
    let report = guarded(seed);
    let took = began.elapsed();
    let same = guarded(seed).digest == report.digest;
    if report.broken.is_empty() {
        println!("{}", report.plan);
    } else {
        tell(&report);
    }
    println!(
        "seed {seed}: {} events, {} answers, {} changes, {} terms; {:?} simulated in {took:?}; digest {:016x}{}",
        report.events.len(),
        report.answered,
        report.changes,
        report.terms,
        report.simulated,
        report.digest,
        if same { ", the same twice" } else { "" }
    );
    if !same {
        println!("BROKEN  the second run of the seed was another one");
    }
    same && report.broken.is_empty()
}

fn many(seeds: Range<u64>, until: Option<Instant>) -> bool {
    let next = Arc::new(AtomicU64::new(seeds.start));
    let sums = Arc::new(Mutex::new((0u64, Duration::ZERO, 0u64, Vec::new())));
    let began = Instant::now();
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            let (next, sums, seeds) = (next.clone(), sums.clone(), seeds.clone());
            scope.spawn(move || {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if !seeds.contains(&seed) || until.is_some_and(|until| Instant::now() >= until) {
                        break;
                    }
                    let mut report = guarded(seed);
                    // Now and then a run is repeated: it must be the same.
                    if seed.is_multiple_of(TWICE) && guarded(seed).digest != report.digest {
                        report.broken.push("the second run of the seed was another one".into());
                    }
                    let mut sums = sums.lock().unwrap_or_else(PoisonError::into_inner);
                    sums.0 += 1;
                    sums.1 += report.simulated;
                    sums.2 += report.answered;
                    if !report.broken.is_empty() {
                        tell(&report);
                        sums.3.push(seed);
                    }
                }
            });
        }
    });
    let (ran, simulated, answered, broken) = &*sums.lock().unwrap_or_else(PoisonError::into_inner);
    let took = began.elapsed();
    println!(
        "figure  {ran} seeds in {took:.1?}: {:.1} a second, {:.0} s simulated each, {answered} answers checked",
        *ran as f64 / took.as_secs_f64(),
        simulated.as_secs_f64() / (*ran).max(1) as f64,
    );
    if !broken.is_empty() {
        println!("{} seeds broke: {broken:?}", broken.len());
    }
    broken.is_empty()
}

fn main() -> anyhow::Result<ExitCode> {
    let well = match asked()? {
        What::Seed(seed) => one(seed),
        What::Seeds(seeds) => many(seeds, None),
        What::Minutes(minutes) => {
            // Other seeds every time; each failure prints its own.
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            let first = now.as_secs() << 20;
            many(first..u64::MAX, Some(Instant::now() + Duration::from_secs(60 * minutes)))
        }
    };
    Ok(if well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
