//! What an injected change may be called, where it was a cause: by its mechanism, where it is one of its own, and by its cause.

use warroom::domain::{Cause, Mechanism};
use warroom::sim::scenario::{Change, GatewayChange, Readiness, Rollout, TrafficChange, with_flags};
use warroom::sim::serving::{Config, Ledger, Product};

use super::story::{Blind, Draw, Teller};
use super::truth::{NOTICED, PART};

type Named = (Vec<Mechanism>, Vec<Cause>);

/// What a kind of change may be called; `with` and `without` are what became of requests with all that was injected, and
/// without any of it.
pub(crate) fn of_change(change: &Change, draw: &Draw, with: &Ledger, without: &Ledger) -> Named {
    if let Some(rollout) = &change.rollout {
        return of_rollout(rollout, draw);
    }
    if let Some(traffic) = &change.traffic {
        return of_traffic(traffic, draw, with, without);
    }
    if let Some(gateway) = &change.gateway {
        return of_gateway(gateway, draw);
    }
    if change.stall.is_some() {
        return (vec![Mechanism::EngineStalled], vec![Cause::NoneFound, Cause::ReplicaOutlier]);
    }
    of_hardware(change, draw).unwrap_or_else(|| of_cluster(change, draw))
}

fn of_rollout(rollout: &Rollout, draw: &Draw) -> Named {
    let it = &draw.scenario;
    let args = with_flags(&it.workload.args, &rollout.set, &rollout.unset);
    let product = Product::named(&it.nodes[0].product);
    let gpus = vec![product; it.workload.gpus as usize];
    if Config::new(&args, &it.model, &gpus).is_err() {
        return (vec![Mechanism::CrashLoop], vec![Cause::DeployRegression]);
    }
    // Whoever is Ready before it answers is sent what it cannot serve.
    if rollout.readiness.is_some_and(|r| r != Readiness::Health) {
        return (vec![Mechanism::NotReadyButReady], vec![Cause::DeployRegression]);
    }
    // Whom no node takes no flag keeps waiting: the deadline passes, and the controller says so.
    if draw.scenario.changes.iter().any(|c| c.cordon.is_some()) {
        return (vec![Mechanism::Unschedulable], vec![Cause::RolloutStuck]);
    }
    // Where the image is what is waited for, no flag did it.
    if draw.scenario.changes.iter().any(|c| c.pull.is_some()) {
        return (vec![Mechanism::ColdStart], vec![Cause::ImagePull]);
    }
    // Who cannot ask Kubernetes has no way to know of a rollout.
    let unseen = draw.blind.contains(&Blind::Kubernetes).then_some(Cause::NoneFound);
    (vec![], [Cause::DeployRegression].into_iter().chain(unseen).collect())
}

fn of_traffic(traffic: &TrafficChange, draw: &Draw, with: &Ledger, without: &Ledger) -> Named {
    let mut causes = Vec::new();
    // What it came to counts: one class that sends more may make more requests, or longer ones on the whole.
    let times = |of: &dyn Fn(&Ledger) -> f64| of(with) / of(without).max(f64::EPSILON);
    let more = times(&|l| l.arrived) >= NOTICED;
    let longer = times(&|l| l.computed / l.first_tokens.max(1.0)) >= NOTICED;
    let by_rate = traffic.rate_factor.is_some();
    causes.extend((by_rate && more).then_some(Cause::TrafficSurge));
    causes.extend((traffic.prompt_factor.is_some() || by_rate && longer).then_some(Cause::PromptLengthShift));
    // The first vLLM said nothing of its prefix cache.
    let told = if draw.teller == Teller::VllmV0 { Cause::NoneFound } else { Cause::PrefixCacheRegression };
    causes.extend(traffic.shared_prefix.map(|_| told));
    // Longer answers have no code of their own.
    causes.extend(traffic.output_factor.map(|_| Cause::NoneFound));
    // Where slots are what is short, the flag that bounds them is as true: the table of codes names either.
    let queued = with.slots_s + with.tokens_s + with.blocks_s;
    causes.extend((queued > 0.0 && with.slots_s >= PART * queued).then_some(Cause::MaxNumSeqsBound));
    (vec![], causes)
}

fn of_gateway(gateway: &GatewayChange, draw: &Draw) -> Named {
    let mut mechanisms = Vec::new();
    mechanisms.extend(gateway.refuses.map(|_| Mechanism::GatewayErrors));
    mechanisms.extend(gateway.routing.map(|_| Mechanism::GatewayImbalance));
    mechanisms.extend(gateway.buffers.map(|_| Mechanism::GatewayBuffering));
    let causes = if draw.blind.contains(&Blind::Gateway) { vec![Cause::NoneFound] } else { vec![Cause::GatewayFault] };
    (mechanisms, causes)
}

/// Of what is below the engines: seen by its exporter, or else as the replica that is worse than the others.
fn of_hardware(change: &Change, draw: &Draw) -> Option<Named> {
    let gpu = if change.heat.is_some() {
        (Mechanism::GpuClockReduced, vec![Cause::GpuThermal])
    } else if change.power_limit.is_some() {
        (Mechanism::GpuClockReduced, vec![Cause::GpuPowerCap])
    } else if change.power_brake.is_some() {
        (Mechanism::GpuClockReduced, vec![Cause::GpuPowerBrake])
    } else if change.memory_errors.is_some() {
        (Mechanism::GpuMemoryFault, vec![Cause::GpuEcc, Cause::GpuXid])
    } else if change.lost_gpu.is_some() {
        (Mechanism::GpuLost, vec![Cause::GpuXid])
    } else if change.busy_host.is_some() {
        return Some((vec![], outlier(draw)));
    } else {
        return None;
    };
    let (mechanism, causes) = gpu;
    Some(match (draw.blind.contains(&Blind::Gpus), mechanism) {
        (false, mechanism) => (vec![mechanism], causes),
        // Its container starts again and again without the GPU: that is all there is to see.
        (true, Mechanism::GpuLost) => (vec![Mechanism::CrashLoop, Mechanism::ColdStart], vec![Cause::CapacityLoss]),
        (true, _) => (vec![], outlier(draw)),
    })
}

fn outlier(draw: &Draw) -> Vec<Cause> {
    vec![if draw.scenario.workload.replicas > 1 { Cause::ReplicaOutlier } else { Cause::NoneFound }]
}

/// Of what somebody does to the cluster.
fn of_cluster(change: &Change, draw: &Draw) -> Named {
    if change.delete_pods.is_some() {
        // What replaced them is what differs.
        if draw.scenario.changes.iter().any(|c| c.config.is_some()) {
            return (vec![], vec![]);
        }
        let cordoned = draw.scenario.changes.iter().any(|c| c.cordon.is_some());
        let mechanism = if cordoned { Mechanism::Unschedulable } else { Mechanism::ColdStart };
        return (vec![mechanism], vec![Cause::CapacityLoss]);
    }
    // What is not wanted is not missing: it is a queue like any other.
    if change.scale.is_some() {
        // What an autoscaler brings back starts like anything else.
        return match draw.scenario.autoscaler {
            Some(_) => (vec![Mechanism::ColdStart], vec![Cause::AutoscalerConflict]),
            None => (vec![], vec![Cause::CapacityLoss]),
        };
    }
    if change.config.is_some() {
        return (vec![], vec![Cause::ConfigDrift]);
    }
    if change.autoscaler.is_some() {
        return (vec![], vec![Cause::AutoscalerWrongSignal]);
    }
    if change.draft_acceptance.is_some() {
        return (vec![], vec![Cause::SpecDecodeRegression]);
    }
    if change.cordon.is_some() {
        return (vec![], vec![]);
    }
    if change.load_gb_per_s.is_some() {
        return (vec![Mechanism::ColdStart], vec![Cause::ModelLoadSlow]);
    }
    if change.pull.is_some() {
        return (vec![Mechanism::ColdStart], vec![Cause::ImagePull]);
    }
    (vec![], vec![Cause::NoneFound])
}
