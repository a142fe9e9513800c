//! A child process that ends with this one, and what it uses.

use anyhow::Context;
use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// A running child, killed and waited for when dropped.
pub(crate) struct Process {
    child: Child,
    log: PathBuf,
}

/// CPU time, user's and system's.
#[derive(Debug, Clone, Default)]
pub(crate) struct Usage {
    /// Of the whole process.
    pub(crate) cpu: Duration,
    /// By thread name, of threads that still live.
    pub(crate) threads: BTreeMap<String, Duration>,
}

impl Process {
    /// Starts a program; what it prints goes to `log`. To be called on a thread that lives as long as the child shall:
    /// the child is killed when that thread ends, however it ends.
    pub(crate) fn spawn(program: &Path, args: &[String], log: &Path) -> anyhow::Result<Self> {
        let output = File::options().create(true).append(true).open(log)?;
        let errors = output.try_clone()?;
        // prctl(2) PR_SET_PDEATHSIG by util-linux's setpriv, which then becomes the program.
        let child = Command::new("setpriv")
            .args(["--pdeathsig", "KILL", "--"])
            .arg(program)
            .args(args)
            .stdin(Stdio::null())
            .stdout(output)
            .stderr(errors)
            .spawn()
            .context("cannot run setpriv (of util-linux)")?;
        Ok(Self { child, log: log.to_owned() })
    }

    /// Why it is not running any more, with the end of its log.
    pub(crate) fn check(&mut self) -> anyhow::Result<()> {
        let Some(status) = self.child.try_wait()? else { return Ok(()) };
        let text = std::fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        let tail = lines[lines.len().saturating_sub(5)..].join("\n");
        anyhow::bail!("a member ended ({status}):\n{tail}")
    }

    /// What it has used so far.
    pub(crate) fn usage(&self) -> Usage {
        usage(Path::new(&format!("/proc/{}", self.child.id())))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// What this process has used so far.
pub(crate) fn own_usage() -> Usage {
    usage(Path::new("/proc/self"))
}

fn usage(process: &Path) -> Usage {
    let mut threads = BTreeMap::new();
    for task in std::fs::read_dir(process.join("task")).into_iter().flatten().flatten() {
        if let Some((name, cpu)) = stat(&task.path()) {
            *threads.entry(name).or_default() += cpu;
        }
    }
    Usage { cpu: stat(process).map(|(_, cpu)| cpu).unwrap_or_default(), threads }
}

/// Name and CPU time of a process or thread: fields 2, 14 and 15 of proc(5) stat.
fn stat(directory: &Path) -> Option<(String, Duration)> {
    let text = std::fs::read_to_string(directory.join("stat")).ok()?;
    let ticks = u64::from(u32::try_from(rustix::param::clock_ticks_per_second()).ok()?);
    parse(&text, ticks)
}

fn parse(text: &str, ticks_per_second: u64) -> Option<(String, Duration)> {
    // The name stands in parentheses and may hold any character.
    let (head, rest) = text.rsplit_once(')')?;
    let name = head.split_once('(')?.1;
    let mut fields = rest.split_ascii_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    let nanos = (user + system).saturating_mul(1_000_000_000) / ticks_per_second.max(1);
    Some((name.to_owned(), Duration::from_nanos(nanos)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_may_be_named_like_a_field() {
        let line = "12 (a) b (c) S 1 2 3 4 5 6 7 8 9 10 150 50 0 0 20";
        assert_eq!(parse(line, 100), Some(("a) b (c".into(), Duration::from_secs(2))));
        assert_eq!(parse("12 (x) S 1", 100), None);
    }
}
