//! Where the items of a merged list stand.

use serde_json::Value;

/// What tells an item from the others: its merge key, or the whole of a scalar.
fn id<'a>(item: &'a Value, key: &str) -> Option<&'a Value> {
    if key.is_empty() { Some(item) } else { item.get(key) }
}

fn place(list: &[Value], item: &Value, key: &str) -> Option<usize> {
    let wanted = id(item, key)?;
    list.iter().position(|have| id(have, key) == Some(wanted))
}

/// A merged list in its order: the items that `wanted` lists in that one's, the others in the server's. The two stand
/// interleaved: an item of the server's own goes before the first listed one that it preceded on the server.
pub(super) fn interleaved(merged: Vec<Value>, wanted: &[Value], server: &[Value], key: &str) -> Vec<Value> {
    let mut out = Vec::with_capacity(merged.len());
    let (mut listed, mut others): (Vec<Value>, Vec<Value>) =
        merged.into_iter().partition(|item| place(wanted, item, key).is_some());
    listed.sort_by_key(|item| place(wanted, item, key));
    others.sort_by_key(|item| place(server, item, key).unwrap_or(usize::MAX));
    let precedes = |left: &Value, right: &Value| matches!((place(server, left, key), place(server, right, key)), (Some(left), Some(right)) if left < right);
    let mut others = others.into_iter().peekable();
    for item in listed {
        while let Some(other) = others.next_if(|other| precedes(other, &item)) {
            out.push(other);
        }
        out.push(item);
    }
    out.extend(others);
    out
}

/// Whether every item stands in `order`, and in that order.
pub(super) fn follows(items: &[Value], order: &[Value], key: &str) -> bool {
    let mut order = order.iter();
    items.iter().all(|item| order.any(|have| id(have, key) == id(item, key)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn numbers(list: &[u8]) -> Vec<Value> {
        list.iter().map(|number| json!({ "name": number })).collect()
    }

    proptest! {
        #[test]
        fn each_side_keeps_its_order_and_a_place_that_both_know_is_kept(
            server in Just((0..8_u8).collect::<Vec<_>>()).prop_shuffle(),
            wanted in Just((4..12_u8).collect::<Vec<_>>()).prop_shuffle(), take in 0..8_usize,
        ) {
            let wanted = &wanted[..take];
            let added: Vec<u8> = wanted.iter().filter(|item| !server.contains(item)).copied().collect();
            let merged = numbers(&[server.clone(), added].concat());
            let out = interleaved(merged.clone(), &numbers(wanted), &numbers(&server), "name");
            let names: Vec<u8> = out.iter().map(|item| u8::try_from(item["name"].as_u64().unwrap_or(99)).unwrap_or(99)).collect();
            let mut sorted = names.clone();
            sorted.sort_unstable();
            let mut all: Vec<u8> = server.iter().chain(wanted).copied().collect();
            all.sort_unstable();
            all.dedup();
            prop_assert_eq!(sorted, all, "nothing is lost and nothing comes twice");
            let listed: Vec<u8> = names.iter().filter(|item| wanted.contains(item)).copied().collect();
            prop_assert_eq!(listed, wanted);
            let others: Vec<u8> = names.iter().filter(|item| !wanted.contains(item)).copied().collect();
            let expected: Vec<u8> = server.iter().filter(|item| !wanted.contains(item)).copied().collect();
            prop_assert_eq!(others, expected);
            // A list in the server's own order moves nothing.
            let agreed: Vec<u8> = server.iter().filter(|item| wanted.contains(item)).copied().collect();
            let unmoved = interleaved(numbers(&server), &numbers(&agreed), &numbers(&server), "name");
            prop_assert_eq!(unmoved, numbers(&server));
        }
    }

    #[test]
    fn a_patch_must_stand_in_the_order_that_it_sets() {
        assert!(follows(&numbers(&[1, 3]), &numbers(&[1, 2, 3]), "name"));
        assert!(!follows(&numbers(&[3, 1]), &numbers(&[1, 2, 3]), "name"));
        assert!(!follows(&numbers(&[4]), &numbers(&[1, 2, 3]), "name"));
    }
}
