//! What a scenario must fulfil beyond its format.

use super::error::Wrong;
use super::{Change, Lengths, Scenario, Traffic};

/// The first thing that makes no sense.
pub(super) fn check(scenario: &Scenario) -> Result<(), Wrong> {
    let it = scenario;
    let positive = |word: &str, value: f64| -> Result<(), Wrong> {
        demand(value > 0.0 && value.is_finite(), word, || format!("'{word}' is {value}: write a number above 0"))
    };
    positive("weights_gb", it.model.weights_gb)?;
    positive("parameters_b", it.model.parameters_b)?;
    positive("kv_kib_per_token", it.model.kv_kib_per_token)?;
    positive("load_gb_per_s", it.workload.load_gb_per_s)?;
    positive("opens", it.opens.0)?;
    demand((0.0..1.0).contains(&it.slo.objective) && it.slo.objective > 0.0, "objective", || {
        format!("'objective' is {}: write a share between 0 and 1, such as 0.99", it.slo.objective)
    })?;
    demand(it.workload.gpus > 0, "gpus", || "'gpus' is 0: an engine needs at least one".to_owned())?;
    let fits: u32 = it.nodes.iter().map(|node| node.gpus / it.workload.gpus).sum();
    let prefillers = it.prefill.as_ref().map_or(0, |prefill| prefill.replicas);
    demand(fits >= it.workload.replicas + prefillers, "replicas", || {
        let all = it.workload.replicas + prefillers;
        format!("'replicas' is {all} in all, and the nodes have GPUs for {fits}: add nodes")
    })?;
    if let Some(prefill) = &it.prefill {
        positive("link_gb_per_s", prefill.link_gb_per_s)?;
        demand(prefill.name != it.workload.name, "prefill", || {
            format!("'{}' is the workload's name too: give the prefill pool one of its own", prefill.name)
        })?;
        let takes_over = it.workload.args.iter().any(|arg| arg.contains("kv_consumer"));
        demand(takes_over, "prefill", || {
            "nothing takes over what [prefill] computes: give the workload's 'args' a --kv-transfer-config with \"kv_role\": \
             \"kv_consumer\""
                .to_owned()
        })?;
    }
    let named = it.workload.args.iter().any(|arg| arg.starts_with("--config="));
    demand(it.workload.config.is_empty() || named, "config", || {
        "'config' has flags that no argument names: add \"--config=/etc/vllm/serve.yaml\" to 'args'".to_owned()
    })?;
    demand(it.earlier.len() as u64 <= it.workload.revision.saturating_sub(1), "revision", || {
        format!("'revision' is {} with {} earlier ones: count higher", it.workload.revision, it.earlier.len())
    })?;
    demand(!it.traffic.is_empty(), "traffic", || "nobody asks anything: add a [[traffic]]".to_owned())?;
    for traffic in &it.traffic {
        check_traffic(traffic)?;
    }
    for change in &it.changes {
        check_change(it, change)?;
    }
    Ok(())
}

fn check_traffic(traffic: &Traffic) -> Result<(), Wrong> {
    let both = traffic.rate > 0.0 && traffic.users > 0;
    demand(!both && (traffic.rate > 0.0 || traffic.users > 0), &traffic.tenant, || {
        format!("traffic of '{}': write either 'rate' or 'users'", traffic.tenant)
    })?;
    demand((0.0..=1.0).contains(&traffic.shared_prefix), "shared_prefix", || {
        format!("'shared_prefix' is {}: write a share from 0 to 1", traffic.shared_prefix)
    })?;
    for (what, Lengths { median, spread, most }) in [("prompt", traffic.prompt), ("output", traffic.output)] {
        demand(median >= 1.0 && spread >= 0.0 && f64::from(most) >= median, &traffic.tenant, || {
            format!(
                "'{what}' of '{}': 'median' is at least 1, 'spread' at least 0, 'most' no less than the median",
                traffic.tenant
            )
        })?;
    }
    Ok(())
}

fn check_change(scenario: &Scenario, change: &Change) -> Result<(), Wrong> {
    let parts = change.parts();
    demand(parts == 1, "[[change]]", || {
        format!("a [[change]] at {} s says {parts} things: write one each", change.at.0)
    })?;
    let nodes = [
        change.cordon.as_ref(),
        change.heat.as_ref().map(|heat| &heat.node),
        change.power_limit.as_ref().map(|limit| &limit.node),
        change.power_brake.as_ref().map(|brake| &brake.node),
        change.lost_gpu.as_ref().map(|lost| &lost.node),
        change.memory_errors.as_ref().map(|errors| &errors.node),
        change.busy_host.as_ref().map(|host| &host.node),
    ];
    for node in nodes.into_iter().flatten() {
        demand(scenario.node(node).is_some(), node, || {
            let known: Vec<&str> = scenario.nodes.iter().map(|node| node.name.as_str()).collect();
            format!("there is no node '{node}'; the nodes are {}", known.join(", "))
        })?;
    }
    if let Some(share) = change.draft_acceptance {
        demand((0.0..=1.0).contains(&share), "draft_acceptance", || {
            format!("'draft_acceptance' is {share}: write a share from 0 to 1")
        })?;
    }
    if let Some(link) = change.link_gb_per_s {
        demand(scenario.prefill.is_some() && link > 0.0, "link_gb_per_s", || {
            format!("'link_gb_per_s' is {link}: write a number above 0, in a scenario with a [prefill]")
        })?;
    }
    if let Some(traffic) = &change.traffic {
        let known = |whose: &Option<String>, of: fn(&Traffic) -> &String| {
            whose.as_ref().is_none_or(|name| scenario.traffic.iter().any(|t| of(t) == name))
        };
        demand(known(&traffic.tenant, |t| &t.tenant) && known(&traffic.class, |t| &t.class), "traffic", || {
            "a change of traffic names a tenant or a class that no [[traffic]] has".to_owned()
        })?;
    }
    if let Some(rollout) = &change.rollout {
        for flag in rollout.set.iter().chain(&rollout.unset) {
            demand(flag.starts_with("--"), flag, || format!("'{flag}' is no flag: write \"--name=value\""))?;
        }
    }
    Ok(())
}

fn demand(holds: bool, word: &str, message: impl FnOnce() -> String) -> Result<(), Wrong> {
    if holds { Ok(()) } else { Err(Wrong { word: word.to_owned(), message: message() }) }
}
