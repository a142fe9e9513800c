//! All services' rules, kept so that a change costs what changed and not what is there.

use crate::border::ServiceEntry;
use crate::rules::model::{Front, Ruleset};
use crate::rules::render::render_service;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::Ipv4Addr;
use std::sync::Arc;

/// A service's namespace and name.
pub type ServiceKey = (String, String);

/// What every service wants, and who has each front: the first that came, if several want it.
#[derive(Debug)]
pub struct Board {
    resolver: Ipv4Addr,
    entries: HashMap<ServiceKey, (Arc<ServiceEntry>, Ruleset)>,
    owners: HashMap<Front, ServiceKey>,
    waiting: BTreeMap<Front, BTreeSet<ServiceKey>>,
    hairpin: HashMap<Ipv4Addr, u32>,
}

/// The rules before and after, of the services that changed only.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Step {
    /// Before.
    pub old: Ruleset,
    /// After.
    pub new: Ruleset,
}

impl Board {
    /// A board without services.
    pub fn new(resolver: Ipv4Addr) -> Self {
        Self {
            resolver,
            entries: HashMap::new(),
            owners: HashMap::new(),
            waiting: BTreeMap::new(),
            hairpin: HashMap::new(),
        }
    }

    /// Takes the services in; `changed` bounds what is looked at.
    pub fn update(&mut self, services: &[Arc<ServiceEntry>], changed: Option<&[ServiceKey]>) -> Step {
        let wanted: BTreeSet<(&str, &str)> =
            changed.unwrap_or_default().iter().map(|(ns, name)| (ns.as_str(), name.as_str())).collect();
        let known = changed.map_or_else(|| self.entries.keys().cloned().collect(), <[ServiceKey]>::to_vec);
        let mut next: BTreeMap<ServiceKey, Option<Arc<ServiceEntry>>> =
            known.into_iter().map(|key| (key, None)).collect();
        for service in services {
            if changed.is_none() || wanted.contains(&(service.namespace.as_str(), service.name.as_str())) {
                next.insert((service.namespace.clone(), service.name.clone()), Some(Arc::clone(service)));
            }
        }
        next.retain(|key, entry| match (self.entries.get(key), entry) {
            (Some((old, _)), Some(new)) => !Arc::ptr_eq(old, new) && old != new,
            (None, None) => false,
            _ => true,
        });
        self.replace(next)
    }

    /// Everything, for building the table anew.
    pub fn all(&self) -> Ruleset {
        let mut all = Ruleset::default();
        for (key, (_, rules)) in &self.entries {
            all.merge(&self.owned(key, rules));
        }
        all
    }

    /// The services it holds.
    pub fn services(&self) -> Vec<Arc<ServiceEntry>> {
        self.entries.values().map(|(entry, _)| Arc::clone(entry)).collect()
    }

    fn owned(&self, key: &ServiceKey, rules: &Ruleset) -> Ruleset {
        let mut owned = rules.clone();
        owned.retain_fronts(|front| self.owners.get(front) == Some(key));
        owned
    }

    fn replace(&mut self, next: BTreeMap<ServiceKey, Option<Arc<ServiceEntry>>>) -> Step {
        let rendered: BTreeMap<ServiceKey, Option<(Arc<ServiceEntry>, Ruleset)>> = next
            .into_iter()
            .map(|(key, entry)| (key, entry.map(|e| (Arc::clone(&e), render_service(&e, self.resolver)))))
            .collect();
        let mut touched: BTreeSet<ServiceKey> = rendered.keys().cloned().collect();
        // Those that wait for a front which is given up now change too.
        for (key, rules) in &rendered {
            let Some((_, before)) = self.entries.get(key) else {
                continue;
            };
            let kept = rules.as_ref().map(|(_, r)| r.fronts()).unwrap_or_default();
            for front in before.fronts().difference(&kept) {
                if self.owners.get(front) == Some(key) {
                    touched.extend(self.waiting.get(front).into_iter().flatten().cloned());
                }
            }
        }
        let mut step = Step::default();
        let mut ips = BTreeSet::new();
        for key in &touched {
            if let Some((_, rules)) = self.entries.get(key) {
                ips.extend(rules.hairpin.iter().copied());
                step.old.merge(&self.owned(key, rules));
            }
        }
        for rules in rendered.values().flatten() {
            ips.extend(rules.1.hairpin.iter().copied());
        }
        step.old.hairpin = self.present(&ips);
        self.swap(rendered, &touched);
        for key in &touched {
            if let Some((_, rules)) = self.entries.get(key) {
                step.new.merge(&self.owned(key, rules));
            }
        }
        step.new.hairpin = self.present(&ips);
        step
    }

    fn swap(
        &mut self,
        rendered: BTreeMap<ServiceKey, Option<(Arc<ServiceEntry>, Ruleset)>>,
        touched: &BTreeSet<ServiceKey>,
    ) {
        for (key, entry) in rendered {
            let before = self.entries.remove(&key).map(|(_, rules)| rules).unwrap_or_default();
            let kept = entry.as_ref().map(|(_, rules)| rules.fronts()).unwrap_or_default();
            for front in before.fronts().difference(&kept) {
                self.release(front, &key);
            }
            for ip in &before.hairpin {
                let count = self.hairpin.entry(*ip).or_default();
                *count = count.saturating_sub(1);
                if *count == 0 {
                    self.hairpin.remove(ip);
                }
            }
            if let Some((service, rules)) = entry {
                for ip in &rules.hairpin {
                    *self.hairpin.entry(*ip).or_default() += 1;
                }
                self.entries.insert(key, (service, rules));
            }
        }
        for key in touched {
            let fronts = self.entries.get(key).map(|(_, rules)| rules.fronts()).unwrap_or_default();
            for front in fronts {
                let owner = self.owners.entry(front).or_insert_with(|| key.clone());
                if owner != key {
                    self.waiting.entry(front).or_default().insert(key.clone());
                } else if let Some(waiting) = self.waiting.get_mut(&front) {
                    waiting.remove(key);
                }
            }
        }
    }

    fn release(&mut self, front: &Front, key: &ServiceKey) {
        if self.owners.get(front) == Some(key) {
            self.owners.remove(front);
        }
        if let Some(waiting) = self.waiting.get_mut(front) {
            waiting.remove(key);
            if waiting.is_empty() {
                self.waiting.remove(front);
            }
        }
    }

    fn present(&self, ips: &BTreeSet<Ipv4Addr>) -> BTreeSet<Ipv4Addr> {
        ips.iter().copied().filter(|ip| self.hairpin.contains_key(ip)).collect()
    }
}
