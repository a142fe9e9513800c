//! A local cluster and the two command lines at it.

use anyhow::{Context, Result, bail};
use std::ffi::OsStr;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// A cluster that `raftsman up --name NAME` made, with masters m1 to m3 and nodes n1 to n3.
#[derive(Debug, Clone)]
pub struct Cluster {
    /// Its name.
    pub name: String,
    /// The binary under test.
    pub raftsman: PathBuf,
    /// Stock kubectl.
    pub kubectl: PathBuf,
}

/// What a command printed, and how it ended.
#[derive(Debug, Clone)]
pub struct Said {
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
    /// Exit code; -1 for a signal.
    pub code: i32,
}

impl Said {
    fn of(output: Output) -> Self {
        Self {
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
            code: output.status.code().unwrap_or(-1),
        }
    }

    /// It ended well: its standard output.
    ///
    /// # Errors
    /// It did not: both outputs.
    pub fn ok(self) -> Result<String> {
        if self.code == 0 { Ok(self.out) } else { bail!("exit code {}: {}{}", self.code, self.out, self.err) }
    }

    /// It failed, and said this.
    ///
    /// # Errors
    /// It succeeded, or said something else.
    pub fn refused(self, because: &str) -> Result<String> {
        if self.code == 0 {
            bail!("it should have failed, and printed: {}", self.out);
        }
        if !self.err.contains(because) && !self.out.contains(because) {
            bail!("it should have said {because:?}, and said: {}{}", self.out, self.err);
        }
        Ok(self.err)
    }
}

impl Cluster {
    /// The directory of its state.
    pub fn dir(&self) -> PathBuf {
        PathBuf::from("/var/lib/raftsman").join(&self.name)
    }

    /// kubectl with these arguments, against the default context.
    pub fn kubectl_command<S: AsRef<OsStr>>(&self, args: &[S]) -> Command {
        let mut command = Command::new(&self.kubectl);
        command.arg("--kubeconfig").arg(self.dir().join("admin.kubeconfig")).args(args).stdin(Stdio::null());
        command
    }

    /// Runs kubectl.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn kubectl<S: AsRef<OsStr>>(&self, args: &[S]) -> Result<Said> {
        Ok(Said::of(self.kubectl_command(args).output().context("kubectl")?))
    }

    /// Runs kubectl against one master.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn kubectl_at(&self, master: &str, args: &[&str]) -> Result<Said> {
        let context = format!("{}-{master}", self.name);
        let all: Vec<&str> = ["--context", &context].into_iter().chain(args.iter().copied()).collect();
        self.kubectl(&all)
    }

    /// kubectl, its words split at spaces; it must succeed.
    ///
    /// # Errors
    /// It fails.
    pub fn k(&self, line: &str) -> Result<String> {
        let args: Vec<&str> = line.split_whitespace().collect();
        self.kubectl(&args)?.ok().with_context(|| format!("kubectl {line}"))
    }

    /// kubectl with a manifest on standard input.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn kubectl_with(&self, args: &[&str], input: &str) -> Result<Said> {
        feed(self.kubectl_command(args), input)
    }

    /// `kubectl apply -f -`; it must succeed.
    ///
    /// # Errors
    /// It fails.
    pub fn apply(&self, manifest: &str) -> Result<String> {
        self.kubectl_with(&["apply", "-f", "-"], manifest)?.ok().context("kubectl apply")
    }

    /// A field of an object as `jsonpath`.
    ///
    /// # Errors
    /// kubectl fails.
    pub fn field(&self, object: &str, path: &str) -> Result<String> {
        let mut args: Vec<&str> = vec!["get"];
        args.extend(object.split_whitespace());
        let output = format!("-ojsonpath={{{path}}}");
        args.push(&output);
        self.kubectl(&args)?.ok().with_context(|| format!("kubectl get {object} {path}"))
    }

    /// Our own CLI, its words split at spaces.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn raftsman(&self, line: &str) -> Result<Said> {
        Ok(Said::of(self.raftsman_command(line).output().context("raftsman")?))
    }

    /// Our own CLI as a command.
    pub fn raftsman_command(&self, line: &str) -> Command {
        let mut command = Command::new(&self.raftsman);
        command
            .args(line.split_whitespace())
            .env("KUBECONFIG", self.dir().join("admin.kubeconfig"))
            .stdin(Stdio::null());
        command
    }

    /// Our own CLI with a manifest on standard input.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn raftsman_with(&self, line: &str, input: &str) -> Result<Said> {
        feed(self.raftsman_command(line), input)
    }

    /// `raftsman host VERB HOST`; it must succeed.
    ///
    /// # Errors
    /// It fails.
    pub fn host(&self, verb: &str, host: &str) -> Result<()> {
        let line = format!("host {verb} --name {} {host}", self.name);
        self.raftsman(&line)?.ok().with_context(|| format!("raftsman {line}")).map(drop)
    }

    /// kill -9 of the one process of a host; its pods are not touched.
    ///
    /// # Errors
    /// There is no such process.
    pub fn kill_process(&self, host: &str) -> Result<()> {
        let pid = std::fs::read_to_string(self.dir().join(host).join("pid")).context("pid file")?;
        let killed = Command::new("kill").args(["-9", pid.trim()]).status()?;
        if !killed.success() {
            bail!("kill -9 {} ({host}) failed", pid.trim());
        }
        Ok(())
    }

    /// The master that leads, as most of the reachable masters say.
    ///
    /// # Errors
    /// None says so.
    pub fn leader(&self) -> Result<String> {
        for master in self.masters() {
            let said = self.kubectl_at(master, &["get", "--raw", "/raftsman/v1/status", "--request-timeout=2s"])?;
            let Ok(text) = said.ok() else { continue };
            let status: serde_json::Value = serde_json::from_str(&text)?;
            if let Some(leader) = status["leader"].as_u64()
                && status["members"].as_array().is_some_and(|all| all.iter().any(|m| m["id"] == leader))
            {
                let name = status["members"].as_array().into_iter().flatten().find(|m| m["id"] == leader);
                if let Some(name) = name.and_then(|m| m["name"].as_str()) {
                    return Ok(name.to_owned());
                }
            }
        }
        bail!("no master names a leader")
    }

    /// The masters' names.
    pub fn masters(&self) -> [&'static str; 3] {
        ["m1", "m2", "m3"]
    }

    /// The nodes' names.
    pub fn nodes(&self) -> [&'static str; 3] {
        ["n1", "n2", "n3"]
    }

    /// A host's address, from its configuration.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn address(&self, host: &str) -> Result<String> {
        let text = std::fs::read_to_string(self.dir().join(host).join("config.yaml"))?;
        let line = text.lines().find_map(|line| line.strip_prefix("address:"));
        Ok(line.context("no address in the host's configuration")?.trim().trim_matches(['"', '\'']).to_owned())
    }

    /// Waits until a condition holds, looking at it again and again.
    ///
    /// # Errors
    /// It does not hold in time: says what was waited for, and the last reason.
    pub fn wait(&self, what: &str, within: Duration, mut holds: impl FnMut() -> Result<bool>) -> Result<Duration> {
        let begin = Instant::now();
        let mut last = String::new();
        while begin.elapsed() < within {
            match holds() {
                Ok(true) => return Ok(begin.elapsed()),
                Ok(false) => last.clear(),
                Err(error) => last = format!("; last: {error:#}"),
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        bail!("{what}: not within {within:?}{last}")
    }

    /// A GET with curl's defaults but for a bound of one second.
    ///
    /// # Errors
    /// No answer with success.
    pub fn http(&self, url: &str) -> Result<String> {
        let output = Command::new("curl").args(["-sS", "--fail", "--max-time", "2", url]).output()?;
        Said::of(output).ok().with_context(|| format!("curl {url}"))
    }
}

fn feed(mut command: Command, input: &str) -> Result<Said> {
    let mut child: Child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(input.as_bytes())?;
    }
    Ok(Said::of(child.wait_with_output()?))
}
