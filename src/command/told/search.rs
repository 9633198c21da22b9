//! Which Prometheus of the cluster is asked: of those whose Services are found, the one that has most of the engine's
//! series. Each is asked for a count, once; why the others are not is told.

use std::cmp::Reverse;
use std::time::Duration;

use futures::future::join_all;

use super::Server;
use crate::apiserver::Client;
use crate::decode::kubernetes::monitors::Monitor;
use crate::domain::{Failure, SourceState, Untold, WorkloadRef};
use crate::reach::front::Front;
use crate::source::kubernetes::{Monitors, Place, monitors};
use crate::source::prometheus::{Asked, trial};

/// So many are asked: what sees most comes first, and a cluster seldom has more.
const MOST_ASKED: usize = 6;
/// For one count.
const PATIENCE: Duration = Duration::from_secs(5);
/// How the API server's refusals begin ([`crate::apiserver::Trouble`]).
const DENIED: &str = "not allowed:";
/// How somebody says who is to be asked.
const NAME_IT: &str = "name it: --prometheus NAMESPACE/SERVICE:PORT or a URL; \"off\" looks for none";

/// Where to look.
#[derive(Debug)]
pub struct Search {
    pub(super) client: Client,
    pub(super) target: WorkloadRef,
    /// For one answer of the API server.
    pub(super) deadline: Duration,
    pub(super) headers: Vec<(&'static str, String)>,
}

/// What one of them answered.
type Answer = Result<Option<(usize, f64)>, Failure>;

impl Search {
    pub(super) async fn find(&self, asked: &Asked) -> Result<(Server, Option<String>), Untold> {
        let place = Place {
            client: &self.client,
            context: &self.target.context,
            namespace: &self.target.namespace,
            deadline: self.deadline,
        };
        let mut all = monitors(&place).await;
        all.found.truncate(MOST_ASKED);
        if all.found.is_empty() {
            return Err(nobody(&all));
        }
        let asking = all.found.iter().map(|monitor| async move {
            let answer = trial(&self.server(monitor), asked, PATIENCE).await;
            (monitor, answer)
        });
        let answers: Vec<(&Monitor, Answer)> = join_all(asking).await;
        let Some(best) = best(&answers) else { return Err(silent(&answers)) };
        Ok((self.server(best), Some(along(best, &answers))))
    }

    fn server(&self, monitor: &Monitor) -> Server {
        let Monitor { namespace, name, port, path, .. } = monitor;
        Server(Front::service(&self.client, (namespace, name, *port, path)).with(self.headers.clone()))
    }
}

/// Who finds series by the surest way, and of those the most; else who answers at all, for alerts.
fn best<'a>(answers: &[(&'a Monitor, Answer)]) -> Option<&'a Monitor> {
    let order = |(monitor, answer): &&(&Monitor, Answer)| {
        let found = answer.as_ref().ok().copied().flatten();
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count")]
        let count = found.map_or(0, |(_, count)| count as u64);
        (found.map_or(usize::MAX, |(choice, _)| choice), Reverse(count), monitor.rank)
    };
    answers.iter().filter(|(_, answer)| answer.is_ok()).min_by_key(order).map(|(monitor, _)| *monitor)
}

fn called(monitor: &Monitor) -> String {
    format!("{}/{}:{}{}", monitor.namespace, monitor.name, monitor.port, monitor.path)
}

fn says(answer: &Answer) -> String {
    match answer {
        Ok(Some((_, count))) => format!("has {count:.0} series of this engine"),
        Ok(None) => "has no series of this engine".to_owned(),
        Err(failure) => failure.to_string(),
    }
}

/// Who was chosen, by what, and what of the others.
fn along(best: &Monitor, answers: &[(&Monitor, Answer)]) -> String {
    let is_best = |m: &Monitor| std::ptr::eq(m, best);
    let mine = answers.iter().find(|(m, _)| is_best(m)).map(|(_, answer)| says(answer)).unwrap_or_default();
    let others: Vec<String> = answers
        .iter()
        .filter(|(m, _)| !is_best(m))
        .map(|(m, answer)| format!("{} {}", called(m), says(answer)))
        .collect();
    let others = if others.is_empty() { String::new() } else { format!("; not asked: {}", others.join(", ")) };
    format!("the {} of Service {}, which {mine}{others}", best.by, called(best))
}

/// Why none was found.
fn nobody(all: &Monitors) -> Untold {
    let mut why = Vec::new();
    if all.everywhere {
        why.push("no Service of a Prometheus is known by its labels or its name".to_owned());
    } else if all.denied.is_empty() {
        why.push("no Service of a Prometheus in the namespaces where it usually lives".to_owned());
    } else {
        why.push(format!(
            "Services may not be listed in all namespaces, nor in {}: warroom rbac --neighbour NAMESPACE grants one",
            all.denied.join(", ")
        ));
    }
    why.extend(all.untold.iter().cloned());
    why.push(NAME_IT.to_owned());
    let state = if all.denied.is_empty() { SourceState::Absent } else { SourceState::Denied };
    Untold { state, why: why.join("; ") }
}

/// Why none of those that were found answers.
fn silent(answers: &[(&Monitor, Answer)]) -> Untold {
    let denied =
        |(_, answer): &&(&Monitor, Answer)| matches!(answer, Err(Failure::Other(why)) if why.starts_with(DENIED));
    let mut namespaces: Vec<&str> = answers.iter().filter(denied).map(|(m, _)| m.namespace.as_str()).collect();
    namespaces.sort_unstable();
    namespaces.dedup();
    let mut why: Vec<String> = answers.iter().map(|(m, answer)| format!("{}: {}", called(m), says(answer))).collect();
    if !namespaces.is_empty() {
        let allow: Vec<String> = namespaces.iter().map(|n| format!(" --neighbour {n}")).collect();
        why.push(format!("allow 'get' on 'services/proxy': warroom rbac{}", allow.concat()));
    }
    why.push(NAME_IT.to_owned());
    let state = if namespaces.is_empty() { SourceState::Absent } else { SourceState::Denied };
    Untold { state, why: why.join("; ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn monitor(name: &str, rank: usize) -> Monitor {
        Monitor {
            namespace: "monitoring".to_owned(),
            name: name.to_owned(),
            port: 9090,
            path: "",
            by: "label a=b".to_owned(),
            rank,
        }
    }

    #[test]
    fn who_has_the_engines_series_is_asked_before_who_sees_more_of_everything() {
        let (thanos, ours, other) = (monitor("thanos", 1), monitor("ours", 6), monitor("other", 6));
        let answers: Vec<(&Monitor, Answer)> =
            vec![(&thanos, Ok(None)), (&ours, Ok(Some((0, 24.0)))), (&other, Ok(Some((1, 99.0))))];
        assert_eq!(best(&answers), Some(&ours));
        let told = along(&ours, &answers);
        assert!(told.starts_with("the label a=b of Service monitoring/ours:9090, which has 24 series"), "{told}");
        assert!(told.contains("not asked: monitoring/thanos:9090 has no series"), "{told}");
        let alike: Vec<(&Monitor, Answer)> = vec![(&ours, Ok(Some((0, 24.0)))), (&thanos, Ok(Some((0, 24.0))))];
        assert_eq!(best(&alike), Some(&thanos));
        let quiet: Vec<(&Monitor, Answer)> = vec![(&thanos, Err(Failure::Refused)), (&ours, Ok(None))];
        assert_eq!(best(&quiet), Some(&ours), "for its alerts");
    }

    #[test]
    fn what_is_denied_names_the_line_that_grants_it_and_what_is_not_there_is_absent() {
        let ours = monitor("ours", 6);
        let denied = Failure::Other(crate::apiserver::Trouble::Denied("services/proxy".to_owned()).to_string());
        let untold = silent(&[(&ours, Err(denied))]);
        assert_eq!(untold.state, SourceState::Denied);
        assert!(untold.why.contains("warroom rbac --neighbour monitoring"), "{}", untold.why);
        assert_eq!(nobody(&Monitors { everywhere: true, ..Monitors::default() }).state, SourceState::Absent);
        let narrow = Monitors { denied: vec!["monitoring".to_owned()], ..Monitors::default() };
        let untold = nobody(&narrow);
        assert_eq!(untold.state, SourceState::Denied);
        assert!(untold.why.contains("nor in monitoring") && untold.why.contains("\"off\""), "{}", untold.why);
    }
}
