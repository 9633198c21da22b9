//! A bad way to a real API server: what is known ages and says so, nothing dies, and what happened meanwhile is known soon
//! after the way is good again.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;
use warroom::apiserver::connect;
use warroom::clock::{self, Clock};
use warroom::command::check;
use warroom::config::Config;
use warroom::domain::{At, Snapshot, SourceState, WorkloadKind, WorkloadRef};
use warroom::runtime::session::{Session, snapshot};

use crate::levers::{NAME, Workload, kubectl_is_here};
use crate::real::real;
use crate::way::{Mood, Way};

/// A watch lasts ten seconds and may be silent for five more; the pauses between attempts grow to thirty.
const SOON: Duration = Duration::from_mins(1);

fn state(s: &Snapshot) -> Option<SourceState> {
    s.watches.iter().find(|w| w.resource == "deployments").map(|w| w.state)
}

fn wanted(s: &Snapshot) -> Option<u32> {
    s.cluster.as_ref()?.1.workload.as_ref().map(|w| w.desired)
}

fn ready(s: &Snapshot) -> usize {
    s.cluster.as_ref().map_or(0, |(_, f)| f.pods.iter().filter(|p| p.ready && p.deleting.is_none()).count())
}

/// Watches over a way that has a mood for a while; whether that is noticed is told by `noticed`.
async fn over(mood: Mood, noticed: bool) {
    let test = "what_happened_while_the_way_was_bad_is_known_soon_after";
    let Some(real) = real(test).filter(|_| kubectl_is_here(test)) else { return };
    let namespace = format!("faults-{mood:?}").to_lowercase();
    let workload = Workload::new(real, &namespace, WorkloadKind::Deployment, 2).await;
    let (way, home) = (Way::to(real), tempfile::tempdir().expect("a directory"));
    let kubeconfig = way.kubeconfig(real, home.path(), "test");
    let options = connect::Options { kubeconfig: Some(kubeconfig), ..connect::Options::default() };
    let client = connect::connect(options).await.expect("a client").client;
    let config = Config::default();
    let target = WorkloadRef { context: "test".into(), namespace, kind: WorkloadKind::Deployment, name: NAME.into() };
    let decoder = Arc::new(check::decoder(&config).expect("dialects"));
    let (_session, mut deliveries) = Session::open(client, target.clone(), Clock::Wall, decoder, &config, None);
    let mut seen = snapshot(target, &config);
    let mut until = async |what: &str, holds: &dyn Fn(&Snapshot) -> bool| {
        let watching = async {
            while !holds(&seen) {
                seen.observe(deliveries.recv().await.expect("the session goes on"));
                seen.now = At(clock::unix_ms());
            }
        };
        let said = timeout(SOON, watching).await;
        assert!(said.is_ok(), "{mood:?}: not {what} within a minute: {:?} {:?}", wanted(&seen), seen.watches);
        seen.cluster.as_ref().map(|(at, _)| *at)
    };
    until("live", &|s| state(s) == Some(SourceState::Live) && ready(s) == 2).await;
    way.is(mood);
    let from = At(clock::unix_ms());
    workload.kubectl("scale {} --replicas=3").expect("scaled by somebody with a better way");
    workload.until_settled().await;
    if noticed {
        until("troubled", &|s| state(s).is_some_and(|state| state != SourceState::Live)).await;
        // What is known is as old as it is, and still there.
        let old = until("old", &|s| s.cluster.is_some()).await.expect("facts");
        assert!(old <= from.plus(1.0), "{mood:?}: facts of {old:?} are told after {from:?}");
        until("kept", &|s| wanted(s) == Some(2) && ready(s) == 2).await;
        way.is(Mood::Open);
    }
    until("live again", &|s| state(s) == Some(SourceState::Live) && wanted(s) == Some(3) && ready(s) == 3).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_happened_while_the_way_was_bad_is_known_soon_after() {
    tokio::join!(
        over(Mood::Silent, true),
        over(Mood::Closed, true),
        over(Mood::HalfOpen, true),
        // A slow way is a way.
        over(Mood::Slow, false),
    );
}
