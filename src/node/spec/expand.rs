//! `$(VAR)` in commands, arguments and values (core/v1 `Container.command`).

/// Replaces `$(NAME)` by `value(NAME)`; unknown names stay as they are, `$$` is one `$`.
pub fn expand(text: &str, value: impl Fn(&str) -> Option<String>) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        out.push_str(&rest[..at]);
        let after = &rest[at + 1..];
        if let Some(tail) = after.strip_prefix('$') {
            out.push('$');
            rest = tail;
        } else if let Some(inner) = after.strip_prefix('(') {
            match inner.split_once(')') {
                Some((name, tail)) => {
                    match value(name) {
                        Some(value) => out.push_str(&value),
                        None => out.push_str(&format!("$({name})")),
                    }
                    rest = tail;
                }
                None => {
                    out.push_str("$(");
                    rest = inner;
                }
            }
        } else {
            out.push('$');
            rest = after;
        }
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_replaced() {
        let value = |name: &str| match name {
            "A" => Some("1".to_owned()),
            "B" => Some("$(A)".to_owned()),
            _ => None,
        };
        for (text, expected) in [
            ("$(A)", "1"),
            ("x$(A)y$(A)", "x1y1"),
            ("$$(A)", "$(A)"),
            ("$$$(A)", "$1"),
            ("$(NOPE)", "$(NOPE)"),
            ("$(B)", "$(A)"),
            ("$(A", "$(A"),
            ("cost: 5$", "cost: 5$"),
            ("$A", "$A"),
            ("é$(A)é", "é1é"),
            ("", ""),
        ] {
            assert_eq!(expand(text, value), expected, "{text}");
        }
    }
}
