//! A host joins: its token is judged and bound to it, a master becomes a member, and the host gets its certificate.

use crate::members::token::{self, Grant, Useless};
use crate::members::{Changer, Facts};
use raftsman_api::config::{HostConfig, JoinRequest, Joined, MasterAddress, Role};
use raftsman_api::format;
use raftsman_api::status::Status;
use raftsman_apiserver::write::{Api, Caller, Target};
use raftsman_pki::{Authority, HostProfile, key_of_request};
use raftsman_state::{Key, Resource};
use raftsman_store::border::{Change, Members};
use serde_json::Value;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

/// Clocks that differ by more, in seconds, are refused: certificates would not be valid yet, or any more.
const CLOCKS: i64 = 300;

/// Names in every host's certificate.
const RESERVED: [&str; 2] = ["localhost", "kubernetes"];

/// Lets hosts in.
pub struct Gate {
    /// The write path, for tokens.
    pub api: Arc<Api>,
    /// Makes members.
    pub changer: Changer,
    /// Where this host's keys are.
    pub facts: Arc<Facts>,
    /// What all hosts share.
    pub config: HostConfig,
}

impl Gate {
    /// Lets a host in.
    ///
    /// # Errors
    /// 400 for a request that makes no sense, 401 for a token that does not do, 409 for a name or address that is taken,
    /// 503 when it cannot be done now.
    pub async fn join(&self, bearer: &str, asked: &JoinRequest) -> Result<Joined, Status> {
        let key = self.check(asked)?;
        let authority = Authority::load(&self.config.pki.dir).map_err(|error| {
            Status::unavailable(format!("this master does not hold the cluster's keys yet: {error}; ask another one"))
        })?;
        let grant = self.claim(bearer, asked, &key).await?;
        let member = match asked.role {
            Role::Master => Some(self.add(asked, &grant, &key).await?),
            Role::Node => None,
        };
        // Any master may carry the virtual address; no node does.
        let vip = self.config.vip.filter(|_| asked.role == Role::Master);
        let profile = HostProfile {
            name: asked.name.clone(),
            roles: vec![asked.role],
            addresses: std::iter::once(asked.address).chain(vip).collect(),
            kubernetes: self.config.network.kubernetes_ip(),
            domain: self.config.network.domain.clone(),
            extra: Vec::new(),
        };
        let certificate = authority
            .sign_host(&asked.request, &profile)
            .map_err(|error| Status::bad_request(format!("the request for a certificate: {error}")))?;
        let members = self.facts.store.members().borrow().clone();
        let mut masters = masters(&members, &asked.name);
        if let Some(id) = member {
            masters.push(MasterAddress { name: asked.name.clone(), id, address: asked.address });
        }
        tracing::info!(name = asked.name, address = %asked.address, role = ?asked.role, member, "a host joins");
        Ok(Joined::of(&self.config, certificate, masters))
    }

    /// What can be said without looking; the hash of its key.
    fn check(&self, asked: &JoinRequest) -> Result<String, Status> {
        let key = key_of_request(&asked.request)
            .map_err(|error| Status::bad_request(format!("the request for a certificate: {error}")))?;
        let problems = format::dns_label(&asked.name);
        if !problems.is_empty() {
            return Err(Status::bad_request(format!("name {:?}: {}", asked.name, problems.join("; "))));
        }
        if RESERVED.contains(&asked.name.as_str()) {
            return Err(Status::bad_request(format!("name {:?} is every host's; take another", asked.name)));
        }
        if self.config.vip == Some(asked.address) {
            return Err(Status::bad_request(format!(
                "address {}: it is the control plane's virtual one",
                asked.address
            )));
        }
        if asked.address.is_loopback() || asked.address.is_unspecified() || asked.address.is_multicast() {
            return Err(Status::bad_request(format!("address {}: the others cannot reach it", asked.address)));
        }
        let off = asked.time.saturating_sub(jiff::Timestamp::now().as_second());
        if off.abs() > CLOCKS {
            return Err(Status::bad_request(format!(
                "the clock of {} is {} s {} that of master {}: set it, then join again",
                asked.name,
                off.abs(),
                if off > 0 { "ahead of" } else { "behind" },
                self.config.name
            )));
        }
        Ok(key)
    }

    /// Binds the token to the host, unless it is bound to it already. Both happens in one write.
    async fn claim(&self, bearer: &str, asked: &JoinRequest, key: &str) -> Result<Grant, Status> {
        let useless = |why: Useless| Status::new(401, "Unauthorized", why.to_string());
        let (id, secret) = bearer.split_once('.').ok_or_else(|| useless(Useless::Wrong))?;
        let name = token::secret_name(id).ok_or_else(|| useless(Useless::Wrong))?;
        let view = self.api.store().read().await.map_err(|error| Status::unavailable(error.to_string()))?;
        if asked.role == Role::Node {
            self.node_is_new(&view, asked)?;
        }
        let kept = view.get(&Key::new(&Resource::from("secrets"), token::NAMESPACE, &name));
        let kept: Option<Value> = kept.and_then(|object| serde_json::from_slice(&object.json).ok());
        let judge = |kept: Option<&Value>| token::judge(kept, secret, asked.role, key, jiff::Timestamp::now());
        let grant = judge(kept.as_ref()).map_err(useless)?;
        if grant.again {
            return Ok(grant);
        }
        let target = Target::named("", "v1", "secrets", token::NAMESPACE, &name)
            .ok_or_else(|| Status::internal("secrets are not served"))?;
        let caller = Caller::system("system:raftsman:join", "raftsman-join");
        let mut judged = Err(Useless::Wrong);
        let bind = |kept: &Value| {
            judged = judge(Some(kept));
            judged.as_ref().ok().filter(|grant| !grant.again)?;
            let mut bound = kept.clone();
            for (field, value) in token::used(&asked.name, key)["data"].as_object()? {
                bound["data"][field] = value.clone();
            }
            Some(bound)
        };
        let written = self.api.modify(&caller, &target, bind).await;
        match written {
            Ok(_) => judged.map_err(useless),
            Err(status) if status.code == 404 => Err(useless(Useless::Wrong)),
            Err(status) => Err(status),
        }
    }

    /// A node's certificate names it: it must not be another's.
    fn node_is_new(&self, view: &raftsman_state::View, asked: &JoinRequest) -> Result<(), Status> {
        let members = self.facts.store.members().borrow().clone();
        let master = members
            .all
            .iter()
            .find(|member| member.name == asked.name || host_of(&member.address) == Some(asked.address));
        if let Some(master) = master {
            return Err(taken(format!("{:?} at {} is a master", master.name, master.address)));
        }
        if view.get(&Key::new(&Resource::from("nodes"), "", &asked.name)).is_some() {
            return Err(taken(format!(
                "there is a node {:?} already; `kubectl delete node {}` first if that one is gone, or take another name",
                asked.name, asked.name
            )));
        }
        Ok(())
    }

    async fn add(&self, asked: &JoinRequest, grant: &Grant, key: &str) -> Result<u64, Status> {
        let replaces = match &grant.replaces {
            Some(name) => {
                let members = self.facts.store.members().borrow().clone();
                let old = members.all.iter().filter(|member| member.name == *name).map(|member| member.id).min();
                if old.is_none() && !grant.again {
                    return Err(taken(format!("the token is for the place of master {name:?}, and there is none")));
                }
                old
            }
            None => None,
        };
        let change = Change::Add {
            name: asked.name.clone(),
            address: SocketAddr::new(asked.address, self.config.ports.peer).to_string(),
            voter: !asked.learner,
            replaces,
            key: key.to_owned(),
        };
        self.changer
            .change(&change)
            .await
            .map(|changed| changed.member)
            .map_err(|error| super::operations::status(&error))
    }
}

fn taken(why: String) -> Status {
    Status::new(409, "Conflict", why)
}

/// The address of a peer service's host.
fn host_of(address: &str) -> Option<IpAddr> {
    address.parse::<SocketAddr>().ok().map(|address| address.ip())
}

/// The masters as configuration files list them, but for those of this name.
fn masters(members: &Members, but: &str) -> Vec<MasterAddress> {
    let others = members.all.iter().filter(|member| member.name != but);
    others
        .filter_map(|member| {
            let address = host_of(&member.address)?;
            Some(MasterAddress { name: member.name.clone(), id: member.id, address })
        })
        .collect()
}
