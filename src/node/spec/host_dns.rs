//! The host's own resolvers, in the words of resolv.conf.

use std::net::IpAddr;

/// The host's file, or, where it names but a stub on loopback, the one that says whom the stub asks.
pub fn choose(host: String, behind: impl FnOnce() -> String) -> String {
    let reaches_out = |text: &str| servers(text).any(|server| !is_loopback(server));
    if reaches_out(&host) {
        return host;
    }
    Some(behind()).filter(|behind| reaches_out(behind)).unwrap_or(host)
}

/// The servers that such a file names.
pub fn servers(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter_map(|line| {
        let mut words = line.split_whitespace();
        words.next().filter(|word| *word == "nameserver").and_then(|_| words.next())
    })
}

/// Whether only the host itself reaches this server.
pub fn is_loopback(server: &str) -> bool {
    server.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_behind_a_stub_is_found() {
        let (stub, real) = ("nameserver 127.0.0.53\nsearch x\n", "nameserver 9.9.9.9 # far\n");
        let chosen = |host: &str, behind: &str| choose(host.to_owned(), || behind.to_owned());
        assert_eq!(chosen(stub, real), real);
        assert_eq!(chosen("", real), real);
        assert_eq!(chosen(real, "nameserver 1.1.1.1\n"), real);
        assert_eq!(chosen(stub, ""), stub);
        assert_eq!(chosen(stub, stub), stub);
        let both = "nameserver 127.0.0.1\nnameserver 9.9.9.9\n";
        assert_eq!(chosen(both, real), both);
    }

    #[test]
    fn the_first_word_is_the_server() {
        let text = "nameserver\t1.1.1.1 # one\n#nameserver 2.2.2.2\nnameserver\nnameservers 3.3.3.3\n nameserver ::1\n";
        assert_eq!(servers(text).collect::<Vec<_>>(), ["1.1.1.1", "::1"]);
        assert!(is_loopback("::1") && is_loopback("127.0.0.53") && !is_loopback("9.9.9.9"));
    }
}
