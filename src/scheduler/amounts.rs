//! Amounts of resources, as a node offers and a pod asks for them.

use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use std::collections::BTreeMap;

/// One amount per resource: cpu in thousandths, everything else in whole units (bytes, devices, pods).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Amounts(BTreeMap<String, i64>);

/// The resource that is counted in thousandths.
pub const CPU: &str = "cpu";
/// Bytes of memory.
pub const MEMORY: &str = "memory";
/// Number of pods.
pub const PODS: &str = "pods";

impl Amounts {
    /// From a `ResourceList`; what is no quantity counts as zero.
    pub fn of(list: Option<&BTreeMap<String, Quantity>>) -> Self {
        let read = |(name, quantity): (&String, &Quantity)| {
            let quantity: raftsman_api::quantity::Quantity = quantity.0.parse().unwrap_or_default();
            let amount = if name == CPU { quantity.milli_value() } else { quantity.value() };
            (name.clone(), amount)
        };
        Self(list.into_iter().flatten().map(read).collect())
    }

    /// The amount of a resource, zero if it is not named.
    pub fn get(&self, name: &str) -> i64 {
        self.0.get(name).copied().unwrap_or(0)
    }

    /// Sets an amount.
    pub fn set(&mut self, name: &str, amount: i64) {
        self.0.insert(name.to_owned(), amount);
    }

    /// Adds another's amounts.
    pub fn add(&mut self, other: &Self) {
        for (name, amount) in &other.0 {
            let held = self.0.entry(name.clone()).or_default();
            *held = held.saturating_add(*amount);
        }
    }

    /// Takes another's amounts away.
    pub fn subtract(&mut self, other: &Self) {
        for (name, amount) in &other.0 {
            let held = self.0.entry(name.clone()).or_default();
            *held = held.saturating_sub(*amount);
        }
    }

    /// Raises every amount to another's.
    pub fn raise(&mut self, other: &Self) {
        for (name, amount) in &other.0 {
            let held = self.0.entry(name.clone()).or_default();
            *held = (*held).max(*amount);
        }
    }

    /// Name and amount, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, i64)> {
        self.0.iter().map(|(name, amount)| (name.as_str(), *amount))
    }
}
