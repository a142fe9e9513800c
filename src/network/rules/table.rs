//! The table in the kernel: carried from one rule set to the next, or built anew where it is not as expected.

use crate::border::{HostPort, NetworkError, ServiceEntry};
use crate::nft::{Attrs, Data, Element, NftError, NftSocket, Op, attribute, attributes, delete_flows};
use crate::rules::balance::balancer;
use crate::rules::board::{Board, ServiceKey};
use crate::rules::model::Balancer;
use crate::rules::place::Place;
use crate::rules::stale::Stale;
use crate::rules::{diff, encode, host_ports, layout};
use std::collections::BTreeSet;
use std::sync::Arc;

/// `NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETTABLE`, `NFT_MSG_GETRULE` and `NFT_MSG_GETSETELEM`.
const GET_TABLE: u16 = (10 << 8) | 1;
const GET_RULES: u16 = (10 << 8) | 7;
const GET_ELEMENTS: u16 = (10 << 8) | 13;

/// Our table of one network namespace. Blocking.
pub struct Table {
    name: String,
    socket: NftSocket,
    place: Option<Place>,
    board: Option<Board>,
    /// Also on the board, once there is one.
    host_ports: Vec<Arc<ServiceEntry>>,
    chains: BTreeSet<Balancer>,
    /// The kernel's table is what the board says.
    true_to_board: bool,
    /// Flows to be deleted once it is.
    stale: Stale,
}

impl Table {
    /// A table that is not looked at yet.
    pub fn new(name: String, socket: NftSocket) -> Self {
        Self {
            name,
            socket,
            place: None,
            board: None,
            host_ports: Vec::new(),
            chains: BTreeSet::new(),
            true_to_board: false,
            stale: Stale::default(),
        }
    }

    /// Fails if the kernel lacks nf_tables, or a part of it that our rules are made of.
    pub fn probe(&mut self) -> Result<(), NetworkError> {
        let hint = |modules: &str, error: &NftError| {
            format!("load the kernel modules {modules}, or boot a kernel that has them ({error})")
        };
        self.exists().map_err(|error| match error.errno() {
            Some(libc::EPERM) => NetworkError::Kernel {
                what: "use nf_tables".to_owned(),
                reason: "not permitted; run as root, or with CAP_NET_ADMIN".to_owned(),
            },
            _ => NetworkError::Unsupported {
                what: "nf_tables".to_owned(),
                hint: hint("nf_tables and nfnetlink", &error),
            },
        })?;
        let name = format!("{}-probe-{}", self.name, std::process::id());
        self.socket.commit(&name, &layout::probe()).map_err(|error| NetworkError::Unsupported {
            what: "complete nf_tables".to_owned(),
            hint: hint("nft_nat, nft_masq, nft_fib_ipv4, nft_numgen, nft_reject_ipv4 and nft_ct", &error),
        })
    }

    fn exists(&mut self) -> Result<bool, NftError> {
        let mut attrs = Attrs::default();
        attrs.text(1, &self.name);
        match self.socket.request(GET_TABLE, &attrs, "look for the table") {
            Ok(()) => Ok(true),
            Err(error) if error.errno() == Some(libc::ENOENT) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// The constant rules. A table that an earlier process left goes on serving until the services are known.
    pub fn configure(&mut self, place: Place) -> Result<(), NetworkError> {
        let exists = self.exists().map_err(|e| self.error(&e))?;
        if !exists {
            self.true_to_board = false;
        }
        let same = self.place.is_none_or(|known| known == place);
        if self.board.is_none() || !same {
            self.true_to_board = false;
        }
        let resolver_moved = self.place.is_some_and(|known| known.resolver != place.resolver);
        self.place = Some(place);
        if resolver_moved {
            let services = self.board.take().map(|b| b.services()).unwrap_or_default();
            let mut board = Board::new(place.resolver);
            board.update(&services, None);
            self.board = Some(board);
        }
        if self.true_to_board || (exists && self.board.is_none()) {
            return Ok(());
        }
        self.rebuild()
    }

    /// Builds the table anew if somebody else took it, or rules of it, away.
    pub fn verify(&mut self) -> Result<(), NetworkError> {
        let Some(place) = self.place.filter(|_| self.true_to_board) else {
            return Ok(());
        };
        let expected =
            layout::base(&place).into_iter().chain(self.chains.iter().flat_map(|chain| balancer(chain, &place)));
        let expected = expected.filter(|op| matches!(op, Op::AddRule { .. })).count();
        let found = self.rules().map_err(|e| self.error(&e))?;
        if found == expected {
            return Ok(());
        }
        tracing::warn!(table = self.name, found, expected, "somebody else changed the table's rules; building it anew");
        self.true_to_board = false;
        self.rebuild()
    }

    /// How many rules the kernel's table has.
    fn rules(&mut self) -> Result<usize, NftError> {
        let mut attrs = Attrs::default();
        attrs.text(1, &self.name);
        let mut found = 0;
        match self.socket.dump(GET_RULES, &attrs, "list rules", |_| found += 1) {
            Err(error) if error.errno() == Some(libc::ENOENT) => Ok(0),
            read => read.map(|()| found),
        }
    }

    /// The services' rules.
    pub fn set_services(
        &mut self,
        services: &[Arc<ServiceEntry>],
        changed: Option<&[ServiceKey]>,
    ) -> Result<(), NetworkError> {
        let Some(place) = self.place else {
            return Err(NetworkError::Invalid("services came before the node's network was configured".to_owned()));
        };
        match changed.filter(|_| self.board.is_some()) {
            Some(changed) => self.update(place, services, Some(changed)),
            None => {
                let all: Vec<_> = services.iter().chain(&self.host_ports).cloned().collect();
                self.update(place, &all, None)
            }
        }
    }

    /// The ports of this machine that lead to its pods.
    pub fn set_host_ports(&mut self, ports: &[HostPort]) -> Result<(), NetworkError> {
        let new = host_ports::entries(ports);
        let old = std::mem::replace(&mut self.host_ports, new.clone());
        match self.place.filter(|_| self.board.is_some()) {
            Some(place) => {
                let changed: BTreeSet<ServiceKey> =
                    old.iter().chain(&new).map(|entry| host_ports::key(entry)).collect();
                self.update(place, &new, Some(&Vec::from_iter(changed)))
            }
            // They come with the services.
            None => Ok(()),
        }
    }

    fn update(
        &mut self,
        place: Place,
        services: &[Arc<ServiceEntry>],
        changed: Option<&[ServiceKey]>,
    ) -> Result<(), NetworkError> {
        let board = self.board.get_or_insert_with(|| Board::new(place.resolver));
        let step = board.update(services, changed);
        // Kept until the rules are in the kernel: a change that is refused now is not seen as one the next time.
        if let Some(stale) = Stale::between(&step.old, &step.new, place.node) {
            self.stale.extend(stale);
        }
        if self.true_to_board {
            self.true_to_board = false;
            match self.apply(&step.old, &step.new, &place) {
                Ok(()) => self.true_to_board = true,
                Err(error) => {
                    tracing::warn!(table = self.name, %error, "the table is not as it was left; building it anew");
                }
            }
        }
        if !self.true_to_board {
            return self.rebuild();
        }
        self.settle()
    }

    /// Deletes the flows that no longer fit.
    fn settle(&mut self) -> Result<(), NetworkError> {
        if self.stale == Stale::default() {
            return Ok(());
        }
        let stale = &self.stale;
        delete_flows(&mut self.socket, |flow| stale.hits(flow)).map_err(|e| self.error(&e))?;
        self.stale = Stale::default();
        Ok(())
    }

    /// Deletes the table.
    pub fn teardown(&mut self) -> Result<(), NetworkError> {
        self.place = None;
        self.board = None;
        self.host_ports.clear();
        self.true_to_board = false;
        self.stale = Stale::default();
        self.chains.clear();
        self.socket.commit(&self.name, &[Op::AddTable, Op::DeleteTable]).map_err(|e| self.error(&e))
    }

    fn apply(
        &mut self,
        old: &crate::rules::model::Ruleset,
        new: &crate::rules::model::Ruleset,
        place: &Place,
    ) -> Result<(), NftError> {
        for transaction in diff::diff(old, new, &self.chains) {
            self.socket.commit(&self.name, &encode::transaction(&transaction, place))?;
            self.chains.extend(transaction.iter().filter_map(|change| match change {
                diff::Change::Chain(balancer) => Some(*balancer),
                _ => None,
            }));
        }
        Ok(())
    }

    fn rebuild(&mut self) -> Result<(), NetworkError> {
        let Some(place) = self.place else {
            return Ok(());
        };
        let all = self.board.as_ref().map(Board::all).unwrap_or_default();
        let remembered = self.remembered();
        let ops = encode::rebuild(&all, &place, remembered);
        self.socket.commit(&self.name, &ops).map_err(|e| self.error(&e))?;
        self.chains = all.balancers();
        self.true_to_board = self.board.is_some();
        self.settle()
    }

    /// The clients with affinity that the kernel's table knows, by map; none if there is no such table.
    fn remembered(&mut self) -> Vec<(&'static str, Vec<Element>)> {
        let mut all = Vec::new();
        for map in [layout::BY_ADDRESS.affinity, layout::BY_PORT.affinity] {
            let mut attrs = Attrs::default();
            attrs.text(1, &self.name).text(2, map);
            let mut found = Vec::new();
            let read = self.socket.dump(GET_ELEMENTS, &attrs, "list affinities", |body| {
                let elements = attribute(body, 3).unwrap_or_default();
                found.extend(attributes(elements).filter_map(|(_, element)| remembered_element(element)));
            });
            match read {
                Err(error) if error.errno() != Some(libc::ENOENT) => {
                    tracing::warn!(map, %error, "affinities are forgotten");
                }
                _ => all.push((map, found)),
            }
        }
        all
    }

    fn error(&self, error: &NftError) -> NetworkError {
        NetworkError::Kernel { what: format!("nf_tables table {}", self.name), reason: error.to_string() }
    }
}

fn remembered_element(element: &[u8]) -> Option<Element> {
    let be64 = |kind| Some(u64::from_be_bytes(attribute(element, kind)?.try_into().ok()?));
    let (timeout, left) = (be64(4)?, be64(5)?);
    let key = attribute(attribute(element, 1)?, 1)?.to_vec();
    let data = Some(Data::Value(attribute(attribute(element, 2)?, 1)?.to_vec()));
    (left > 0).then_some(Element { key, data, timeout_ms: Some((timeout, left)) })
}
