//! A wait that two engines tell in two parts, one after the other: what can be said of the sum of both, where each has a
//! histogram of its own part and nobody has one of the whole.
//!
//! Means add up. Of a distribution only bounds are known, and they are sharp without further knowledge (Fréchet; Makarov
//! 1981, "Estimates for the distribution function of a sum of two random variables when the marginal distributions are
//! fixed"): for every split `s` of a threshold `t`, who is over `s` in the one part and over `t - s` in the other one is over
//! `t` in all; and who is over `t` in all is over `s` in the one or over `t - s` in the other.

use crate::domain::Histogram;

/// The sum of two waits, at its best and at its worst. The count is that of the second one: whoever came out of both.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Joint {
    /// As few late ones as can be: what is late here is late for certain.
    pub(super) earliest: Histogram,
    /// As many late ones as can be.
    pub(super) latest: Histogram,
}

impl Joint {
    pub(super) fn of(first: &Histogram, second: &Histogram) -> Self {
        let (count, sum) = (second.count, first.sum + second.sum);
        // Whoever is between the two at an end of the window is in one of them only.
        let all = first.count.max(second.count);
        let known = !first.bounds.is_empty() && !second.bounds.is_empty();
        if !known {
            let plain = Histogram::plain(sum, count);
            return Self { earliest: plain.clone(), latest: plain };
        }
        let splits = || std::iter::once(0.0).chain(first.bounds.iter().copied());
        let over = |h: &Histogram, t: f64| h.above(t).map_or((0.0, h.count), |f| (f.at_least, f.at_most));
        let mut counts = (Vec::new(), Vec::new());
        for bound in second.bounds.iter() {
            let (mut least, mut most) = (0.0_f64, count);
            if bound.is_infinite() {
                most = 0.0;
            }
            for split in splits().filter(|s| *s <= *bound && s.is_finite() && bound.is_finite()) {
                let (own, other) = if split > 0.0 { over(first, split) } else { (first.count, first.count) };
                let (least_after, most_after) = over(second, bound - split);
                least = least.max(own + least_after - all);
                most = most.min(other + most_after);
            }
            // The parts alone: whoever has no first one has waited for the second one all the same.
            if bound.is_finite() {
                least = least.max(over(second, *bound).0).max(over(first, *bound).0);
            }
            counts.0.push(count - least.min(count));
            counts.1.push(count - most.max(least).min(count));
        }
        let of = |counts: Vec<f64>| Histogram {
            bounds: std::sync::Arc::clone(&second.bounds),
            counts: counts.into(),
            sum,
            count,
        };
        Self { earliest: of(counts.0), latest: of(counts.1) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUNDS: [f64; 5] = [0.25, 0.5, 1.0, 2.0, f64::INFINITY];

    fn of(waits: &[f64]) -> Histogram {
        let upto = |b: f64| waits.iter().map(|w| f64::from(u8::from(*w <= b))).sum::<f64>();
        Histogram {
            bounds: BOUNDS.to_vec().into(),
            counts: BOUNDS.map(upto).into(),
            sum: waits.iter().sum(),
            count: upto(f64::INFINITY),
        }
    }

    fn late(h: &Histogram, t: f64) -> (f64, f64) {
        h.above(t).map(|f| (f.at_least, f.at_most)).expect("buckets")
    }

    #[test]
    fn the_truth_lies_between_the_bounds_however_the_parts_are_paired() {
        let (first, second) = ([0.1, 0.3, 0.3, 0.9, 1.5, 0.1], [0.1, 0.4, 0.9, 0.2, 0.1, 2.5]);
        let joint = Joint::of(&of(&first), &of(&second));
        for turn in 0..first.len() {
            for t in &BOUNDS[..4] {
                let paired = (0..first.len()).map(|i| first[i] + second[(i + turn) % second.len()]);
                let truth = paired.map(|w| f64::from(u8::from(w > *t))).sum::<f64>();
                let (least, most) = (late(&joint.earliest, *t).0, late(&joint.latest, *t).1);
                assert!(least <= truth && truth <= most, "over {t}: {least} <= {truth} <= {most}");
            }
        }
        assert!(joint.earliest.is_whole() && joint.latest.is_whole());
    }

    #[test]
    fn two_parts_that_are_within_the_target_alone_are_late_together_where_no_pairing_helps() {
        let joint = Joint::of(&of(&[0.3; 10]), &of(&[0.4; 10]));
        assert_eq!(late(&joint.earliest, 0.5), (10.0, 10.0), "each is over a quarter, so both are over a half");
        assert_eq!(joint.earliest.mean(), Some(0.7));
    }

    #[test]
    fn whoever_is_late_in_one_part_is_late() {
        let joint = Joint::of(&of(&[0.1, 0.1, 0.1, 3.0]), &of(&[0.1; 4]));
        assert_eq!(late(&joint.earliest, 1.0).0, 1.0);
        assert_eq!(late(&joint.latest, 1.0).1, 1.0, "and nobody else can be");
    }

    #[test]
    fn where_a_part_has_no_buckets_only_the_mean_is_known() {
        let joint = Joint::of(&Histogram::plain(3.0, 10.0), &of(&[0.1; 10]));
        assert_eq!((joint.earliest.mean(), joint.latest.above(0.5)), (Some(0.4), None));
    }
}
