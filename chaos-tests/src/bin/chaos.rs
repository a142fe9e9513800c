//! `raftsman-chaos`: faults against a local cluster of real processes, with workloads, verdicts and a report.
//!
//! `RAFTSMAN` and `KUBECTL` name other binaries than those on the PATH.

use anyhow::{Context, Result, bail};
use clap::Parser;
use raftsman_chaos::cluster::Cluster;
use raftsman_chaos::conduct::conduct;
use raftsman_chaos::lab::Lab;
use raftsman_chaos::report::{FILE, Model, Run, overall, page, summary};
use raftsman_chaos::schedule::{Schedule, find, generate, scenarios};
use raftsman_chaos::verdicts::judge;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// Every scenario, one after the other.
const ALL: &str = "all";

/// Kills anything, and says what became of it.
#[derive(Parser, Clone)]
#[command(name = "raftsman-chaos")]
struct Options {
    /// How long things happen
    #[arg(long, default_value_t = 3.0)]
    minutes: f64,
    /// What the schedule is made from [default: a new one every time]
    #[arg(long)]
    seed: Option<u64>,
    /// Which mixture (see --list); all: each of them once, for so long, one after the other
    #[arg(long, default_value = "mixed")]
    scenario: String,
    /// List the scenarios and do nothing
    #[arg(long)]
    list: bool,
    /// Print the schedule and do nothing
    #[arg(long)]
    print: bool,
    /// Do what this file says, not what a seed makes
    #[arg(long, value_name = "FILE")]
    replay: Option<PathBuf>,
    /// Add up the runs below these directories in one table, and do nothing else
    #[arg(long, value_name = "DIR", num_args = 1..)]
    summary: Vec<PathBuf>,
    /// Where report.html, record.json, schedule.yaml and, if something broke, the logs go
    #[arg(long, value_name = "DIR", default_value = "/tmp/raftsman-chaos")]
    out: PathBuf,
    /// The local cluster's name
    #[arg(long, default_value = "chaos")]
    name: String,
    /// Where the images are
    #[arg(long, value_name = "DIR", env = "RAFTSMAN_IMAGES")]
    image_dir: Option<PathBuf>,
    /// Leave the cluster as it is afterwards
    #[arg(long)]
    keep: bool,
}

impl Options {
    fn schedule(&self) -> Result<Schedule> {
        if let Some(file) = &self.replay {
            let text = std::fs::read_to_string(file).with_context(|| file.display().to_string())?;
            let mut schedule: Schedule = serde_yaml::from_str(&text).with_context(|| file.display().to_string())?;
            schedule.steps.sort_by_key(|step| step.at_ms);
            return Ok(schedule);
        }
        let Some(scenario) = find(&self.scenario) else {
            let names: Vec<&str> = scenarios().iter().map(|scenario| scenario.name).collect();
            bail!("there is no scenario {:?}; there are {}, and {ALL}", self.scenario, names.join(", "));
        };
        if !(0.2..=24.0 * 60.0).contains(&self.minutes) {
            bail!("--minutes {}: say 0.2 to 1440", self.minutes);
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Ok(generate(scenario, self.seed.unwrap_or(now.as_secs()), (self.minutes * 60.0).round() as u64))
    }

    fn images(&self) -> PathBuf {
        let home = || PathBuf::from(std::env::var_os("HOME").unwrap_or_else(|| "/root".into()));
        self.image_dir.clone().unwrap_or_else(|| home().join(".cache/raftsman/images"))
    }

    /// The one command that does the same again.
    fn again(&self, schedule: &Schedule) -> String {
        match (&self.replay, schedule.seed) {
            (None, Some(seed)) => {
                let minutes = schedule.seconds as f64 / 60.0;
                format!("scripts/chaos.sh --scenario {} --minutes {minutes} --seed {seed}", schedule.scenario)
            }
            (Some(file), _) => format!("scripts/chaos.sh --replay {}", file.display()),
            (None, None) => format!("scripts/chaos.sh --replay {}", self.out.join("schedule.yaml").display()),
        }
    }
}

fn say(line: &str) {
    println!("{line}");
}

/// An interrupt ends the run early, and everything is healed and removed all the same.
fn on_signals(stop: &Arc<AtomicBool>) -> Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    for kind in [SignalKind::interrupt(), SignalKind::terminate()] {
        let (mut signals, stop) = (signal(kind)?, Arc::clone(stop));
        tokio::spawn(async move {
            while signals.recv().await.is_some() {
                println!("asked to end: healing everything first");
                stop.store(true, Ordering::Relaxed);
            }
        });
    }
    Ok(())
}

fn keep_logs(cluster: &Cluster, out: &Path) -> Result<()> {
    let logs = out.join("logs");
    std::fs::create_dir_all(&logs)?;
    for host in std::fs::read_dir(cluster.dir())?.flatten() {
        let log = host.path().join("log");
        if log.is_file() {
            std::fs::copy(&log, logs.join(host.file_name()))?;
        }
    }
    Ok(())
}

async fn run(options: &Options, schedule: &Schedule, stop: Arc<AtomicBool>) -> Result<bool> {
    let binary = |variable: &str, default: &str| std::env::var_os(variable).unwrap_or_else(|| default.into()).into();
    let name = options.name.clone();
    let cluster = Cluster { name, raftsman: binary("RAFTSMAN", "raftsman"), kubectl: binary("KUBECTL", "kubectl") };
    let (images, disks, clocks) = (options.images(), schedule.breaks_disks(), schedule.moves_clocks());
    let lab = Arc::new(Lab::new(cluster.clone(), clocks)?);
    let up = Arc::clone(&lab);
    let raised = tokio::task::spawn_blocking(move || up.up(&images, disks)).await?;
    let scratch = cluster.dir().join("diary");
    let done = match raised {
        Ok(()) => conduct(Arc::clone(&lab), schedule, &scratch, stop, say).await,
        Err(error) => Err(error.context("bring the cluster up")),
    };
    let told = match done {
        Ok(record) => tell(options, schedule, &record, &cluster),
        Err(error) => {
            if let Err(missing) = keep_logs(&cluster, &options.out) {
                println!("no logs could be kept: {missing:#}");
            }
            Err(error)
        }
    };
    if options.keep {
        println!("the cluster stays; `raftsman down --name {}` removes it", cluster.name);
        return told;
    }
    let down = tokio::task::spawn_blocking(move || lab.down()).await?;
    told.and_then(|passed| down.map(|()| passed))
}

fn tell(
    options: &Options,
    schedule: &Schedule,
    record: &raftsman_chaos::record::Record,
    cluster: &Cluster,
) -> Result<bool> {
    let judged = judge(record);
    let model = Model::new(record, schedule, &judged, options.again(schedule));
    let report = options.out.join("report.html");
    std::fs::write(&report, page(&model))?;
    std::fs::write(options.out.join(FILE), serde_json::to_string_pretty(&Run::of(&model))?)?;
    println!("\n{}\nreport: {}", summary(&model), report.display());
    if !model.passed() {
        keep_logs(cluster, &options.out)?;
    }
    Ok(model.passed())
}

/// One run: it is judged, and everything holds.
async fn one(options: &Options, stop: Arc<AtomicBool>) -> Result<bool> {
    let schedule = options.schedule()?;
    let text = serde_yaml::to_string(&schedule).context("the schedule")?;
    std::fs::create_dir_all(&options.out).with_context(|| options.out.display().to_string())?;
    std::fs::write(options.out.join("schedule.yaml"), text)?;
    println!("{} faults in {} s; again: {}", schedule.steps.len(), schedule.seconds, options.again(&schedule));
    run(options, &schedule, stop).await
}

/// Every scenario once: each is judged, and everything holds.
async fn every(options: &Options, stop: Arc<AtomicBool>) -> Result<bool> {
    if options.keep {
        bail!("--keep: of one scenario only, for each begins with a cluster of its own");
    }
    let mut passed = true;
    for scenario in scenarios() {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        println!("\n== {}: {}", scenario.name, scenario.about);
        let own =
            Options { scenario: scenario.name.to_owned(), out: options.out.join(scenario.name), ..options.clone() };
        // One that could not be run is no reason not to run the others.
        passed &= one(&own, Arc::clone(&stop)).await.unwrap_or_else(|error| {
            eprintln!("{}: {error:#}", scenario.name);
            false
        });
    }
    println!("\n{}", overall(&kept(std::slice::from_ref(&options.out))?));
    Ok(passed)
}

/// The runs that were kept in these directories and below.
fn kept(dirs: &[PathBuf]) -> Result<Vec<Run>> {
    let (mut runs, mut open) = (Vec::new(), dirs.to_vec());
    while let Some(dir) = open.pop() {
        for entry in std::fs::read_dir(&dir).with_context(|| dir.display().to_string())?.flatten() {
            let path = entry.path();
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                open.push(path);
            } else if entry.file_name() == FILE {
                let text = std::fs::read_to_string(&path)?;
                runs.push(serde_json::from_str(&text).with_context(|| path.display().to_string())?);
            }
        }
    }
    if runs.is_empty() {
        bail!("there is no {FILE} in these directories: a run of raftsman-chaos leaves one in its --out");
    }
    Ok(runs)
}

#[tokio::main]
async fn main() -> Result<ExitCode> {
    let options = Options::parse();
    if options.list {
        for scenario in scenarios() {
            println!("{:<14} {}", scenario.name, scenario.about);
        }
        return Ok(ExitCode::SUCCESS);
    }
    if !options.summary.is_empty() {
        println!("{}", overall(&kept(&options.summary)?));
        return Ok(ExitCode::SUCCESS);
    }
    if options.print {
        print!("{}", serde_yaml::to_string(&options.schedule()?).context("the schedule")?);
        return Ok(ExitCode::SUCCESS);
    }
    let stop = Arc::new(AtomicBool::new(false));
    on_signals(&stop)?;
    let all = options.scenario == ALL && options.replay.is_none();
    let passed = if all { every(&options, stop).await } else { one(&options, stop).await };
    match passed {
        Ok(true) => Ok(ExitCode::SUCCESS),
        Ok(false) => Ok(ExitCode::FAILURE),
        Err(error) => {
            eprintln!("raftsman-chaos: {error:#}");
            Ok(ExitCode::from(3))
        }
    }
}
