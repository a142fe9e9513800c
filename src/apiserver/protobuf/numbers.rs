//! Which field of a message a number is.

use std::collections::HashMap;
use std::sync::OnceLock;

/// Numbers of one message's fields. A name with `*` before it is a message whose fields stand in this one's JSON.
type Fields = HashMap<u32, &'static str>;

/// The table: `package`, then ` Message: number name …`.
const TABLE: &str = include_str!("numbers.txt");

/// The fields of a message by its official name (`io.k8s.api.core.v1.Pod`).
pub(super) fn of(message: &str) -> Option<&'static Fields> {
    static ALL: OnceLock<HashMap<String, Fields>> = OnceLock::new();
    ALL.get_or_init(|| {
        let mut all = HashMap::new();
        let mut package = "";
        for line in TABLE.lines().filter(|line| !line.starts_with('#')) {
            let Some((name, fields)) = line.strip_prefix(' ').and_then(|line| line.split_once(": ")) else {
                package = line;
                continue;
            };
            let mut words = fields.split(' ');
            let mut numbers = Fields::new();
            while let (Some(number), Some(field)) = (words.next(), words.next()) {
                numbers.extend(number.parse().map(|number: u32| (number, field)));
            }
            all.insert(format!("{package}.{name}"), numbers);
        }
        all
    })
    .get(message)
}
