//! A local cluster and the two command lines at it.

use anyhow::{Context, Result, bail};
use std::ffi::OsStr;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// No command that ends by itself takes longer: one that hangs is an error, not a run that never ends.
const PATIENCE: Duration = Duration::from_secs(300);
/// What kubectl does with one or a few requests, and how long each of these may take.
const SHORT: &[&str] = &[
    "annotate",
    "api-resources",
    "apply",
    "autoscale",
    "cordon",
    "create",
    "expose",
    "get",
    "label",
    "patch",
    "scale",
    "set",
    "taint",
    "uncordon",
    "version",
];
const REQUEST_TIMEOUT: &str = "--request-timeout=30s";

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
        Ok(Said::of(self.kubectl_bounded(args).output().context("kubectl")?))
    }

    /// kubectl that ends by itself, and soon if a master does not answer.
    fn kubectl_bounded<S: AsRef<OsStr>>(&self, args: &[S]) -> Command {
        let words: Vec<&str> = args.iter().filter_map(|arg| arg.as_ref().to_str()).collect();
        let own = words.iter().take_while(|word| **word != "--").any(|word| word.starts_with("--request-timeout"));
        let mut command = self.kubectl_command::<&str>(&[]);
        if !own && words.iter().any(|word| SHORT.contains(word)) {
            command.arg(REQUEST_TIMEOUT);
        }
        command.args(args);
        bounded(&command)
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
        feed(self.kubectl_bounded(args), input)
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
        Ok(Said::of(bounded(&self.raftsman_command(line)).output().context("raftsman")?))
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
        feed(bounded(&self.raftsman_command(line)), input)
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

    /// After a step that failed in the middle: what it had stopped, cut off or killed is back, its hosts, its namespaces and
    /// what it left in `default` are gone, so that the next step's verdict is its own.
    ///
    /// # Errors
    /// Something could not be undone.
    pub fn restore(&self) -> Result<()> {
        let there = |host: &&str| self.dir().join(host).exists();
        for host in self.masters().into_iter().chain(self.nodes()).filter(there) {
            if let Ok(pid) = std::fs::read_to_string(self.dir().join(host).join("pid")) {
                // It may be dead: it is started below.
                Command::new("kill").args(["-CONT", pid.trim()]).stderr(Stdio::null()).status()?;
            }
            self.host("heal", host)?;
        }
        self.raftsman(&format!("up --name {} --no-sample", self.name))?.ok()?;
        for extra in ["m4", "m5"].iter().filter(|host| there(host)) {
            self.host("remove", extra)?;
        }
        self.k(&format!("uncordon {}", self.nodes().join(" ")))?;
        for node in self.k("get nodes -ojsonpath={.items[*].metadata.name}")?.split_whitespace() {
            if self.nodes().contains(&node) {
                // Those that a controller put there it puts there again.
                self.k(&format!("patch node {node} --type=merge -p {{\"spec\":{{\"taints\":null}}}}"))?;
            } else {
                self.k(&format!("delete node {node} --timeout=60s"))?;
            }
        }
        let namespaces = self.k("get namespaces -oname")?;
        let made = namespaces.lines().filter(|name| !name.ends_with("/default") && !name.contains("/kube-"));
        for namespace in made {
            self.k(&format!("delete {namespace} --timeout=60s"))?;
        }
        // Who makes others first.
        for kinds in ["deploy,sts,job,rc,rs,svc", "pod", "cm,secret,pvc,sa", "pv"] {
            let listed = self.k(&format!("get {kinds} -oname"))?;
            let left: Vec<&str> = listed.lines().filter(|name| !is_own(name)).collect();
            if !left.is_empty() {
                self.k(&format!("delete {} --ignore-not-found --timeout=60s", left.join(" ")))?;
            }
        }
        Ok(())
    }

    /// What a person would look at first after a failure.
    pub fn shown(&self) -> String {
        let look = |line: &str| self.k(line).unwrap_or_else(|error| format!("{error:#}\n"));
        let events = look("get events -A --sort-by=.lastTimestamp --no-headers");
        let last: Vec<&str> = events.lines().rev().take(15).collect();
        let events: String = last.into_iter().rev().map(|line| format!("{line}\n")).collect();
        format!("{}{}{events}", look("get nodes"), look("get pods -A -owide"))
    }

    /// What a master says of itself and of the others.
    fn status(&self, master: &str) -> Result<serde_json::Value> {
        let said = self.kubectl_at(master, &["get", "--raw", "/raftsman/v1/status", "--request-timeout=3s"])?.ok()?;
        Ok(serde_json::from_str(&said)?)
    }

    /// The master that leads, by the newest term that any master knows.
    ///
    /// # Errors
    /// None says so.
    pub fn leader(&self) -> Result<String> {
        let all: Vec<serde_json::Value> = std::thread::scope(|scope| {
            let asked: Vec<_> =
                self.masters().into_iter().map(|master| scope.spawn(move || self.status(master))).collect();
            asked.into_iter().filter_map(|answer| answer.join().ok()?.ok()).collect()
        });
        let name = |status: &serde_json::Value| {
            let leader = status["leader"].as_u64()?;
            let member = status["members"].as_array()?.iter().find(|member| member["id"] == leader)?;
            Some((status["term"].as_u64(), member["name"].as_str()?.to_owned()))
        };
        let newest = all.iter().filter_map(name).max_by_key(|(term, _)| *term);
        newest.map(|(_, name)| name).context("no master names a leader")
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
        loop {
            // Before the look: it may itself take longer than what is left.
            let over = begin.elapsed() >= within;
            let last = match holds() {
                Ok(true) => return Ok(begin.elapsed()),
                Ok(false) => String::new(),
                Err(error) => format!("; last: {error:#}"),
            };
            if over {
                bail!("{what}: not within {within:?}{last}");
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Waits until these masters are ready.
    ///
    /// # Errors
    /// They are not in time.
    pub fn masters_ready(&self, masters: &[&str]) -> Result<()> {
        for master in masters {
            let asked = ["get", "--raw", "/readyz", "--request-timeout=3s"];
            self.wait(&format!("{master} is ready"), Duration::from_secs(60), || {
                self.kubectl_at(master, &asked)?.ok().map(|_| true)
            })?;
        }
        Ok(())
    }

    /// Pods of a selector that are ready and not on their way out, as `pod/NAME`.
    ///
    /// # Errors
    /// kubectl fails.
    pub fn ready_pods(&self, selector: &str) -> Result<Vec<String>> {
        let list: serde_json::Value = serde_json::from_str(&self.k(&format!("get pods -l {selector} -ojson"))?)?;
        let ready = |pod: &&serde_json::Value| {
            let mut conditions = pod["status"]["conditions"].as_array().into_iter().flatten();
            pod["metadata"]["deletionTimestamp"].is_null()
                && conditions.any(|one| one["type"] == "Ready" && one["status"] == "True")
        };
        let pods = list["items"].as_array().into_iter().flatten().filter(ready);
        Ok(pods.filter_map(|pod| Some(format!("pod/{}", pod["metadata"]["name"].as_str()?))).collect())
    }

    /// A GET with curl's defaults but for a bound on its time.
    ///
    /// # Errors
    /// No answer with success.
    pub fn http(&self, url: &str) -> Result<String> {
        let output = Command::new("curl").args(["-sS", "--fail", "--max-time", "5", url]).output()?;
        Said::of(output).ok().with_context(|| format!("curl {url}"))
    }
}

/// What `raftsman up` deploys, and what Kubernetes puts into every namespace.
fn is_own(object: &str) -> bool {
    let name = object.split_once('/').map_or(object, |(_, name)| name);
    ["mysql", "myweb", "kubernetes", "kube-root-ca.crt", "default"].contains(&name)
        || name.starts_with("mysql-")
        || name.starts_with("myweb-")
}

/// The same command, ended after [`PATIENCE`].
fn bounded(command: &Command) -> Command {
    let mut all = Command::new("timeout");
    all.arg("--kill-after=5").arg(PATIENCE.as_secs().to_string()).arg(command.get_program()).args(command.get_args());
    all.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?)))).stdin(Stdio::null());
    all
}

fn feed(mut command: Command, input: &str) -> Result<Said> {
    let mut child: Child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(input.as_bytes())?;
    }
    Ok(Said::of(child.wait_with_output()?))
}
