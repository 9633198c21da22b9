//! Envoy's page: the families that tell of a listener and of the cluster behind it. Times are milliseconds.

use std::fmt::Write as _;

use super::super::engine::Buckets;
use super::super::gateway::Gateway;
use super::buckets_of;
use crate::sim::scenario::Scenario;

/// The listener's name.
const LISTENER: &str = "envoy_http_conn_manager_prefix=\"http-10080\"";

/// The gateway's page.
pub(in crate::sim::serving) fn write(it: &Gateway, scenario: &Scenario) -> String {
    let workload = &scenario.workload;
    let cluster = format!("envoy_cluster_name=\"httproute/{}/{}/rule/0\"", workload.namespace, workload.name);
    let mut out = String::with_capacity(8_000);
    let pods = it.pods.len() as u64;
    let upstream: &[(&str, &str, u64)] = &[
        ("upstream_rq_total", "counter", it.upstream_total),
        ("upstream_rq_completed", "counter", it.upstream_xx.iter().sum()),
        ("upstream_rq_active", "gauge", it.upstream_active),
        ("upstream_rq_pending_active", "gauge", 0),
        ("upstream_rq_pending_total", "counter", it.upstream_total),
        ("upstream_rq_pending_overflow", "counter", 0),
        ("upstream_rq_retry", "counter", it.retries),
        ("upstream_rq_timeout", "counter", it.timeouts),
        ("upstream_rq_cancelled", "counter", it.upstream_cancelled),
        ("upstream_rq_rx_reset", "counter", it.upstream_reset),
        ("upstream_cx_active", "gauge", it.upstream_active),
        ("upstream_cx_connect_fail", "counter", it.connect_fail),
        ("upstream_cx_none_healthy", "counter", it.none_healthy),
        ("membership_healthy", "gauge", pods),
        ("membership_total", "gauge", pods),
    ];
    for (name, kind, value) in upstream {
        let _ = writeln!(out, "# TYPE envoy_cluster_{name} {kind}\nenvoy_cluster_{name}{{{cluster}}} {value}");
    }
    classes(&mut out, "envoy_cluster_upstream_rq_xx", &cluster, it.upstream_xx);
    histogram(&mut out, "envoy_cluster_upstream_rq_time", &cluster, &it.upstream_ms);
    let downstream: &[(&str, &str, u64)] = &[
        ("downstream_rq_total", "counter", it.downstream_total),
        ("downstream_rq_completed", "counter", it.downstream_xx.iter().sum()),
        ("downstream_rq_active", "gauge", it.active),
        ("downstream_cx_active", "gauge", it.active),
        ("downstream_rq_rx_reset", "counter", it.client_reset),
        ("downstream_rq_timeout", "counter", 0),
    ];
    for (name, kind, value) in downstream {
        let _ = writeln!(out, "# TYPE envoy_http_{name} {kind}\nenvoy_http_{name}{{{LISTENER}}} {value}");
    }
    classes(&mut out, "envoy_http_downstream_rq_xx", LISTENER, it.downstream_xx);
    histogram(&mut out, "envoy_http_downstream_rq_time", LISTENER, &it.downstream_ms);
    out.push_str("# TYPE envoy_server_live gauge\nenvoy_server_live{} 1\n");
    out
}

fn classes(out: &mut String, name: &str, labels: &str, counts: [u64; 5]) {
    let _ = writeln!(out, "# TYPE {name} counter");
    for (class, count) in (1..).zip(counts) {
        let _ = writeln!(out, "{name}{{envoy_response_code_class=\"{class}\",{labels}}} {count}");
    }
}

fn histogram(out: &mut String, name: &str, labels: &str, buckets: &Buckets) {
    let _ = writeln!(out, "# TYPE {name} histogram");
    buckets_of(out, name, labels, buckets);
}
