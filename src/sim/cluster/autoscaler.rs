//! The HorizontalPodAutoscaler controller: every 15 s, from what pods say of themselves, within its bounds.
//!
//! Follows `pkg/controller/podautoscaler`: a tolerance of a tenth, pods without a metric counted so that they slow it
//! down, scale-downs held back for five minutes, at most doubling (or four pods) in 15 s.

use std::collections::{BTreeMap, VecDeque};

use serde_json::{Value, json};

use super::desk::Desk;
use super::json::{int, list, name, namespace, quantity, text, time, time_at, uid};
use super::kinds::Kind;
use super::replicas::ready_since;
use super::scheduler::GPU;
use super::selector;
use super::store::Object;
use crate::domain::At;
use crate::sim::serving::Serving;

/// Seconds between two looks.
pub(super) const EVERY_S: i64 = 15;
const TOLERANCE: f64 = 0.1;
/// A pod that is younger says nothing about CPU (s).
const CPU_INITIALIZATION_S: f64 = 300.0;
const COMPONENT: &str = "horizontal-pod-autoscaler";

/// What the controller remembers.
#[derive(Debug, Default)]
pub(crate) struct Autoscalers {
    memory: BTreeMap<String, Memory>,
}

#[derive(Debug, Default)]
struct Memory {
    /// What was wanted, and when.
    wanted: VecDeque<(At, i64)>,
    /// By how much it scaled, and when.
    scaled: VecDeque<(At, i64)>,
}

/// What one metric asks for.
#[derive(Debug, Clone, PartialEq)]
struct Proposal {
    replicas: i64,
    name: String,
    current: Value,
}

impl Autoscalers {
    /// One look of all of them.
    pub(super) fn look(&mut self, desk: &mut Desk, serving: &dyn Serving) {
        for autoscaler in desk.store.snapshot(Kind::Autoscaler) {
            let memory = self.memory.entry(uid(&autoscaler).to_owned()).or_default();
            one(desk, serving, &autoscaler, memory);
        }
    }
}

fn target_kind(autoscaler: &Value) -> Option<Kind> {
    match text(autoscaler, "/spec/scaleTargetRef/kind") {
        "Deployment" => Some(Kind::Deployment),
        "StatefulSet" => Some(Kind::StatefulSet),
        "ReplicaSet" => Some(Kind::ReplicaSet),
        _ => None,
    }
}

fn one(desk: &mut Desk, serving: &dyn Serving, autoscaler: &Object, memory: &mut Memory) {
    let space = namespace(autoscaler);
    let target = target_kind(autoscaler).and_then(|kind| {
        Some((kind, desk.store.get(kind, space, text(autoscaler, "/spec/scaleTargetRef/name"))?.clone()))
    });
    let Some((kind, target)) = target else {
        let message = format!(
            "the HPA controller was unable to get the target's current scale: {} \"{}\" not found",
            text(autoscaler, "/spec/scaleTargetRef/kind").to_lowercase(),
            text(autoscaler, "/spec/scaleTargetRef/name")
        );
        let mut conditions = Conditions::of(autoscaler, desk.now);
        conditions.put("AbleToScale", false, "FailedGetScale", &message);
        conditions.write(desk, autoscaler, None, &json!({}));
        return;
    };
    let mut conditions = Conditions::of(autoscaler, desk.now);
    conditions.put(
        "AbleToScale",
        true,
        "SucceededGetScale",
        "the HPA controller was able to get the target's current scale",
    );
    let current = int(&target, "/spec/replicas").unwrap_or(0);
    let existing = int(&target, "/status/replicas").unwrap_or(0);
    let (least, most) =
        (int(autoscaler, "/spec/minReplicas").unwrap_or(1), int(autoscaler, "/spec/maxReplicas").unwrap_or(1));
    if current == 0 && least != 0 {
        conditions.put(
            "ScalingActive",
            false,
            "ScalingDisabled",
            "scaling is disabled since the replica count of the target is zero",
        );
        conditions.write(desk, autoscaler, Some((existing, 0)), &json!({}));
        return;
    }
    let pods: Vec<Object> = desk
        .store
        .all(Kind::Pod)
        .filter(|p| namespace(p) == space && selector::matches(&target["spec"]["selector"], p))
        .cloned()
        .collect();
    let proposals: Vec<Proposal> =
        list(autoscaler, "/spec/metrics").iter().filter_map(|m| propose(desk, serving, m, &pods, current)).collect();
    let Some(best) = proposals.iter().max_by_key(|p| p.replicas).cloned() else {
        let what = "the HPA was unable to compute the replica count: no metrics returned from resource metrics API";
        conditions.put("ScalingActive", false, "FailedGetResourceMetric", what);
        conditions.write(desk, autoscaler, Some((existing, current)), &json!({}));
        return;
    };
    let found = format!("the HPA was able to successfully calculate a replica count from {}", best.name);
    conditions.put("ScalingActive", true, "ValidMetricFound", &found);
    let reason = if best.replicas > current {
        format!("{} above target", best.name)
    } else {
        "All metrics below target".to_owned()
    };
    let bounds = Bounds { current, least, most };
    let wanted = steady(desk.now, autoscaler, memory, bounds, best.replicas, &mut conditions);
    let mut scaled = None;
    if wanted != current {
        desk.store.modify(kind, space, name(&target), |target| super::deployments::set_replicas(target, wanted));
        memory.scaled.push_back((desk.now, wanted - current));
        let message = format!("New size: {wanted}; reason: {reason}");
        desk.event(autoscaler, COMPONENT, "Normal", "SuccessfulRescale", &message);
        let able = format!("the HPA controller was able to update the target scale to {wanted}");
        conditions.put("AbleToScale", true, "SucceededRescale", &able);
        scaled = Some(desk.now);
    }
    let metrics: Vec<Value> = proposals.into_iter().map(|p| p.current).collect();
    let mut more = json!({"currentMetrics": metrics});
    if let Some(at) = scaled {
        more["lastScaleTime"] = json!(time(at));
    }
    conditions.write(desk, autoscaler, Some((existing, wanted)), &more);
}

#[derive(Clone, Copy)]
struct Bounds {
    current: i64,
    least: i64,
    most: i64,
}

/// The wanted number after stabilisation, rate limits and bounds.
fn steady(
    now: At,
    autoscaler: &Value,
    memory: &mut Memory,
    bounds: Bounds,
    wanted: i64,
    conditions: &mut Conditions,
) -> i64 {
    let window = |direction: &str, otherwise: f64| {
        int(autoscaler, &format!("/spec/behavior/{direction}/stabilizationWindowSeconds"))
            .map_or(otherwise, |s| s as f64)
    };
    let (up_s, down_s) = (window("scaleUp", 0.0), window("scaleDown", 300.0));
    // The controller begins with the number that it finds.
    if memory.wanted.is_empty() {
        memory.wanted.push_back((now, bounds.current));
    }
    let within = |s: f64| memory.wanted.iter().filter(move |(at, _)| now.since(*at) < s).map(|(_, n)| *n);
    let lowest = within(up_s).fold(wanted, i64::min);
    let highest = within(down_s).fold(wanted, i64::max);
    let stable = bounds.current.max(lowest).min(highest);
    memory.wanted.push_back((now, wanted));
    memory.wanted.retain(|(at, _)| now.since(*at) < up_s.max(down_s).max(1.0));
    if stable == wanted {
        conditions.put("AbleToScale", true, "ReadyForNewScale", "recommended size matches current size");
    } else if stable > wanted {
        let message = "recent recommendations were higher than current one, applying the highest recent recommendation";
        conditions.put("AbleToScale", true, "ScaleDownStabilized", message);
    } else {
        let message = "recent recommendations were lower than current one, applying the lowest recent recommendation";
        conditions.put("AbleToScale", true, "ScaleUpStabilized", message);
    }
    memory.scaled.retain(|(at, _)| now.since(*at) < 3600.0);
    let up = limit(now, autoscaler, memory, "scaleUp", bounds.current).min(bounds.most);
    let down = limit(now, autoscaler, memory, "scaleDown", bounds.current).max(bounds.least);
    if stable > up.max(bounds.current) || stable > bounds.most {
        let (reason, message) = if up >= bounds.most {
            ("TooManyReplicas", "the desired replica count is more than the maximum replica count")
        } else {
            ("ScaleUpLimit", "the desired replica count is increasing faster than the maximum scale rate")
        };
        conditions.put("ScalingLimited", true, reason, message);
        return up.max(bounds.current.min(bounds.most));
    }
    if stable < down.min(bounds.current) || stable < bounds.least {
        let (reason, message) = if down <= bounds.least {
            ("TooFewReplicas", "the desired replica count is less than the minimum replica count")
        } else {
            ("ScaleDownLimit", "the desired replica count is decreasing faster than the maximum scale rate")
        };
        conditions.put("ScalingLimited", true, reason, message);
        return down.min(bounds.current.max(bounds.least));
    }
    conditions.put("ScalingLimited", false, "DesiredWithinRange", "the desired count is within the acceptable range");
    stable
}

/// How far the policies of a direction let it go.
fn limit(now: At, autoscaler: &Value, memory: &Memory, direction: &str, current: i64) -> i64 {
    let up = direction == "scaleUp";
    let rules = autoscaler.pointer(&format!("/spec/behavior/{direction}"));
    if rules.is_some_and(|r| text(r, "/selectPolicy") == "Disabled") {
        return current;
    }
    let own = rules.map(|r| list(r, "/policies").to_vec()).filter(|p| !p.is_empty());
    let policies = own.unwrap_or_else(|| {
        let percent = json!({"type": "Percent", "value": 100, "periodSeconds": 15});
        if up { vec![percent, json!({"type": "Pods", "value": 4, "periodSeconds": 15})] } else { vec![percent] }
    });
    let limits = policies.iter().map(|p| {
        let period = int(p, "/periodSeconds").unwrap_or(15) as f64;
        let changed: i64 =
            memory.scaled.iter().filter(|(at, by)| now.since(*at) < period && (*by > 0) == up).map(|(_, by)| by).sum();
        let start = current - changed;
        let value = int(p, "/value").unwrap_or(0);
        match (text(p, "/type"), up) {
            ("Percent", true) => (start * (100 + value) + 99) / 100,
            ("Percent", false) => start * (100 - value).max(0) / 100,
            (_, true) => start + value,
            (_, false) => start - value,
        }
    });
    let smallest = rules.is_some_and(|r| text(r, "/selectPolicy") == "Min");
    let found = if up == smallest { limits.min() } else { limits.max() };
    found.unwrap_or(current)
}

/// What a metric says of one pod, and what it should be.
struct Reading {
    name: String,
    target: f64,
    cpu: bool,
}

fn propose(desk: &Desk, serving: &dyn Serving, metric: &Value, pods: &[Object], current: i64) -> Option<Proposal> {
    let reading = match text(metric, "/type") {
        "Resource" if text(metric, "/resource/name") == "cpu" => Reading {
            name: "cpu resource utilization (percentage of request)".to_owned(),
            target: int(metric, "/resource/target/averageUtilization")? as f64,
            cpu: true,
        },
        "Pods" => Reading {
            name: format!("pods metric {}", text(metric, "/pods/metric/name")),
            target: quantity(metric.pointer("/pods/target/averageValue")?),
            cpu: false,
        },
        _ => return None,
    };
    let which = text(metric, "/pods/metric/name").to_owned();
    let (mut values, mut unready, mut missing) = (Vec::new(), 0, 0);
    for pod in pods {
        if !text(pod, "/metadata/deletionTimestamp").is_empty() || text(pod, "/status/phase") == "Failed" {
            continue;
        }
        if text(pod, "/status/phase") == "Pending" {
            unready += 1;
            continue;
        }
        let load = serving.load(name(pod)).filter(|_| asks_for_gpus(pod));
        let value = match (&load, reading.cpu) {
            (Some(load), true) => Some(load.cpu * 100.0),
            // What is scraped from its page is only there once it answers.
            (Some(load), false) if serving.health(name(pod)).is_some() => {
                Some(if which.contains("running") { load.running } else { load.waiting })
            }
            _ => None,
        };
        let Some(value) = value else {
            missing += 1;
            continue;
        };
        let young = time_at(pod, "/status/startTime").is_some_and(|s| desk.now.since(s) < CPU_INITIALIZATION_S);
        if reading.cpu && young && ready_since(pod).is_none() {
            unready += 1;
        } else {
            values.push(value);
        }
    }
    if values.is_empty() {
        return None;
    }
    let sum: f64 = values.iter().sum();
    let average = sum / values.len() as f64;
    let shown = current_metric(metric, &reading, average);
    let proposal = |replicas: i64| Some(Proposal { replicas, name: reading.name.clone(), current: shown.clone() });
    let ratio = average / reading.target.max(f64::MIN_POSITIVE);
    let ceil = |x: f64| {
        #[expect(clippy::cast_possible_truncation, reason = "a number of pods")]
        let n = x.ceil().min(1e6) as i64;
        n
    };
    let slowed = unready > 0 && ratio > 1.0;
    if !slowed && missing == 0 {
        let same = (ratio - 1.0).abs() <= TOLERANCE;
        return proposal(if same { current } else { ceil(ratio * values.len() as f64) });
    }
    // Pods that say nothing hold it back: in a shrinking they are at the target, in a growing they do nothing.
    let mut filled = values.len();
    let mut total = sum;
    if missing > 0 {
        filled += missing;
        total += if ratio < 1.0 { reading.target * missing as f64 } else { 0.0 };
    }
    if slowed {
        filled += unready;
    }
    let new = total / filled as f64 / reading.target.max(f64::MIN_POSITIVE);
    if (new - 1.0).abs() <= TOLERANCE || (ratio < 1.0 && new > 1.0) || (ratio > 1.0 && new < 1.0) {
        return proposal(current);
    }
    let wanted = ceil(new * filled as f64);
    let backwards = (new < 1.0 && wanted > current) || (new > 1.0 && wanted < current);
    proposal(if backwards { current } else { wanted })
}

fn asks_for_gpus(pod: &Value) -> bool {
    list(pod, "/spec/containers").iter().any(|c| c.pointer("/resources/requests").is_some_and(|r| r.get(GPU).is_some()))
}

fn current_metric(metric: &Value, reading: &Reading, average: f64) -> Value {
    // Kubernetes writes thousandths of what is no whole number.
    let written =
        if average.fract().abs() < 1e-9 { format!("{average:.0}") } else { format!("{:.0}m", average * 1000.0) };
    if reading.cpu {
        json!({"type": "Resource", "resource": {"name": "cpu", "current": {
            "averageUtilization": average.round(), "averageValue": "0"}}})
    } else {
        json!({"type": "Pods", "pods": {"metric": metric["pods"]["metric"], "current": {"averageValue": written}}})
    }
}

/// Conditions while they are being made.
struct Conditions {
    all: Vec<Value>,
    now: At,
}

impl Conditions {
    fn of(autoscaler: &Value, now: At) -> Self {
        Self { all: list(autoscaler, "/status/conditions").to_vec(), now }
    }

    fn put(&mut self, kind: &str, is: bool, reason: &str, message: &str) {
        let status = if is { "True" } else { "False" };
        let mut new = json!({"type": kind, "status": status, "reason": reason, "message": message,
                             "lastTransitionTime": time(self.now)});
        match self.all.iter_mut().find(|c| text(c, "/type") == kind) {
            Some(old) => {
                if text(old, "/status") == status {
                    new["lastTransitionTime"] = old["lastTransitionTime"].clone();
                }
                *old = new;
            }
            None => self.all.push(new),
        }
    }

    fn write(self, desk: &mut Desk, autoscaler: &Object, counts: Option<(i64, i64)>, more: &Value) {
        desk.store.tell(Kind::Autoscaler, namespace(autoscaler), name(autoscaler), |object| {
            if let Some((current, wanted)) = counts {
                object["status"]["currentReplicas"] = json!(current);
                object["status"]["desiredReplicas"] = json!(wanted);
            }
            object["status"]["conditions"] = Value::Array(self.all);
            for (field, value) in more.as_object().into_iter().flatten() {
                object["status"][field] = value.clone();
            }
        });
    }
}
