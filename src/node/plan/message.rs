//! Events in the words of the kubelet, so that people and tools find what they know.

use std::time::Duration;

/// Type, reason and text of an Event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// `Warning`, else `Normal`.
    pub warning: bool,
    /// The reason, one word.
    pub reason: &'static str,
    /// The text.
    pub text: String,
}

fn normal(reason: &'static str, text: String) -> Message {
    Message { warning: false, reason, text }
}

fn warning(reason: &'static str, text: String) -> Message {
    Message { warning: true, reason, text }
}

impl Message {
    /// A pull begins.
    pub fn pulling(image: &str) -> Self {
        normal("Pulling", format!("Pulling image \"{image}\""))
    }

    /// A pull has succeeded.
    pub fn pulled(image: &str, took: Duration) -> Self {
        let took = Duration::from_millis(u64::try_from(took.as_millis()).unwrap_or(u64::MAX));
        normal("Pulled", format!("Successfully pulled image \"{image}\" in {took:?} ({took:?} including waiting)"))
    }

    /// No pull was needed.
    pub fn present(image: &str) -> Self {
        normal("Pulled", format!("Container image \"{image}\" already present on machine"))
    }

    /// A pull has failed.
    pub fn pull_failed(image: &str, error: &str) -> Self {
        warning("Failed", format!("Failed to pull image \"{image}\": {error}"))
    }

    /// What a container's start ended in.
    pub fn failed(error: &str) -> Self {
        warning("Failed", format!("Error: {error}"))
    }

    /// The image is absent and may not be pulled.
    pub fn never_pull(image: &str) -> Self {
        warning("ErrImageNeverPull", format!("Container image \"{image}\" is not present with pull policy of Never"))
    }

    /// The reference is no reference.
    pub fn bad_name(image: &str, error: &str) -> Self {
        warning("InspectFailed", format!("Failed to apply default image tag \"{image}\": {error}"))
    }

    /// The next pull must wait.
    pub fn pull_back_off(image: &str) -> Self {
        normal("BackOff", format!("Back-off pulling image \"{image}\""))
    }

    /// A leader said that the fenced pod may run, and its supervisor could not be told.
    pub fn not_admitted(error: &str) -> Self {
        warning("FailedAdmission", format!("The pod stays frozen: {error}"))
    }

    /// A run was made.
    pub fn created(container: &str) -> Self {
        normal("Created", format!("Created container: {container}"))
    }

    /// A run has begun.
    pub fn started(container: &str) -> Self {
        normal("Started", format!("Started container {container}"))
    }

    /// A run is being ended.
    pub fn killing(why: String) -> Self {
        normal("Killing", why)
    }

    /// The next run must wait.
    pub fn back_off(container: &str, pod: &str) -> Self {
        warning("BackOff", format!("Back-off restarting failed container {container} in pod {pod}"))
    }

    /// A probe has failed.
    pub fn unhealthy(probe: &str, output: &str) -> Self {
        warning("Unhealthy", format!("{probe} probe failed: {output}"))
    }

    /// A volume cannot be prepared.
    pub fn failed_mount(error: &str) -> Self {
        warning("FailedMount", error.to_owned())
    }

    /// The pod's root cannot be made.
    pub fn no_sandbox(error: &str) -> Self {
        warning("FailedCreatePodSandBox", format!("Failed to create pod sandbox: {error}"))
    }

    /// The node's network is not there yet.
    pub fn no_network() -> Self {
        warning("NetworkNotReady", "network is not ready: the condition Ready of the node says why".to_owned())
    }

    /// A `hostPort` that leads nowhere.
    pub fn host_port_not_served(problem: String) -> Self {
        warning("HostPortNotServed", problem)
    }

    /// The pod goes: a volume of it is larger than it may be.
    pub fn empty_dir_exceeds(volume: &str, limit: &str) -> Self {
        warning("Evicted", format!("Usage of EmptyDir volume \"{volume}\" exceeds the limit \"{limit}\". "))
    }

    /// A volume's limit cannot be enforced.
    pub fn not_measured(volume: &str, most: usize) -> Self {
        let text =
            format!("The sizeLimit of EmptyDir volume \"{volume}\" is not enforced: it has more than {most} files");
        warning("VolumeNotMeasured", text)
    }

    /// The pod ran for too long.
    pub fn deadline() -> Self {
        normal("DeadlineExceeded", "Pod was active on the node longer than the specified deadline".to_owned())
    }

    /// Names that no environment can have.
    pub fn bad_env_names(names: &[String], source: &str) -> Self {
        let names = names.join(", ");
        let text = format!(
            "Keys [{names}] from the EnvFrom {source} were skipped since they are considered invalid environment variable names."
        );
        warning("InvalidEnvironmentVariableNames", text)
    }

    /// A hook has failed.
    pub fn hook_failed(hook: &'static str, error: &str) -> Self {
        let reason = if hook == "PreStopHook" { "FailedPreStopHook" } else { "FailedPostStartHook" };
        warning(reason, format!("{hook} failed: {error}"))
    }

    /// A pod could not be ended.
    pub fn failed_kill(error: &str) -> Self {
        warning("FailedKillPod", format!("error killing pod: {error}"))
    }
}
