//! Which way to a pod's page is tried: the one that led there, and another one only where it was the way that failed. It
//! knows no socket and no clock: a search goes on from one attempt to the next.

use std::collections::VecDeque;

use crate::domain::{Failure, Reached, Via};
use crate::text::clean;

/// In which order ways are tried. `pods/proxy` needs the least right and leaves nothing open; a port-forward goes where
/// the API server cannot: to ports of 127.0.0.1, and through firewalls that only let it reach kubelets; the straight way
/// comes last, because nothing proves that an address means the same pod from here.
const ORDER: [Via; 3] = [Via::Proxy, Via::PortForward, Via::Direct];

/// So many attempts without any sign from the pod, one after the other, put a way in doubt that has led there: as many as
/// make its page stale.
const DOUBTS: u32 = 3;

/// The most attempts between two searches that found nothing: a minute at the usual interval.
const LONGEST_PAUSE: u32 = 12;

/// How much of a reason is kept, in characters.
const SHOWN: usize = 300;

/// Whose doing it is that a way brought no answer of the pod.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Blame {
    /// The way's: it does not lead there.
    Way,
    /// The way's or the pod's: it leads to the pod's address, where nobody listens.
    Closed,
    /// The way's or the pod's: nothing came.
    Silent,
    /// Nobody's of them: the API server is in trouble, or the pod is still starting. Nothing is learnt about the way.
    Neither,
}

/// What came instead of a page.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Miss {
    /// An answer of the process itself, which is none of the way's doing.
    Answer(Failure),
    /// None.
    Lost(Failure, Blame),
}

impl From<Failure> for Miss {
    fn from(failure: Failure) -> Self {
        Self::Answer(failure)
    }
}

/// What is to be done after a way was tried.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Then {
    /// The next way is tried, if there is one.
    Next,
    /// That was all; this is told.
    Tell(Failure),
}

/// The search for a way to one page, from its first attempt to its last.
#[derive(Debug)]
pub(super) struct Search {
    /// The ways that may be tried.
    order: Vec<Via>,
    /// The one that is tried first.
    first: Via,
    /// Whether it has led to the pod, and nothing speaks against it since.
    proven: bool,
    /// The one on which the pod answered last.
    last: Option<Via>,
    /// Whether pods' addresses lead to pods from here.
    is_routed: bool,
    /// How often in a row it brought nothing since.
    doubts: u32,
    /// What is still to be tried in the search under way.
    left: VecDeque<Via>,
    /// Whether more than one was tried since the search began.
    searching: bool,
    /// What the pod itself, or somebody in its place, was last found to do in this attempt.
    seen: Option<Failure>,
    /// What the way that was tried last in this attempt failed with.
    failed: Option<Failure>,
    /// Why each did not lead there when it was last tried.
    why: [Option<String>; ORDER.len()],
    /// Attempts until the next search.
    pause: u32,
    /// Searches in a row that found nothing.
    fruitless: u32,
}

impl Search {
    /// A search among all ways, or `only` this one; without an address there is no straight one. What is
    /// `remembered` of others is tried first.
    pub(super) fn new(only: Option<Via>, has_address: bool, remembered: &Reached) -> Self {
        let order: Vec<Via> = match only {
            None => ORDER.into_iter().filter(|via| has_address || *via != Via::Direct).collect(),
            Some(via) => vec![via],
        };
        let first = remembered.via.filter(|via| order.contains(via)).unwrap_or(order[0]);
        let mut why: [Option<String>; ORDER.len()] = Default::default();
        for (via, reason) in &remembered.failed {
            why[place(*via)] = Some(reason.clone());
        }
        Self {
            order,
            first,
            proven: false,
            last: None,
            is_routed: remembered.via == Some(Via::Direct),
            doubts: 0,
            left: VecDeque::new(),
            searching: false,
            seen: None,
            failed: None,
            why,
            pause: 0,
            fruitless: 0,
        }
    }

    /// An attempt begins. It goes on with the search that the last one had no time to end.
    pub(super) fn begin(&mut self) {
        (self.seen, self.failed) = (None, None);
        if self.left.is_empty() {
            self.searching = false;
            self.left.push_back(self.first);
            if self.pause == 0 {
                self.left.extend(self.order.iter().filter(|via| **via != self.first));
            }
            self.pause = self.pause.saturating_sub(1);
        }
    }

    /// The next way of this attempt.
    pub(super) fn next(&mut self) -> Option<Via> {
        self.left.pop_front()
    }

    /// The pod answered on this way, with a page or with something else: it is the way from now on.
    pub(super) fn answered(&mut self, via: Via) {
        (self.first, self.last, self.proven, self.doubts) = (via, Some(via), true, 0);
        self.is_routed |= via == Via::Direct;
        (self.pause, self.fruitless) = (0, 0);
        self.left.clear();
        // What comes after it is not asked again, and an old reason is none.
        self.why.iter_mut().skip(place(via)).for_each(|why| *why = None);
    }

    /// Whether whoever answers on this way is the pod. An address may be somebody else's where it is asked from, and only a
    /// page shows that it is not; whoever chose that way alone knows it.
    pub(super) fn is_the_pod(&self, via: Via) -> bool {
        via != Via::Direct || self.is_routed || self.order.len() == 1
    }

    /// The pod did not answer on this way.
    pub(super) fn lost(&mut self, via: Via, failure: Failure, blame: Blame) -> Then {
        let is_proven = self.proven && via == self.first;
        // A refusal or a silence somewhere else says nothing of the pod.
        let elsewhere = !self.is_the_pod(via) && blame != Blame::Neither;
        let blame = if elsewhere { Blame::Way } else { blame };
        match blame {
            Blame::Neither => {
                // What a way has shown of the pod in this attempt says more.
                let seen = self.seen.take();
                return self.tell(seen.unwrap_or(failure));
            }
            Blame::Closed if is_proven => return self.tell(failure),
            Blame::Silent if is_proven => {
                self.doubts += 1;
                self.proven = self.doubts < DOUBTS;
                return self.tell(failure);
            }
            Blame::Way | Blame::Closed | Blame::Silent => {}
        }
        self.why[place(via)] = Some(brief(&failure.to_string()));
        if is_proven {
            // It has stopped to lead there: whatever was paused is looked for at once.
            (self.proven, self.pause, self.fruitless) = (false, 0, 0);
            self.left = self.order.iter().copied().filter(|other| *other != via).collect();
        }
        if blame == Blame::Way {
            self.failed = Some(failure);
        } else {
            self.seen = Some(failure);
        }
        if blame == Blame::Closed {
            // The other ways to the same address find the same; only inside of the pod somebody may listen.
            let inside = via == Via::PortForward;
            self.left.retain(|other| (*other == Via::PortForward) != inside);
        }
        self.searching |= !self.left.is_empty();
        Then::Next
    }

    /// There is no time left in this attempt: the next one goes on with `via`.
    pub(super) fn postpone(&mut self, via: Via) {
        self.left.push_front(via);
    }

    /// No way led to the pod in this attempt; what is told of it.
    pub(super) fn ended(&mut self) -> Failure {
        if self.left.is_empty() && self.searching {
            self.fruitless = (self.fruitless + 1).min(LONGEST_PAUSE.ilog2() + 1);
            self.pause = ((1 << self.fruitless) - 1).min(LONGEST_PAUSE);
            self.searching = false;
        }
        match (self.seen.take(), self.failed.take()) {
            (Some(seen), _) => seen,
            // Where only one way was ever tried, it is told as what it is.
            (None, Some(failed)) if self.why.iter().flatten().count() == 1 => failed,
            (None, _) => Failure::Other(self.reasons()),
        }
    }

    /// How the page is reached.
    pub(super) fn reached(&self) -> Reached {
        let failed = self.order.iter().filter_map(|via| Some((*via, self.why[place(*via)].clone()?))).collect();
        Reached { via: self.last, failed }
    }

    /// The way that is tried first.
    pub(super) fn first(&self) -> Via {
        self.first
    }

    fn tell(&mut self, failure: Failure) -> Then {
        self.left.clear();
        Then::Tell(failure)
    }

    fn reasons(&self) -> String {
        let Reached { failed, .. } = self.reached();
        failed.iter().map(|(via, why)| format!("{}: {why}", via.name())).collect::<Vec<_>>().join("; ")
    }
}

/// A refusal by RBAC is told by what mends it: who one is and where is known to whoever reads it.
fn brief(why: &str) -> String {
    let remedy = |(_, rest): (&str, &str)| rest.rsplit_once("; ").map(|(_, remedy)| remedy.to_owned());
    match why.split_once(" is forbidden: User ").and_then(remedy) {
        Some(remedy) => format!("not allowed; {remedy}"),
        None => clean(why, SHOWN),
    }
}

fn place(via: Via) -> usize {
    match via {
        Via::Proxy => 0,
        Via::PortForward => 1,
        Via::Direct => 2,
    }
}

#[cfg(test)]
mod tests;
