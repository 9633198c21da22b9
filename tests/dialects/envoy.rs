//! A gateway's page: what is counted, what is left out, and in which unit.

use warroom::dialect::Memory;
use warroom::domain::{Failure, Page};

use super::told::{assert_told, decoder, read_page, try_read};

/// A proxy with one port for users and one for its administrator, two clusters of engines and one of its configuration.
const PAGE: &str = "\
# TYPE envoy_http_downstream_rq_time histogram
envoy_http_downstream_rq_time_bucket{envoy_http_conn_manager_prefix=\"llm\",le=\"1000\"} 90
envoy_http_downstream_rq_time_bucket{envoy_http_conn_manager_prefix=\"llm\",le=\"+Inf\"} 100
envoy_http_downstream_rq_time_sum{envoy_http_conn_manager_prefix=\"llm\"} 250000
envoy_http_downstream_rq_time_count{envoy_http_conn_manager_prefix=\"llm\"} 100
envoy_http_downstream_rq_time_sum{envoy_http_conn_manager_prefix=\"admin\"} 70
envoy_http_downstream_rq_time_count{envoy_http_conn_manager_prefix=\"admin\"} 9000
envoy_http_downstream_rq_completed{envoy_http_conn_manager_prefix=\"llm\"} 100
envoy_http_downstream_rq_total{envoy_http_conn_manager_prefix=\"llm\"} 112
envoy_http_downstream_rq_completed{envoy_http_conn_manager_prefix=\"eg-ready-http\"} 9000
envoy_http_downstream_rq_xx{envoy_response_code_class=\"2\",envoy_http_conn_manager_prefix=\"llm\"} 93
envoy_http_downstream_rq_xx{envoy_response_code_class=\"5\",envoy_http_conn_manager_prefix=\"llm\"} 7
envoy_http_downstream_rq_xx{envoy_response_code_class=\"5\",envoy_http_conn_manager_prefix=\"admin\"} 1
envoy_http_downstream_rq_active{envoy_http_conn_manager_prefix=\"llm\"} 12
envoy_http_downstream_rq_rx_reset{envoy_http_conn_manager_prefix=\"llm\"} 3
envoy_cluster_upstream_rq_time_sum{envoy_cluster_name=\"llm/vllm-a\"} 120000
envoy_cluster_upstream_rq_time_count{envoy_cluster_name=\"llm/vllm-a\"} 60
envoy_cluster_upstream_rq_time_sum{envoy_cluster_name=\"llm/vllm-b\"} 80000
envoy_cluster_upstream_rq_time_count{envoy_cluster_name=\"llm/vllm-b\"} 40
envoy_cluster_upstream_rq_time_sum{envoy_cluster_name=\"xds_cluster\"} 9000000
envoy_cluster_upstream_rq_time_count{envoy_cluster_name=\"xds_cluster\"} 1
envoy_cluster_upstream_rq_timeout{envoy_cluster_name=\"llm/vllm-a\"} 2
envoy_cluster_upstream_rq_per_try_timeout{envoy_cluster_name=\"llm/vllm-a\"} 4
envoy_cluster_upstream_rq_retry{envoy_cluster_name=\"llm/vllm-b\"} 5
envoy_cluster_upstream_rq_pending_active{envoy_cluster_name=\"llm/vllm-b\"} 6
envoy_cluster_membership_healthy{envoy_cluster_name=\"llm/vllm-a\"} 2
envoy_cluster_membership_healthy{envoy_cluster_name=\"llm/vllm-b\"} 1
envoy_cluster_membership_healthy{envoy_cluster_name=\"xds_cluster\"} 1
";

#[test]
fn a_gateway_counts_its_users_in_seconds_and_its_administrator_not_at_all() {
    let Page::Gateway(page) = read_page(PAGE) else { panic!("a gateway's page") };
    assert_eq!(page.system.engine, "envoy");
    assert_told(
        &page,
        &[
            "gateway_active 12 envoy_http_downstream_rq_active",
            "gateway_pending 6 envoy_cluster_upstream_rq_pending_active",
            "gateway_healthy 3 envoy_cluster_membership_healthy",
            "gateway_requests 100 envoy_http_downstream_rq_completed",
            "gateway_errors 7 envoy_http_downstream_rq_xx",
            "gateway_cancelled 3 envoy_http_downstream_rq_rx_reset",
            "gateway_timeouts 6 envoy_cluster_upstream_rq_timeout",
            "gateway_retries 5 envoy_cluster_upstream_rq_retry",
            "gateway_total 100/250/0 envoy_http_downstream_rq_time",
            "gateway_upstream 100/200/0 envoy_cluster_upstream_rq_time",
        ],
    );
}

#[test]
fn a_proxy_that_nobody_uses_yet_is_a_gateway_and_counts_nothing() {
    let Page::Gateway(page) = read_page("envoy_server_live 1\n") else { panic!("a gateway's page") };
    assert_told(&page, &[]);
}

#[test]
fn a_gateway_is_not_taken_for_an_engine() {
    assert!(matches!(try_read(PAGE), Err(Failure::Other(why)) if why.contains("envoy")));
    assert!(decoder(&[]).decode(PAGE.as_bytes(), &mut Memory::default()).is_ok());
}
