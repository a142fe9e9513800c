//! What a JSON patch may make of an object before it is refused.

use super::PatchError;
use crate::value::{DEEPEST, depth_within, size_within};
use json_patch::PatchOperation;
use serde_json::Value;

/// Most bytes that the operations of one patch may copy and move, all together: what a request may hold. A patch of a
/// few lines could otherwise double an object over and over.
const CARRIED_MOST: usize = 3 * 1024 * 1024;

/// What is left to one patch.
pub(super) struct Budget {
    carried: usize,
}

impl Default for Budget {
    fn default() -> Self {
        Self { carried: CARRIED_MOST }
    }
}

impl Budget {
    /// Judges an operation on the object as the operations before it have left it.
    ///
    /// # Errors
    /// 422 if the object would become too deep, or too much would be copied.
    pub(super) fn admit(&mut self, object: &Value, operation: &PatchOperation) -> Result<(), PatchError> {
        match operation {
            PatchOperation::Add(add) => fits(add.path.as_str(), &add.value),
            PatchOperation::Replace(replace) => fits(replace.path.as_str(), &replace.value),
            PatchOperation::Copy(copy) => self.carry(object, copy.from.as_str(), copy.path.as_str()),
            PatchOperation::Move(mov) => self.carry(object, mov.from.as_str(), mov.path.as_str()),
            PatchOperation::Remove(_) | PatchOperation::Test(_) => Ok(()),
        }
    }

    fn carry(&mut self, object: &Value, from: &str, to: &str) -> Result<(), PatchError> {
        // What is not there is refused by the operation itself.
        let Some(source) = object.pointer(from) else {
            return Ok(());
        };
        let size = size_within(source, self.carried).ok_or_else(|| {
            PatchError::unfit(format!("the operations of a JSON patch may copy and move {CARRIED_MOST} bytes at most"))
        })?;
        self.carried -= size;
        fits(to, source)
    }
}

fn fits(path: &str, value: &Value) -> Result<(), PatchError> {
    let above = path.bytes().filter(|byte| *byte == b'/').count();
    match DEEPEST.checked_sub(above).and_then(|left| depth_within(value, left)) {
        Some(_) => Ok(()),
        None => Err(too_deep()),
    }
}

pub(super) fn too_deep() -> PatchError {
    PatchError::unfit(format!("the object would be nested more than {DEEPEST} levels deep"))
}
