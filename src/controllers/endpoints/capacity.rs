//! An Endpoints object has so many addresses at most: all of them are in the slices.

use k8s_openapi::api::core::v1::EndpointSubset;

/// Addresses of one object.
pub(super) const CAPACITY: usize = 1000;
/// The annotation of an object that lacks some, and its value.
pub(super) const OVER_CAPACITY: (&str, &str) = ("endpoints.kubernetes.io/over-capacity", "truncated");

/// Leaves as many addresses as may be, those that are ready first, of every subset its share. True if some are left out.
pub(super) fn truncate(subsets: &mut Vec<EndpointSubset>) -> bool {
    let ready: usize = subsets.iter().map(|subset| subset.addresses.iter().flatten().count()).sum();
    let not_ready: usize = subsets.iter().map(|subset| subset.not_ready_addresses.iter().flatten().count()).sum();
    if ready + not_ready <= CAPACITY {
        return false;
    }
    let only_ready = ready > CAPACITY;
    let (total, room) = if only_ready { (ready, CAPACITY) } else { (not_ready, CAPACITY - ready) };
    let mut left = room;
    for subset in subsets.iter_mut() {
        let addresses = if only_ready {
            subset.not_ready_addresses = None;
            &mut subset.addresses
        } else {
            &mut subset.not_ready_addresses
        };
        let count = addresses.iter().flatten().count();
        let share = (count * room).div_ceil(total).min(left);
        left -= share;
        addresses.iter_mut().for_each(|addresses| addresses.truncate(share));
        *addresses = addresses.take().filter(|addresses| !addresses.is_empty());
    }
    subsets.retain(|subset| subset.addresses.is_some() || subset.not_ready_addresses.is_some());
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use k8s_openapi::api::core::v1::EndpointAddress;

    fn subset(ready: usize, not_ready: usize) -> EndpointSubset {
        let some = |count: usize| (count > 0).then(|| vec![EndpointAddress::default(); count]);
        EndpointSubset { addresses: some(ready), not_ready_addresses: some(not_ready), ports: None }
    }

    fn left(mut subsets: Vec<EndpointSubset>) -> (bool, Vec<(usize, usize)>) {
        let truncated = truncate(&mut subsets);
        let count = |addresses: &Option<Vec<EndpointAddress>>| addresses.iter().flatten().count();
        let counts = |subset: &EndpointSubset| (count(&subset.addresses), count(&subset.not_ready_addresses));
        (truncated, subsets.iter().map(counts).collect())
    }

    #[test]
    fn those_that_are_ready_come_first_and_every_subset_has_its_share() {
        assert_eq!(left(vec![subset(900, 100)]), (false, vec![(900, 100)]));
        assert_eq!(left(vec![subset(900, 101)]), (true, vec![(900, 100)]));
        assert_eq!(left(vec![subset(300, 900), subset(300, 300)]), (true, vec![(300, 300), (300, 100)]));
        assert_eq!(left(vec![subset(1500, 9), subset(500, 0), subset(0, 7)]), (true, vec![(750, 0), (250, 0)]));
        assert_eq!(left(vec![subset(1, 0); 2000]).1.len(), 1000);
    }
}
