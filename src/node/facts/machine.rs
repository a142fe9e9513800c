//! What the machine says of itself.

use nix::sys::statvfs::statvfs;
use std::path::Path;

/// The machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Machine {
    /// Processors.
    pub cpus: u32,
    /// Memory in bytes.
    pub memory: u64,
    /// The disk that pods live on, in bytes.
    pub disk: u64,
    /// Kernel release.
    pub kernel: String,
    /// `PRETTY_NAME` of os-release.
    pub os_image: String,
    /// As Go names it.
    pub arch: String,
    /// `/etc/machine-id`.
    pub machine_id: String,
    /// The hardware's uuid.
    pub system_uuid: String,
    /// Different after each start.
    pub boot_id: String,
}

fn read(path: &str) -> String {
    std::fs::read_to_string(path).map(|text| text.trim().to_owned()).unwrap_or_default()
}

fn memory(meminfo: &str) -> u64 {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kib.unwrap_or(0).saturating_mul(1024)
}

fn pretty_name(os_release: &str) -> String {
    let name = os_release.lines().find_map(|line| line.strip_prefix("PRETTY_NAME="));
    name.map_or_else(|| "Linux".to_owned(), |name| name.trim_matches('"').to_owned())
}

impl Machine {
    /// This one; `dir` is where pods live.
    pub fn look(dir: &Path) -> Self {
        let cpus = std::thread::available_parallelism().map_or(1, |cpus| u32::try_from(cpus.get()).unwrap_or(1));
        let disk = statvfs(dir).map_or(0, |disk| disk.blocks().saturating_mul(disk.fragment_size()));
        let machine_id = read("/etc/machine-id");
        let uuid = read("/sys/class/dmi/id/product_uuid");
        Self {
            cpus,
            memory: memory(&read("/proc/meminfo")),
            disk,
            kernel: read("/proc/sys/kernel/osrelease"),
            os_image: pretty_name(&read("/etc/os-release")),
            arch: match std::env::consts::ARCH {
                "x86_64" => "amd64".to_owned(),
                "aarch64" => "arm64".to_owned(),
                other => other.to_owned(),
            },
            system_uuid: if uuid.is_empty() { machine_id.clone() } else { uuid },
            machine_id,
            boot_id: read("/proc/sys/kernel/random/boot_id"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_understood() {
        assert_eq!(memory("MemTotal:        2048 kB\nMemFree: 1 kB\n"), 2048 * 1024);
        assert_eq!(memory(""), 0);
        assert_eq!(pretty_name("NAME=x\nPRETTY_NAME=\"Debian GNU/Linux 12\"\n"), "Debian GNU/Linux 12");
        assert_eq!(pretty_name(""), "Linux");
    }
}
