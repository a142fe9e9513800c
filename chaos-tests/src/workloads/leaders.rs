//! Who leads, as each master says.

use super::{Context, Workload};
use crate::invariants::Seen;
use crate::record::Lead;
use anyhow::Result;
use async_trait::async_trait;
use std::time::Duration;

/// Between two questions to one master.
const EVERY: Duration = Duration::from_millis(250);

/// See the module.
pub(super) struct Leaders;

async fn observe(c: &Context, at: usize) {
    let mut known = None;
    while !c.over() {
        let asked = c.now();
        if let Ok(status) = c.api.get(at, "/raftsman/v1/status").await {
            let name = |id: Option<u64>| {
                let all = status["members"].as_array().into_iter().flatten();
                let found = all.into_iter().find(|member| member["id"].as_u64() == id)?;
                found["name"].as_str().map(str::to_owned)
            };
            let (term, leader) = (status["term"].as_u64().unwrap_or(0), status["leader"].as_u64());
            let member = status["member"].as_u64();
            let now = (term, leader);
            if known != Some(now) {
                known = Some(now);
                if let (Some(member), true) = (member, leader.is_some() && leader == member) {
                    c.saw(Seen::Leading { member, term });
                }
                let lead = Lead { at: asked, says: c.api.name(at).to_owned(), leader: name(leader), term };
                c.record.lock().leads.push(lead);
            }
        }
        c.pause(EVERY).await;
    }
}

#[async_trait]
impl Workload for Leaders {
    fn name(&self) -> &'static str {
        "leadership"
    }

    async fn prepare(&self, _: &Context) -> Result<()> {
        Ok(())
    }

    async fn run(&self, c: &Context) -> Result<()> {
        futures::future::join_all((0..c.api.names().len()).map(|at| observe(c, at))).await;
        Ok(())
    }

    async fn finish(&self, _: &Context) -> Result<()> {
        Ok(())
    }
}
