//! Where the Services are of a Prometheus, or of what speaks its API: by labels in all namespaces, else by labels and names
//! in those where they usually live. What may not be read is said, and is no error.

use super::find::{Where, list};
use super::resolve::Place;
use crate::apiserver::Trouble;
use crate::decode::kubernetes::monitors::{Monitor, monitor, selectors};

/// Where they usually live, as their charts and manifests have it.
const LIVE_IN: [&str; 8] = [
    "monitoring",
    "prometheus",
    "observability",
    "kube-prometheus-stack",
    "openshift-monitoring",
    "cattle-monitoring-system",
    "mimir",
    "victoria-metrics",
];

/// What was found.
#[derive(Debug, Default)]
pub struct Monitors {
    /// What sees most first.
    pub found: Vec<Monitor>,
    /// Whether all namespaces could be looked at.
    pub everywhere: bool,
    /// The namespaces that may not be looked at, where all may not.
    pub denied: Vec<String>,
    /// What else went wrong.
    pub untold: Vec<String>,
}

/// Looks for them.
pub async fn monitors(place: &Place<'_>) -> Monitors {
    let mut all = Monitors { everywhere: true, ..Monitors::default() };
    for labels in selectors() {
        match list(place, Where { everywhere: true, labels: Some(&labels) }, ("", "v1", "services")).await {
            Ok((services, _)) => all.add(services.iter().filter_map(monitor)),
            Err(trouble) => {
                all.everywhere = false;
                if !matches!(trouble, Trouble::Denied(_)) {
                    all.untold.push(trouble.to_string());
                }
                break;
            }
        }
    }
    // One that is known by its name alone is looked for where such names mean something.
    if all.found.is_empty() {
        let own = (!LIVE_IN.contains(&place.namespace)).then_some(place.namespace);
        for namespace in LIVE_IN.into_iter().chain(own) {
            let there = Place { namespace, ..*place };
            match list(&there, Where { everywhere: false, labels: None }, ("", "v1", "services")).await {
                Ok((services, _)) => all.add(services.iter().filter_map(monitor)),
                Err(Trouble::Denied(_)) => all.denied.push(namespace.to_owned()),
                Err(Trouble::NotFound(_)) => {}
                // Who does not answer once is not asked eight times more.
                Err(trouble) => {
                    all.untold.push(trouble.to_string());
                    break;
                }
            }
        }
    }
    all.found.sort_by(|a, b| (a.rank, &a.namespace, &a.name).cmp(&(b.rank, &b.namespace, &b.name)));
    all.untold.dedup();
    all
}

impl Monitors {
    fn add(&mut self, found: impl Iterator<Item = Monitor>) {
        for one in found {
            if !self.found.iter().any(|k| (&k.namespace, &k.name) == (&one.namespace, &one.name)) {
                self.found.push(one);
            }
        }
    }
}
