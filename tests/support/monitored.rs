//! A Prometheus in a simulated cluster.

use crate::served;

/// Where a Prometheus lives in a simulated cluster.
pub(crate) const MONITORING: &str = "monitoring";

/// The namespace and the Service of a Prometheus, by the value of `app.kubernetes.io/name`.
pub(crate) fn monitoring(service: &str, label: &str) -> [serde_json::Value; 2] {
    [
        serde_json::json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": MONITORING}}),
        serde_json::json!({
            "apiVersion": "v1", "kind": "Service",
            "metadata": {"name": service, "namespace": MONITORING, "labels": {"app.kubernetes.io/name": label}},
            "spec": {"selector": {"app.kubernetes.io/name": label}, "ports": [{"name": "web", "port": 9090}]},
        }),
    ]
}

/// What a simulated cluster passes on to what is served at a URL.
pub(crate) fn forward(service: &str, url: &str) -> warroom::sim::serve::Forward {
    let address = url.trim_start_matches("http://").split('/').next().unwrap_or_default();
    warroom::sim::serve::Forward {
        namespace: MONITORING.to_owned(),
        service: service.to_owned(),
        to: address.parse().expect("an address"),
    }
}

/// Something that speaks a Prometheus' API: it has so many series of whatever it is asked to count, and knows nothing else.
pub(crate) fn prometheus(series: u32) -> String {
    served::page(move |head| {
        let counted = head.contains("label_replace%28count%28") && series > 0;
        let one = format!(r#"{{"metric":{{"warroom":"0"}},"value":[1,"{series}"]}}"#);
        let result = if counted { one } else { String::new() };
        format!(r#"{{"status":"success","data":{{"resultType":"vector","result":[{result}]}}}}"#)
    })
}
