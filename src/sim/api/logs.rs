//! `pods/log`: what a container wrote, from which moment on, the last lines, and what it goes on to write.

use std::sync::Arc;
use std::time::Duration;

use futures::stream;

use super::Shared;
use super::ask::{Ask, Target};
use super::read::find;
use super::reply::Reply;
use crate::domain::At;
use crate::sim::cluster::Refusal;
use crate::sim::cluster::json::{list, micro, name, parse_time, text};
use crate::sim::cluster::kubelet::Logs;
use crate::sim::cluster::store::Object;

/// How often somebody who follows is told what is new.
const POLL: Duration = Duration::from_millis(250);
const TEXT: &str = "text/plain";

pub(super) fn answer(shared: &Arc<Shared>, ask: &Ask, target: &Target<'_>) -> Result<Reply, Refusal> {
    let held = shared.world();
    let pod = find(&held, target)?;
    let now = held.world.now();
    let container = ask.get("container");
    let names: Vec<&str> = list(&pod, "/spec/containers").iter().map(|c| text(c, "/name")).collect();
    if container.is_empty() && names.len() > 1 {
        let message =
            format!("a container name must be specified for pod {}, choose one of: [{}]", target.name, names.join(" "));
        return Err(Refusal::bad(message));
    }
    let shown = if container.is_empty() { names.first().copied().unwrap_or_default() } else { container };
    let called = name(&pod);
    let mut lines = match held.world.cluster.kubelet.logs(held.world.serving(), &pod, container, ask.is("previous")) {
        Logs::Lines(lines) => lines,
        Logs::Waiting(reason) => {
            return Err(Refusal::bad(format!(
                "container \"{shown}\" in pod \"{called}\" is waiting to start: {reason}"
            )));
        }
        Logs::NoPrevious => {
            return Err(Refusal::bad(format!(
                "previous terminated container \"{shown}\" in pod \"{called}\" not found"
            )));
        }
        Logs::NoContainer => {
            let shown = crate::text::clean(shown, 80);
            return Err(Refusal::bad(format!("container {shown} is not valid for pod {called}")));
        }
    };
    let last = lines.len();
    let since = ask.number("sinceSeconds").map(|s| now.plus(-(s as f64))).or_else(|| parse_time(ask.get("sinceTime")));
    lines.retain(|(at, _)| since.is_none_or(|since| *at >= since));
    if let Some(tail) = ask.number("tailLines").and_then(|t| usize::try_from(t).ok()) {
        lines.drain(..lines.len().saturating_sub(tail));
    }
    let stamps = ask.is("timestamps");
    let mut body: String = lines.iter().map(|line| written(line, stamps)).collect();
    if let Some(limit) = ask.number("limitBytes").and_then(|l| usize::try_from(l).ok()) {
        let mut end = limit.min(body.len());
        while !body.is_char_boundary(end) {
            end -= 1;
        }
        body.truncate(end);
    }
    drop(held);
    if !ask.is("follow") || ask.is("previous") {
        return Ok(Reply::text(200, body).typed(TEXT));
    }
    let follow =
        Follow { shared: shared.clone(), pod, container: container.to_owned(), last, stamps, first: Some(body) };
    Ok(Reply::stream(TEXT, stream::unfold(follow, next)))
}

fn written((at, line): &(At, String), stamps: bool) -> String {
    if stamps { format!("{} {line}\n", micro(*at)) } else { format!("{line}\n") }
}

struct Follow {
    shared: Arc<Shared>,
    pod: Object,
    container: String,
    last: usize,
    stamps: bool,
    first: Option<String>,
}

/// The next lines; `None` once the container is gone.
async fn next(mut follow: Follow) -> Option<(String, Follow)> {
    if let Some(first) = follow.first.take().filter(|f| !f.is_empty()) {
        return Some((first, follow));
    }
    loop {
        let news = {
            let held = follow.shared.world();
            if !held.world.cluster.kubelet.runs(&follow.pod) {
                return None;
            }
            match held.world.cluster.kubelet.logs(held.world.serving(), &follow.pod, &follow.container, false) {
                Logs::Lines(lines) => {
                    // A container that was started again begins anew.
                    let from = if follow.last > lines.len() { 0 } else { follow.last };
                    follow.last = lines.len();
                    lines[from..].iter().map(|line| written(line, follow.stamps)).collect::<String>()
                }
                _ => return None,
            }
        };
        if !news.is_empty() {
            return Some((news, follow));
        }
        tokio::time::sleep(POLL).await;
    }
}
