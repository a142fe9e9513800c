//! Generated names and hashes in names.

/// Upstream's alphabet for random suffixes: no vowels, nothing that looks like another.
pub const ALPHABET: &[u8; 27] = b"bcdfghjklmnpqrstvwxz2456789";
/// Length of a random suffix.
pub const SUFFIX: usize = 5;
/// Longest prefix that `generateName` keeps.
pub const PREFIX_MOST: usize = 63 - SUFFIX;

fn letter(index: usize) -> char {
    char::from(ALPHABET.get(index % ALPHABET.len()).copied().unwrap_or(b'b'))
}

/// Five letters of the alphabet, drawn from `random` (any source of 32-bit numbers).
pub fn suffix(mut random: impl FnMut() -> u32) -> String {
    (0..SUFFIX).map(|_| letter(random() as usize)).collect()
}

/// `metadata.generateName` made a name.
pub fn generate(prefix: &str, random: impl FnMut() -> u32) -> String {
    let mut end = prefix.len().min(PREFIX_MOST);
    while !prefix.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}{}", &prefix[..end], suffix(random))
}

/// Upstream's `SafeEncodeString`: each byte as a letter of the alphabet, so that no words appear.
pub fn safe_encode(text: &str) -> String {
    text.bytes().map(|byte| letter(usize::from(byte))).collect()
}

/// The `pod-template-hash` of a template's JSON: FNV-1a over its canonical text, `collisions` mixed in when upstream's
/// `collisionCount` is set.
pub fn template_hash(template: &serde_json::Value, collisions: Option<i64>) -> String {
    let mut hash: u32 = 0x811c_9dc5;
    let mut mix = |bytes: &[u8]| {
        for byte in bytes {
            hash ^= u32::from(*byte);
            hash = hash.wrapping_mul(0x0100_0193);
        }
    };
    mix(template.to_string().as_bytes());
    if let Some(count) = collisions {
        mix(&count.to_le_bytes());
    }
    safe_encode(&hash.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn generated_names_are_short_and_of_the_alphabet() {
        let mut state = 7_u32;
        let mut random = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            state >> 8
        };
        let name = generate(&"x".repeat(80), &mut random);
        assert_eq!(name.len(), 63);
        assert!(name[58..].bytes().all(|byte| ALPHABET.contains(&byte)));
        assert_ne!(suffix(&mut random), suffix(&mut random));
    }

    #[test]
    fn hashes_tell_templates_and_collisions_apart() {
        let (a, b) = (json!({"spec": {"a": 1}}), json!({"spec": {"a": 2}}));
        assert_eq!(template_hash(&a, None), template_hash(&a.clone(), None));
        assert_ne!(template_hash(&a, None), template_hash(&b, None));
        assert_ne!(template_hash(&a, None), template_hash(&a, Some(1)));
    }
}
