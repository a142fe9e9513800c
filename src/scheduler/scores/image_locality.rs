//! Images that are there already.

use super::{BEST, Score};
use crate::{Demand, NodeInfo};

/// Below this many bytes an image is not worth a preference.
const LEAST: i64 = 23 * 1024 * 1024;
/// Bytes per container beyond which more does not count.
const MOST: i64 = 1000 * 1024 * 1024;

/// Prefers nodes that have more of the pod's images.
pub struct ImageLocality;

impl Score for ImageLocality {
    fn name(&self) -> &'static str {
        "ImageLocality"
    }

    fn weight(&self) -> i64 {
        1
    }

    fn score(&self, pod: &Demand, nodes: &[&NodeInfo]) -> Vec<i64> {
        let total = i64::try_from(nodes.len()).unwrap_or(i64::MAX).max(1);
        // An image that few nodes have counts less, so that these few are not flooded.
        let spread = |image: &String| {
            let have = nodes.iter().filter(|node| node.images.contains_key(image)).count();
            i64::try_from(have).unwrap_or(0)
        };
        let spreads: Vec<i64> = pod.images.iter().map(spread).collect();
        let most = MOST * i64::try_from(pod.images.len()).unwrap_or(1).max(1);
        let score = |node: &&NodeInfo| {
            let images = pod.images.iter().zip(&spreads);
            let sum: i64 = images
                .filter_map(|(image, spread)| Some(node.images.get(image)?.saturating_mul(*spread) / total))
                .sum();
            (sum.clamp(LEAST, most) - LEAST) * BEST / (most - LEAST)
        };
        nodes.iter().map(score).collect()
    }
}
