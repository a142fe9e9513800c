//! A host joins: its token is judged, before anything else, and bound to it, a master becomes a member, and the host gets its
//! certificate.

use crate::members::operations::read;
use crate::members::place::{self, host_of, taken};
use crate::members::token::{self, Grant, Useless};
use crate::members::{Changer, Facts};
use raftsman_api::config::{HostConfig, JoinRequest, Joined, MasterAddress, Role};
use raftsman_api::format;
use raftsman_api::status::Status;
use raftsman_apiserver::write::{Api, Caller, Target};
use raftsman_pki::{Authority, HostProfile, key_of_request};
use raftsman_state::{Key, Resource, View};
use raftsman_store::border::{Change, Members};
use raftsman_store::{last_member_id, was_removed};
use serde_json::Value;
use std::net::SocketAddr;
use std::sync::Arc;

/// Clocks that differ by more, in seconds, are refused: certificates would not be valid yet, or any more.
const CLOCKS: i64 = 300;

/// Names in every host's certificate.
const RESERVED: [&str; 2] = ["localhost", "kubernetes"];

/// A token that somebody presents: its Secret's name, and what proves it.
struct Presented<'a> {
    secret: String,
    proof: &'a str,
}

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
    pub async fn join(&self, bearer: &str, body: &[u8]) -> Result<Joined, Status> {
        let (view, presented) = self.believe(bearer).await?;
        let asked: &JoinRequest = &read("request to join", body)?;
        let key = self.check(asked)?;
        let authority = Authority::load(&self.config.pki.dir).map_err(|error| {
            Status::unavailable(format!("this master does not hold the cluster's keys yet: {error}; ask another one"))
        })?;
        let grant = self.claim(&view, &presented, asked, &key).await?;
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
        place::check(&self.config, asked.address)?;
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

    /// Whoever asks has a token: until that is certain, nothing is said of anything else. The newest view comes with it.
    async fn believe<'a>(&self, bearer: &'a str) -> Result<(View, Presented<'a>), Status> {
        let (id, proof) = bearer.split_once('.').ok_or_else(|| useless(Useless::Wrong))?;
        let secret = token::secret_name(id).ok_or_else(|| useless(Useless::Wrong))?;
        let view = self.api.store().read().await.map_err(|error| Status::unavailable(error.to_string()))?;
        token::believe(kept(&view, &secret).as_ref(), proof, jiff::Timestamp::now()).map_err(useless)?;
        Ok((view, Presented { secret, proof }))
    }

    /// Binds the token to the host, unless it is bound to it already. Both happens in one write.
    async fn claim(
        &self,
        view: &View,
        presented: &Presented<'_>,
        asked: &JoinRequest,
        key: &str,
    ) -> Result<Grant, Status> {
        let host = (asked.role, asked.name.as_str(), key);
        let judge = |kept: Option<&Value>| token::judge(kept, presented.proof, host, jiff::Timestamp::now());
        let grant = judge(kept(view, &presented.secret).as_ref()).map_err(useless)?;
        let members = self.facts.store.members().borrow().clone();
        place::free(view, &members, asked, grant.replaces.as_deref())?;
        if grant.again {
            if asked.role == Role::Master && was_removed(view, key, grant.past) {
                return Err(useless(Useless::Removed));
            }
            return Ok(grant);
        }
        let past = last_member_id(view).max(members.all.iter().map(|member| member.id).max().unwrap_or(0));
        let target = Target::named("", "v1", "secrets", token::NAMESPACE, &presented.secret)
            .ok_or_else(|| Status::internal("secrets are not served"))?;
        let caller = Caller::system("system:raftsman:join", "raftsman-join");
        let mut judged = Err(Useless::Wrong);
        let bind = |kept: &Value| {
            judged = judge(Some(kept));
            judged.as_ref().ok().filter(|grant| !grant.again)?;
            let mut bound = kept.clone();
            for (field, value) in token::used(&asked.name, key, past)["data"].as_object()? {
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

fn useless(why: Useless) -> Status {
    Status::new(401, "Unauthorized", why.to_string())
}

/// A token's Secret.
fn kept(view: &View, secret: &str) -> Option<Value> {
    let object = view.get(&Key::new(&Resource::from("secrets"), token::NAMESPACE, secret))?;
    serde_json::from_slice(&object.json).ok()
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
