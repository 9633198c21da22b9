//! The nine questions of RB-6 about how the service is built, which no incident answers and every incident asks: each
//! with what was seen and what would mend it. What cannot be seen from here is not passed.

use super::Sight;
use super::checks::{mechanism, span};
use crate::diagnosis::number;
use crate::domain::{
    ClusterFacts, Container, Dist, Endpoint, Histogram, Mechanism, Part, Role, Row, Slice, Standing, Track, Workload,
};

/// Metrics of an autoscaler that say nothing about inference: a GPU server is busy or idle at any CPU.
const NO_SIGNALS: [&str; 3] = ["cpu", "memory", "containerresource"];

/// Paths that an inference server answers with success only once it can serve its model.
const MODEL_PATHS: [&str; 7] =
    ["/health", "/health_generate", "/v1/models", "/v2/health/ready", "/v1/health/ready", "/v2/models", "/info"];

/// Prompts whose 95th percentile is so many times their median are a mix: the longest hold up the others.
const MIXED: f64 = 4.0;

/// All nine, in the order of the runbook; `gateway` is what `GET $GATEWAY/v1/models` gave, where it was asked.
pub fn questions(sight: Sight<'_>, gateway: Option<Result<String, String>>) -> Vec<Row> {
    vec![
        readiness(sight),
        emitted(sight),
        shared_queue(sight),
        load_time(sight),
        rolled_back_together(sight),
        queue_apart(sight),
        scaled_by(sight),
        same_hardware(sight),
        models(gateway),
    ]
}

const READINESS: &str = "does readiness prove that the model is loaded and answers";
const EMITTED: &str = "are TTFT and queue wait emitted by model, route, tenant and revision";
const SHARED: &str = "do long prompts share a queue with short ones";
const LOAD_TIME: &str = "is load time inside of rollout deadlines and probe budgets";
const TOGETHER: &str = "can image, flags and model be rolled back together";
const APART: &str = "is queue wait visible apart from gateway latency";
const SCALED: &str = "does autoscaling use inference signals and not CPU";
const HARDWARE: &str = "does the new revision sit on the same GPU profile as the old";
const MODELS: &str = "does GET $GATEWAY/v1/models answer";

fn row(name: &str, standing: Standing, says: impl Into<String>) -> Row {
    Row::new(Part::Question, name, standing, says)
}

fn unknown(name: &str) -> Row {
    row(name, Standing::CannotTell, "Kubernetes was not read").mended_by("see what is missing above")
}

fn of(name: &str, holds: bool, says: impl Into<String>) -> Row {
    row(name, if holds { Standing::Pass } else { Standing::Fail }, says)
}

/// The workload, and its engine's container.
fn engine(sight: Sight<'_>) -> Option<(&ClusterFacts, &Workload, &Container)> {
    let facts = sight.facts()?;
    let workload = facts.workload.as_ref()?;
    Some((facts, workload, workload.template.engine()?))
}

fn readiness(sight: Sight<'_>) -> Row {
    let Some((_, _, container)) = engine(sight) else { return unknown(READINESS) };
    let wanted = "declare readinessProbe.httpGet.path /health on the engine's port";
    let Some(probe) = &container.readiness else {
        return row(READINESS, Standing::Fail, "no readiness probe: a pod is Ready while it still loads")
            .mended_by(wanted);
    };
    if let Some(finding) = mechanism(sight.d, Mechanism::NotReadyButReady) {
        return row(READINESS, Standing::Fail, format!("it asks {}, and {}", probe.asks, finding.summary))
            .mended_by(wanted);
    }
    let models = probe.path.as_deref().is_some_and(|path| MODEL_PATHS.contains(&path.trim_end_matches('/')));
    of(READINESS, models, format!("it asks {} every {} s", probe.asks, probe.period_s)).mended_by(wanted)
}

/// The quantities that an endpoint's pages carry.
fn carries(endpoint: &Endpoint, quantity: Dist) -> bool {
    endpoint.families.iter().any(|(name, _)| *name == quantity.name())
}

fn emitted(sight: Sight<'_>) -> Row {
    let engines: Vec<&Endpoint> = sight.engines().filter(|e| !e.families.is_empty()).collect();
    if engines.is_empty() {
        return row(EMITTED, Standing::CannotTell, "no engine's page was read").mended_by("see the sources above");
    }
    let lacks = |d: Dist| engines.iter().any(|e| !carries(e, d));
    let missing: Vec<&str> = [(Dist::Ttft, "TTFT"), (Dist::Queue, "queue wait")]
        .iter()
        .filter(|(d, _)| lacks(*d))
        .map(|(_, n)| *n)
        .collect();
    let models = engines.iter().flat_map(|e| &e.tracks).any(|t: &Track| t.model.is_some());
    if !missing.is_empty() {
        let says = format!("engines do not emit {}", missing.join(" and "));
        return row(EMITTED, Standing::Fail, says).mended_by("turn the engine's metrics on (SGLang: --enable-metrics)");
    }
    let revision =
        if sight.facts().is_some() { "revision from Kubernetes' pods" } else { "no revision without Kubernetes" };
    let model = if models { "by model" } else { "without a model's name" };
    let emitted =
        format!("TTFT and queue wait are emitted {model}; {revision}; route and tenant are in no engine's page");
    let gateways = sight.snapshot.into_iter().flat_map(|s| s.of_role(Role::Gateway)).filter(|e| !e.gone);
    let slices: Vec<&Slice> = gateways.flat_map(|e| &e.tracks).filter_map(|t| t.slice.as_ref()).collect();
    let (route, tenant) = (slices.iter().any(|s| s.route.is_some()), slices.iter().any(|s| s.tenant.is_some()));
    let told: Vec<&str> =
        [(route, "route"), (tenant, "tenant")].into_iter().filter_map(|(is, what)| is.then_some(what)).collect();
    if route && tenant {
        return row(EMITTED, Standing::Pass, format!("{emitted}; the gateway tells both"));
    }
    let told = if told.is_empty() { String::new() } else { format!("; the gateway tells the {}", told[0]) };
    row(EMITTED, Standing::CannotTell, format!("{emitted}{told}"))
        .mended_by("label routes and tenants at the gateway: no engine knows them")
}

fn shared_queue(sight: Sight<'_>) -> Row {
    let mut lengths: Option<Histogram> = None;
    for point in sight.engines().flat_map(|e| &e.tracks).filter_map(|t| t.points().back()) {
        let Some(one) = point.values.dist(Dist::PromptLength) else { continue };
        match &mut lengths {
            Some(all) => all.add(one),
            None => lengths = Some(one.into()),
        }
    }
    // Above the highest bound nothing is known but that it is more.
    let at = |q: f64| lengths.as_ref()?.quantile(q).map(|quantile| quantile.estimate.unwrap_or(quantile.lower));
    let (Some(median), Some(long)) = (at(0.5).filter(|m| *m > 0.0), at(0.95)) else {
        return row(SHARED, Standing::CannotTell, "no engine says how long prompts are");
    };
    let chunked = engine(sight).is_some_and(|(_, _, c)| c.flag("--no-enable-chunked-prefill").is_some());
    let chunks = if chunked { "chunked prefill is off" } else { "chunked prefill is not off" };
    let says = format!(
        "they share one queue: the median is about {} tokens, the 95th percentile {}; {chunks}",
        number(median),
        number(long)
    );
    of(SHARED, long < MIXED * median && !chunked, says)
        .mended_by("route long prompts to a pool of their own, or lower --max-num-batched-tokens")
}

fn load_time(sight: Sight<'_>) -> Row {
    let Some((facts, workload, container)) = engine(sight) else { return unknown(LOAD_TIME) };
    let mut loads: Vec<f64> = facts.pods.iter().filter_map(crate::domain::Pod::load_s).collect();
    loads.sort_by(f64::total_cmp);
    let Some(longest) = loads.last().copied() else {
        return row(
            LOAD_TIME,
            Standing::CannotTell,
            "no start of a pod is on record: none was Ready without a restart",
        );
    };
    let mut limits: Vec<(String, f64)> = Vec::new();
    limits.extend(workload.progress_deadline_s.map(|s| ("progressDeadlineSeconds".to_owned(), f64::from(s))));
    match (&container.startup, &container.liveness) {
        (Some(startup), _) => limits.push(("the startup probe's budget".to_owned(), startup.budget_s())),
        (None, Some(liveness)) => {
            limits.push(("the liveness probe's budget, without a startup probe".to_owned(), liveness.budget_s()));
        }
        (None, None) => {}
    }
    let over = limits.iter().find(|(_, limit)| longest >= *limit);
    let n = loads.len();
    let took = format!("loading took up to {} in {n} start{}", span(longest), if n == 1 { "" } else { "s" });
    match over {
        Some((what, limit)) => row(LOAD_TIME, Standing::Fail, format!("{took}, and {what} is {}", span(*limit)))
            .mended_by("raise failureThreshold of the startup probe or progressDeadlineSeconds above the load time"),
        None if limits.is_empty() => row(LOAD_TIME, Standing::Pass, format!("{took}; nothing limits it")),
        None => {
            let all: Vec<String> = limits.iter().map(|(what, limit)| format!("{what} is {}", span(*limit))).collect();
            row(LOAD_TIME, Standing::Pass, format!("{took}; {}", all.join(", ")))
        }
    }
}

fn rolled_back_together(sight: Sight<'_>) -> Row {
    let Some((_, workload, container)) = engine(sight) else { return unknown(TOGETHER) };
    let name = container.image.rsplit('/').next().unwrap_or_default();
    let tag = name.rsplit_once(':').map(|(_, tag)| tag);
    if !container.image.contains('@') && matches!(tag, None | Some("latest" | "main" | "nightly")) {
        return row(TOGETHER, Standing::Fail, format!("the image {} names whatever is newest", container.image))
            .mended_by("name the image by a version or a digest: an undo brings back a name, and not what it meant");
    }
    if let Some(owner) = workload.managers.first() {
        let says = format!("image and flags stand in the template; {owner} would put its own back");
        return row(TOGETHER, Standing::CannotTell, says).mended_by(format!("roll back in {owner}"));
    }
    let pinned =
        ["--revision", "--model-revision", "--code-revision"].iter().any(|flag| container.flag(flag).is_some());
    let says = if pinned {
        "image, flags and the model's revision stand in one template"
    } else {
        "image and flags stand in one template; which files the model's name means is not said there"
    };
    let standing = if pinned { Standing::Pass } else { Standing::CannotTell };
    row(TOGETHER, standing, says).mended_by("pin the model with --revision, so that an undo brings the same files back")
}

fn queue_apart(sight: Sight<'_>) -> Row {
    let mut gateways = sight.snapshot.into_iter().flat_map(|s| s.of_role(Role::Gateway)).filter(|e| !e.gone);
    let own = [Dist::GatewayTotal, Dist::GatewayUpstream, Dist::GatewayTtft];
    let timed = gateways.any(|e| own.into_iter().any(|d| carries(e, d)));
    let queue = sight.engines().any(|e| carries(e, Dist::Queue));
    match (queue, timed) {
        (true, true) => row(APART, Standing::Pass, "engines tell the queue, and the gateway its own time"),
        (false, _) => {
            row(APART, Standing::Fail, "no engine tells how long requests wait").mended_by("read an engine that does")
        }
        (true, false) => row(APART, Standing::CannotTell, "engines tell the queue; no gateway's time is read")
            .mended_by(
                "name the gateway's page with --gateway URL, or allow its pods to be read (warroom rbac --neighbour)",
            ),
    }
}

fn scaled_by(sight: Sight<'_>) -> Row {
    let Some((facts, ..)) = engine(sight) else { return unknown(SCALED) };
    let Some(scaler) = &facts.autoscaler else {
        return row(SCALED, Standing::CannotTell, "nothing scales it, or that may not be read");
    };
    let says = format!("{} {} looks at {}", scaler.kind, scaler.name, scaler.metrics.join(", "));
    let word = |m: &str| m.split_whitespace().next().unwrap_or_default().to_ascii_lowercase();
    let blind = !scaler.metrics.is_empty() && scaler.metrics.iter().all(|m| NO_SIGNALS.contains(&word(m).as_str()));
    if scaler.metrics.is_empty() {
        return row(SCALED, Standing::CannotTell, format!("{} {} names no metric", scaler.kind, scaler.name));
    }
    of(SCALED, !blind, says).mended_by("scale on waiting requests or TTFT (HPA on an external metric, KEDA on PromQL)")
}

fn same_hardware(sight: Sight<'_>) -> Row {
    let Some((facts, workload, container)) = engine(sight) else { return unknown(HARDWARE) };
    let tensor_parallel = ["--tensor-parallel-size", "-tp", "--tp-size", "--tp"].iter().find_map(|f| container.flag(f));
    let tensor_parallel = tensor_parallel.and_then(|n| n.parse::<u32>().ok());
    if let Some(n) = tensor_parallel.filter(|n| *n > container.gpus) {
        let says = format!("{n} GPUs work as one and a pod has {}: they are on several nodes", container.gpus);
        return row(HARDWARE, Standing::Fail, says).mended_by("keep --tensor-parallel-size within one node's GPUs");
    }
    let Some(nodes) = &facts.nodes else {
        return row(HARDWARE, Standing::CannotTell, "nodes may not be read")
            .mended_by("warroom rbac prints the ClusterRole");
    };
    let product = |pod: &crate::domain::Pod| {
        let node = nodes.iter().find(|n| Some(&n.name) == pod.node.as_ref())?;
        node.gpu_product.clone()
    };
    let mut seen: Vec<(bool, String)> = Vec::new();
    for pod in facts.pods.iter().filter(|p| p.deleting.is_none()) {
        let new = pod.revision.is_some() && pod.revision == workload.revision;
        seen.extend(product(pod).map(|product| (new, product)));
    }
    seen.sort();
    seen.dedup();
    let of_revision = |new: bool| seen.iter().filter(|s| s.0 == new).map(|s| s.1.as_str()).collect::<Vec<_>>();
    let (new, old) = (of_revision(true), of_revision(false));
    match (new.as_slice(), old.as_slice()) {
        ([], _) => row(HARDWARE, Standing::CannotTell, "no node of the newest revision names its GPUs"),
        ([one], []) => row(HARDWARE, Standing::Pass, format!("all replicas sit on {one}")),
        (new, old) if old.is_empty() || new == old => {
            of(HARDWARE, new.len() == 1, format!("replicas sit on {}", new.join(" and ")))
                .mended_by("choose one kind of GPU with a nodeSelector")
        }
        (new, old) => row(
            HARDWARE,
            Standing::Fail,
            format!("the newest sits on {}, older ones on {}", new.join(" and "), old.join(" and ")),
        )
        .mended_by("choose one kind of GPU with a nodeSelector"),
    }
}

fn models(gateway: Option<Result<String, String>>) -> Row {
    match gateway {
        Some(Ok(says)) => row(MODELS, Standing::Pass, says),
        Some(Err(why)) => {
            row(MODELS, Standing::Fail, why).mended_by("see the gateway's routes, and [probe] token_file")
        }
        None => row(MODELS, Standing::CannotTell, "no gateway's URL is known")
            .mended_by("--probe-url URL, as clients have it, ending in /v1"),
    }
}
