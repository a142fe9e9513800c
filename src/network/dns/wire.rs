//! Packets in and out. Nothing here panics on what a client or an upstream sends.

use crate::dns::answer::{Answer, answer};
use crate::dns::table::Table;
use hickory_proto::op::{Edns, Message, MessageType, OpCode, Query, ResponseCode};
use hickory_proto::rr::{DNSClass, Name, RecordType};
use std::net::IpAddr;

/// What we send and take by UDP at most (the DNS flag day's value).
pub const UDP_PAYLOAD: u16 = 1232;
/// Without EDNS (RFC 1035).
const UDP_PLAIN: u16 = 512;
const HEADER: usize = 12;

/// By which transport a client asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// Answers are bounded, longer ones truncated.
    Udp,
    /// Answers are whole.
    Tcp,
}

/// What becomes of a packet.
#[derive(Debug, PartialEq)]
pub enum Reply {
    /// Not worth an answer.
    Ignore,
    /// The answer.
    Send(Vec<u8>),
    /// Upstream is to be asked the same.
    Forward,
    /// Upstream is to be asked for the target of an alias.
    Chase(Box<Chase>),
}

/// An answer that waits for an upstream's.
#[derive(Debug, PartialEq)]
pub struct Chase {
    request: Message,
    response: Message,
    transport: Transport,
    /// The name to ask for.
    pub target: Name,
    /// The kind of records to ask for.
    pub kind: RecordType,
}

/// Handles a client's packet as far as that goes without upstream.
pub fn handle(packet: &[u8], table: &Table, transport: Transport) -> Reply {
    if packet.len() < HEADER || packet[2] & 0x80 != 0 {
        return Reply::Ignore;
    }
    let Ok(request) = Message::from_vec(packet) else {
        return Reply::Send(header_only(packet, ResponseCode::FormErr));
    };
    if request.metadata.op_code != OpCode::Query {
        return Reply::Send(header_only(packet, ResponseCode::NotImp));
    }
    let [question] = request.queries.as_slice() else {
        return Reply::Send(header_only(packet, ResponseCode::FormErr));
    };
    if request.edns.as_ref().is_some_and(|edns| edns.version() > 0) {
        let mut response = respond(&request, ResponseCode::BADVERS);
        response.metadata.authoritative = false;
        return Reply::Send(encode(&request, &response, transport));
    }
    if question.query_class() != DNSClass::IN {
        return Reply::Send(encode(&request, &respond(&request, ResponseCode::Refused), transport));
    }
    match answer(table, question.name(), question.query_type()) {
        Answer::Forward => Reply::Forward,
        Answer::Chase { records, target } => {
            let mut response = respond(&request, ResponseCode::NoError);
            response.add_answers(records);
            let kind = question.query_type();
            Reply::Chase(Box::new(Chase { request, response, transport, target, kind }))
        }
        Answer::Local { code, mut records, additionals, soa } => {
            let mut response = respond(&request, code);
            response.metadata.authoritative = true;
            // Clients take the first; take turns.
            if let Some(turn) = usize::from(request.metadata.id).checked_rem(records.len())
                && !records.iter().any(|r| r.record_type() == RecordType::CNAME)
            {
                records.rotate_left(turn);
            }
            response.add_answers(records).add_additionals(additionals);
            if let Some(soa) = soa {
                response.add_authority(*soa);
            }
            Reply::Send(encode(&request, &response, transport))
        }
    }
}

/// The answer to a question that upstream could not help with.
pub fn failure(packet: &[u8]) -> Option<Vec<u8>> {
    (packet.len() >= HEADER).then(|| {
        Message::from_vec(packet)
            .map(|request| encode(&request, &respond(&request, ResponseCode::ServFail), Transport::Udp))
            .unwrap_or_else(|_| header_only(packet, ResponseCode::ServFail))
    })
}

impl Chase {
    /// The question for upstream, with an id.
    pub fn question(&self, id: u16) -> Option<Vec<u8>> {
        let mut message = Message::new(id, MessageType::Query, OpCode::Query);
        message.metadata.recursion_desired = true;
        message.add_query(Query::query(self.target.clone(), self.kind));
        message.set_edns(edns());
        message.to_vec().ok()
    }

    /// The whole answer, given upstream's.
    pub fn finish(mut self, upstream: Option<&[u8]>) -> Vec<u8> {
        match upstream.and_then(|packet| Message::from_vec(packet).ok()) {
            Some(message) => {
                self.response.metadata.response_code = message.metadata.response_code;
                self.response.add_answers(message.answers);
            }
            None => self.response.metadata.response_code = ResponseCode::ServFail,
        }
        encode(&self.request, &self.response, self.transport)
    }
}

/// Cuts an upstream's answer to what the client takes by UDP.
pub fn fit(request: &[u8], response: Vec<u8>, transport: Transport) -> Vec<u8> {
    if transport == Transport::Tcp || response.len() <= usize::from(UDP_PLAIN) {
        return response;
    }
    let limit = Message::from_vec(request).map_or(UDP_PLAIN, |request| limit(&request));
    if response.len() <= usize::from(limit) {
        return response;
    }
    match Message::from_vec(&response) {
        Ok(message) => message.truncate().to_vec().unwrap_or_else(|_| header_only(request, ResponseCode::ServFail)),
        Err(_) => header_only(request, ResponseCode::ServFail),
    }
}

/// True if an upstream's packet answers this question of ours.
pub fn answers(question: &[u8], packet: &[u8]) -> bool {
    packet.len() >= HEADER && packet[..2] == question[..2] && packet[2] & 0x80 != 0
}

/// True if there is more by TCP.
pub fn is_truncated(packet: &[u8]) -> bool {
    packet.len() >= HEADER && packet[2] & 0x02 != 0
}

/// The name of an address that upstream must not be: asking ourselves would never end.
pub fn is_self(upstream: &std::net::SocketAddr, resolver: IpAddr) -> bool {
    upstream.ip() == resolver
}

fn respond(request: &Message, code: ResponseCode) -> Message {
    let mut response = Message::new(request.metadata.id, MessageType::Response, OpCode::Query);
    response.metadata.recursion_desired = request.metadata.recursion_desired;
    response.metadata.recursion_available = true;
    response.metadata.response_code = code;
    response.add_queries(request.queries.clone());
    if request.edns.is_some() {
        response.set_edns(edns());
    }
    response
}

fn edns() -> Edns {
    let mut edns = Edns::new();
    edns.set_max_payload(UDP_PAYLOAD);
    edns
}

fn limit(request: &Message) -> u16 {
    request.edns.as_ref().map_or(UDP_PLAIN, |edns| edns.max_payload().clamp(UDP_PLAIN, UDP_PAYLOAD))
}

fn encode(request: &Message, response: &Message, transport: Transport) -> Vec<u8> {
    let whole = match response.to_vec() {
        Ok(bytes) => bytes,
        Err(error) => {
            tracing::debug!(%error, "an answer that cannot be encoded");
            return respond(request, ResponseCode::ServFail).to_vec().unwrap_or_default();
        }
    };
    if transport == Transport::Tcp || whole.len() <= usize::from(limit(request)) {
        return whole;
    }
    let mut short = respond(request, response.metadata.response_code);
    short.metadata.truncation = true;
    short.metadata.authoritative = response.metadata.authoritative;
    short.to_vec().unwrap_or_default()
}

/// An answer to what could not be read: the client's id and a code.
fn header_only(packet: &[u8], code: ResponseCode) -> Vec<u8> {
    let mut bytes = vec![0; HEADER];
    if let Some(head) = packet.get(..4) {
        bytes[..2].copy_from_slice(&head[..2]);
        bytes[2] = 0x80 | (head[2] & 0x79);
    }
    bytes[3] = 0x80 | code.low();
    bytes
}
