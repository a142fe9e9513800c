//! Masters under a service manager, as systemd would be one with `Restart=always`: each runs the program that is installed,
//! and is started again whenever it ends.

use crate::cluster::Cluster;
use anyhow::{Context, Result, ensure};
use std::fs::OpenOptions;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// As in the unit.
const RESTART: Duration = Duration::from_millis(200);

/// One master's service.
pub struct Service {
    start: Start,
    stop: Arc<AtomicBool>,
    keeper: Option<JoinHandle<()>>,
}

/// How its process begins.
#[derive(Clone)]
struct Start {
    namespace: PathBuf,
    program: PathBuf,
    config: PathBuf,
    dir: PathBuf,
}

impl Start {
    /// systemd says by SYSTEMD_EXEC_PID that this very process is a service's; `PROGRAM.env` is the unit's EnvironmentFile.
    fn command(&self) -> Command {
        let mut command = Command::new("nsenter");
        let script = r#"[ ! -e "$0.env" ] || . "$0.env"; SYSTEMD_EXEC_PID=$$ exec "$0" serve --config "$1""#;
        command.arg(format!("--net={}", self.namespace.display())).args(["sh", "-ac", script]);
        command.arg(&self.program).arg(&self.config).stdin(Stdio::null());
        command
    }

    fn logged(&self) -> std::io::Result<Command> {
        let log = OpenOptions::new().create(true).append(true).open(self.dir.join("log"))?;
        let mut command = self.command();
        command.stdout(log.try_clone()?).stderr(log);
        Ok(command)
    }
}

impl Service {
    /// Keeps a host's process running, whose other process has ended.
    pub fn start(c: &Cluster, host: &str, program: &Path) -> Self {
        let dir = c.dir().join(host);
        let namespace = PathBuf::from(format!("/run/netns/{}-{host}", c.name));
        let start = Start { namespace, program: program.to_owned(), config: dir.join("config.yaml"), dir };
        let stop = Arc::<AtomicBool>::default();
        let (begin, over) = (start.clone(), Arc::clone(&stop));
        let keeper = std::thread::spawn(move || {
            while !over.load(Ordering::Relaxed) {
                let child = begin.logged().and_then(|mut command| command.spawn());
                if let Ok(mut child) = child {
                    let _ = std::fs::write(begin.dir.join("pid"), format!("{}\n", child.id()));
                    let _ = child.wait();
                }
                std::thread::sleep(RESTART);
            }
        });
        Self { start, stop, keeper: Some(keeper) }
    }

    /// `systemctl stop`.
    ///
    /// # Errors
    /// It has no process.
    pub fn stop(&mut self) -> Result<()> {
        self.stop.store(true, Ordering::Relaxed);
        let Some(keeper) = self.keeper.take() else { return Ok(()) };
        while !keeper.is_finished() {
            let pid = std::fs::read_to_string(self.start.dir.join("pid")).context("pid file")?;
            // It may have ended by itself.
            Command::new("kill").arg(pid.trim()).stderr(Stdio::null()).status()?;
            std::thread::sleep(RESTART);
        }
        Ok(())
    }

    /// Runs it once, with these variables, to its end; it must come soon.
    ///
    /// # Errors
    /// It runs on.
    pub fn once(&self, variables: &[(&str, &str)]) -> Result<Output> {
        ensure!(self.keeper.is_none(), "it is kept running");
        let mut command = Command::new("timeout");
        let own = self.start.command();
        command.args(["--kill-after=1", "10"]).arg(own.get_program()).args(own.get_args());
        let output = command.envs(variables.iter().copied()).stdin(Stdio::null()).output()?;
        ensure!(output.status.code() != Some(124), "it runs on");
        Ok(output)
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // What is left ends with the cluster.
        let _ = self.stop();
    }
}
