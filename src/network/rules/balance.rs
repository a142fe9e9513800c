//! The chain of one balancer: it gives a connection one of so many endpoints.

use crate::nft::{Expr, MetaKey, Op, Verdict, reg};
use crate::rules::layout::{BY_ADDRESS, BY_PORT, Maps};
use crate::rules::model::Balancer;
use crate::rules::parts::{MARK, Rule, load_port, mark, network, source_in};
use crate::rules::place::Place;

/// The chain that gives a connection one of so many endpoints.
pub fn balancer(balancer: &Balancer, place: &Place) -> Vec<Op> {
    let chain = balancer.chain();
    let mut rules: Vec<Rule> = Vec::new();
    if let Some(unmarked) = balancer.unmarked() {
        let inside = Expr::Verdict(Verdict::Goto(unmarked.chain()));
        rules.push([source_in(place.cluster, true), vec![inside]].concat());
    } else if balancer.mark {
        rules.push([source_in(place.cluster, false), mark()].concat());
    }
    let registers = Registers::of(balancer);
    if let Some(seconds) = balancer.affinity {
        rules.extend(affinity(balancer, &registers, seconds));
    }
    // Also where the clients' map is full.
    let mark = if balancer.affinity.is_some() { set_mark(balancer) } else { Vec::new() };
    let choose = registers.choose(balancer, registers.maps.endpoints, ENDPOINT);
    rules.push([registers.load_front(), choose, mark, chosen()].concat());
    // A miss must not leave an untranslated connection behind.
    rules.push(vec![Expr::Counter, Expr::Verdict(Verdict::Drop)]);
    let mut ops = vec![Op::AddChain { name: chain.clone(), base: None }];
    ops.extend(rules.into_iter().map(|exprs| Op::AddRule { chain: chain.clone(), exprs }));
    ops
}

/// Where a balancer's rules hold what. The front ends at 3, so that 4, the index or the endpoint's id, goes on with it; the
/// client stands before the front; 6 and 7 are the endpoint, 8 the mark.
struct Registers {
    maps: Maps,
    client: u32,
    front: u32,
}

const PROTOCOL: u32 = 2;
const INDEX: u32 = 4;
const ENDPOINT: u32 = 6;
const MARK_VALUE: u32 = 8;

impl Registers {
    fn of(balancer: &Balancer) -> Self {
        if balancer.node_port {
            Self { maps: BY_PORT, client: 1, front: PROTOCOL }
        } else {
            Self { maps: BY_ADDRESS, client: 0, front: 1 }
        }
    }

    fn load_front(&self) -> Rule {
        let address = (self.front < PROTOCOL).then(|| network(self.front, 16, 4));
        address.into_iter().chain(load_port(PROTOCOL)).collect()
    }

    fn choose(&self, balancer: &Balancer, map: &str, to: u32) -> Rule {
        vec![
            Expr::Random { dreg: reg(INDEX), modulus: balancer.count, offset: balancer.base() },
            Expr::MapValue { map: map.to_owned(), sreg: reg(self.front), dreg: reg(to) },
        ]
    }
}

fn chosen() -> Rule {
    vec![Expr::Dnat { addr: reg(ENDPOINT), port: reg(ENDPOINT + 1) }]
}

/// The known endpoint if it is still one, else another, which is remembered.
fn affinity(balancer: &Balancer, registers: &Registers, seconds: u32) -> [Rule; 2] {
    let maps = &registers.maps;
    let (map, key, data) = (maps.affinity.to_owned(), reg(registers.client), reg(INDEX));
    let remember = Expr::Update { map: map.clone(), key, data, timeout_ms: u64::from(seconds) * 1000 };
    // An update alone would keep the old endpoint.
    let forget = Expr::Forget { map: map.clone(), key, data };
    let known = vec![Expr::MapValue { map, sreg: key, dreg: data }];
    // The id takes the way through the mark because nft 1.0.6, which people list our table with, dies of a look-up whose key
    // comes from another look-up.
    let endpoint = || {
        vec![
            Expr::MetaSet { sreg: reg(INDEX), key: MetaKey::Mark },
            Expr::Meta { dreg: reg(INDEX), key: MetaKey::Mark },
            Expr::MapValue { map: maps.pins.to_owned(), sreg: reg(registers.front), dreg: reg(ENDPOINT) },
        ]
    };
    let front = [vec![network(registers.client, 12, 4)], registers.load_front()].concat();
    let choose = registers.choose(balancer, maps.choices, INDEX);
    [
        [front.clone(), known, endpoint(), vec![remember.clone()], set_mark(balancer), chosen()].concat(),
        [front, choose, endpoint(), vec![forget, remember], set_mark(balancer), chosen()].concat(),
    ]
}

/// Sets the mark to what it should be, whatever it was.
fn set_mark(balancer: &Balancer) -> Rule {
    let value = if balancer.mark { MARK } else { 0 };
    vec![
        Expr::Immediate { dreg: reg(MARK_VALUE), data: value.to_ne_bytes().to_vec() },
        Expr::MetaSet { sreg: reg(MARK_VALUE), key: MetaKey::Mark },
    ]
}
