//! Kernel settings of the calling thread's network namespace.

use crate::border::NetworkError;
use std::fs;
use std::io::ErrorKind;

/// Sets a value if it differs; a setting that the kernel does not have is an error.
pub fn set(name: &str, value: &str) -> Result<(), NetworkError> {
    let path = format!("/proc/sys/{name}");
    let failed =
        |e: std::io::Error| NetworkError::Kernel { what: format!("set {path} to {value}"), reason: e.to_string() };
    if fs::read_to_string(&path).map_err(failed)?.trim() == value {
        return Ok(());
    }
    fs::write(&path, value).map_err(failed)
}

/// Sets a value where the kernel has the setting; a refusal is logged only.
pub fn set_quietly(name: &str, value: &str) -> Result<(), NetworkError> {
    match fs::write(format!("/proc/sys/{name}"), value) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            tracing::warn!(setting = name, value, %error, "kernel setting not changed");
        }
        _ => {}
    }
    Ok(())
}
