//! The systems that people run beside those that were recorded: pages written from each system's own documentation and
//! source, and what is read off them, quantity by quantity. What a system cannot say is said.

use warroom::domain::{Dist, EnginePage, Page, ReplicaPage};

use super::told::{assert_told, read_page};

fn engine(page: &str, is: &str) -> EnginePage {
    let Page::Engine(page) = read_page(page) else { unreachable!("a page of an engine") };
    assert_eq!(page.system.engine, is);
    page
}

fn gateway(page: &str, is: &str) -> EnginePage {
    let Page::Gateway(page) = read_page(page) else { unreachable!("a page of a gateway") };
    assert_eq!(page.system.engine, is);
    page
}

fn lacks(page: &EnginePage, word: &str) {
    assert!(page.system.lacks.iter().any(|l| l.contains(word)), "no '{word}' in {:?}", page.system.lacks);
}

/// A histogram of two buckets.
fn histogram(family: &str, labels: &str, le: &str, within: u32, count: u32, sum: f64) -> String {
    let (comma, all) = if labels.is_empty() { ("", String::new()) } else { (",", format!("{{{labels}}}")) };
    format!(
        "# TYPE {family} histogram\n{family}_bucket{{{labels}{comma}le=\"{le}\"}} {within}\n\
         {family}_bucket{{{labels}{comma}le=\"+Inf\"}} {count}\n{family}_sum{all} {sum}\n{family}_count{all} {count}\n"
    )
}

#[test]
fn tgi_counts_what_succeeded_and_has_no_first_token() {
    let page = histogram("tgi_request_duration", "", "0.15", 3, 40, 541.0)
        + &histogram("tgi_request_queue_duration", "", "0.15", 9, 40, 295.0)
        + &histogram("tgi_request_mean_time_per_token_duration", "", "0.05", 39, 40, 1.5)
        + "# TYPE tgi_batch_current_size gauge\ntgi_batch_current_size 8\n# TYPE tgi_queue_size gauge\ntgi_queue_size 5\n\
           tgi_request_success{method=\"generate\"} 40\ntgi_request_failure{err=\"overloaded\"} 3\n\
           tgi_request_failure{err=\"validation\"} 2\n";
    let page = engine(&page, "tgi");
    assert_told(
        &page,
        &[
            "running 8 tgi_batch_current_size",
            "waiting 5 tgi_queue_size",
            "finished 40 tgi_request_success",
            "rejected 3 tgi_request_failure",
            "tpot 40/1.5/2 tgi_request_mean_time_per_token_duration",
            "e2e 40/541/0 tgi_request_duration",
            "queue 40/295/0 tgi_request_queue_duration",
        ],
    );
    lacks(&page, "time to first token");
}

#[test]
fn lmdeploys_names_are_vllms_and_its_engines_are_told_apart() {
    let labels = "model_name=\"m\",engine=\"0\"";
    let page = format!(
        "lmdeploy:num_requests_running{{{labels}}} 4\nlmdeploy:num_requests_waiting{{{labels}}} 2\n\
         lmdeploy:gpu_cache_usage_perc{{{labels}}} 0.5\nlmdeploy:num_requests_succeeded{{{labels}}} 99\n\
         lmdeploy:request_success_total{{{labels},finished_reason=\"stop\"}} 7\n\
         lmdeploy:request_success_total{{{labels},finished_reason=\"length\"}} 3\n"
    ) + &histogram("lmdeploy:time_to_first_token_seconds", labels, "0.5", 9, 10, 3.0)
        + &histogram("lmdeploy:request_prefill_time_seconds", labels, "0.3", 9, 10, 2.0);
    let page = engine(&page, "lmdeploy");
    assert_eq!(page.replicas[0].model.as_deref(), Some("m"));
    assert_told(
        &page,
        &[
            "running 4 lmdeploy:num_requests_running",
            "waiting 2 lmdeploy:num_requests_waiting",
            "kv_usage 0.5 lmdeploy:gpu_cache_usage_perc",
            "finished 10 lmdeploy:request_success_total",
            "ttft 10/3/2 lmdeploy:time_to_first_token_seconds",
            "prefill 10/2/0 lmdeploy:request_prefill_time_seconds",
        ],
    );
    lacks(&page, "preemptions");
}

#[test]
fn trtllm_is_read_with_its_prefix_and_as_it_was_before_it_had_one() {
    let with = "trtllm_num_requests_running 3\ntrtllm_num_requests_waiting 1\ntrtllm_kv_cache_utilization 0.25\n"
        .to_owned()
        + &histogram("trtllm_time_to_first_token_seconds", "model_name=\"m\"", "0.5", 9, 10, 3.0);
    assert_told(
        &engine(&with, "trtllm"),
        &[
            "running 3 trtllm_num_requests_running",
            "waiting 1 trtllm_num_requests_waiting",
            "kv_usage 0.25 trtllm_kv_cache_utilization",
            "ttft 10/3/2 trtllm_time_to_first_token_seconds",
        ],
    );
    let before = histogram("time_to_first_token_seconds", "", "0.5", 9, 10, 3.0)
        + &histogram("request_queue_time_seconds", "", "0.5", 9, 10, 1.0)
        + "request_success_total{finished_reason=\"stop\"} 10\n";
    assert_told(
        &engine(&before, "trtllm"),
        &[
            "finished 10 request_success_total",
            "ttft 10/3/2 time_to_first_token_seconds",
            "queue 10/1/0 request_queue_time_seconds",
        ],
    );
}

#[test]
fn nim_has_no_prefix_and_is_not_taken_for_trtllm() {
    let page =
        "num_requests_running{model_name=\"m\"} 2\nnum_requests_waiting{model_name=\"m\"} 0\nnum_request_max 256\n\
                gpu_cache_usage_perc 0.1\nrequest_finish_total{model_name=\"m\"} 12\n"
            .to_owned()
            + &histogram("time_to_first_token_seconds", "model_name=\"m\"", "0.5", 9, 10, 3.0);
    let page = engine(&page, "nim");
    assert_told(
        &page,
        &[
            "running 2 num_requests_running",
            "waiting 0 num_requests_waiting",
            "kv_usage 0.1 gpu_cache_usage_perc",
            "finished 12 request_finish_total",
            "ttft 10/3/2 time_to_first_token_seconds",
        ],
    );
    lacks(&page, "phase");
}

#[test]
fn triton_counts_and_its_backend_fans_one_family_out_by_a_label() {
    let page = "nv_inference_request_success{model=\"m\",version=\"1\"} 50\n\
                nv_inference_request_failure{model=\"m\",reason=\"REJECTED\"} 4\n\
                nv_inference_request_failure{model=\"m\",reason=\"BACKEND\"} 1\n\
                nv_inference_pending_request_count{model=\"m\"} 9\n\
                nv_trt_llm_request_metrics{model=\"m\",request_type=\"waiting\"} 6\n\
                nv_trt_llm_request_metrics{model=\"m\",request_type=\"active\"} 16\n\
                nv_trt_llm_request_metrics{model=\"m\",request_type=\"max\"} 512\n\
                nv_trt_llm_kv_cache_block_metrics{model=\"m\",kv_cache_block_type=\"fraction\"} 0.75\n\
                nv_trt_llm_kv_cache_block_metrics{model=\"m\",kv_cache_block_type=\"max\"} 9000\n"
        .to_owned()
        + &histogram("nv_inference_first_response_histogram_ms", "model=\"m\"", "500", 9, 10, 3000.0);
    let page = engine(&page, "triton");
    assert_told(
        &page,
        &[
            "running 16 nv_trt_llm_request_metrics",
            "waiting 6 nv_trt_llm_request_metrics",
            "kv_usage 0.75 nv_trt_llm_kv_cache_block_metrics",
            "finished 50 nv_inference_request_success",
            "rejected 4 nv_inference_request_failure",
            "ttft 10/3/2 nv_inference_first_response_histogram_ms",
        ],
    );
    lacks(&page, "between tokens");
}

#[test]
fn a_runtime_around_vllm_is_read_as_vllm_and_one_alone_as_what_it_is() {
    let alone = histogram("request_predict_seconds", "model_name=\"m\"", "0.5", 9, 10, 3.0);
    let page = engine(&alone, "kserve");
    assert_told(&page, &["e2e 10/3/0 request_predict_seconds"]);
    lacks(&page, "no first token");
    let both = alone + "vllm:num_requests_running{model_name=\"m\",engine=\"0\"} 3\n";
    assert_eq!(engine(&both, "vllm").replicas[0].model.as_deref(), Some("m"));
}

#[test]
fn gateways_times_are_seconds_whatever_they_are_written_in() {
    let nginx = histogram("nginx_ingress_controller_request_duration_seconds", "ingress=\"llm\"", "10", 8, 10, 30.0)
        + &histogram("nginx_ingress_controller_response_duration_seconds", "ingress=\"llm\"", "10", 8, 10, 28.0)
        + &histogram("nginx_ingress_controller_header_duration_seconds", "ingress=\"llm\"", "10", 8, 10, 4.0)
        + "nginx_ingress_controller_requests{status=\"200\"} 9\nnginx_ingress_controller_requests{status=\"502\"} 1\n";
    assert_told(
        &gateway(&nginx, "ingress-nginx"),
        &[
            "gateway_requests 10 nginx_ingress_controller_requests",
            "gateway_errors 1 nginx_ingress_controller_requests",
            "gateway_total 10/30/0 nginx_ingress_controller_request_duration_seconds",
            "gateway_upstream 10/28/0 nginx_ingress_controller_response_duration_seconds",
            "gateway_ttft 10/4/2 nginx_ingress_controller_header_duration_seconds",
        ],
    );
    let kong = histogram("kong_request_latency_ms", "service=\"llm\"", "1000", 8, 10, 30000.0)
        + &histogram("kong_upstream_latency_ms", "service=\"llm\"", "1000", 8, 10, 29000.0)
        + "kong_http_requests_total{code=\"200\"} 8\nkong_http_requests_total{code=\"503\"} 2\n";
    let page = gateway(&kong, "kong");
    assert_told(
        &page,
        &[
            "gateway_requests 10 kong_http_requests_total",
            "gateway_errors 2 kong_http_requests_total",
            "gateway_total 10/30/0 kong_request_latency_ms",
            "gateway_upstream 10/29/0 kong_upstream_latency_ms",
        ],
    );
    lacks(&page, "first byte");
    let traefik =
        histogram("traefik_entrypoint_request_duration_seconds", "entrypoint=\"web\",code=\"200\"", "5", 8, 10, 30.0)
            + &histogram("traefik_service_request_duration_seconds", "service=\"llm\",code=\"200\"", "5", 8, 10, 29.0)
            + "traefik_entrypoint_requests_total{entrypoint=\"web\",code=\"200\"} 9\n\
           traefik_entrypoint_requests_total{entrypoint=\"web\",code=\"504\"} 1\n\
           traefik_entrypoint_requests_total{entrypoint=\"ping\",code=\"200\"} 900\n\
           traefik_service_retries_total{service=\"llm\"} 2\ntraefik_service_server_up{service=\"llm\"} 1\n";
    assert_told(
        &gateway(&traefik, "traefik"),
        &[
            "gateway_healthy 1 traefik_service_server_up",
            "gateway_requests 10 traefik_entrypoint_requests_total",
            "gateway_errors 1 traefik_entrypoint_requests_total",
            "gateway_retries 2 traefik_service_retries_total",
            "gateway_total 10/30/0 traefik_entrypoint_request_duration_seconds",
            "gateway_upstream 10/29/0 traefik_service_request_duration_seconds",
        ],
    );
}

#[test]
fn gateways_of_models_know_the_first_token() {
    let litellm = histogram("litellm_request_total_latency_metric", "requested_model=\"m\"", "5", 8, 10, 30.0)
        + &histogram("litellm_llm_api_latency_metric", "model=\"m\"", "5", 8, 10, 29.0)
        + &histogram("litellm_llm_api_time_to_first_token_metric", "model=\"m\"", "5", 8, 10, 5.0)
        + "litellm_in_flight_requests 4\nlitellm_proxy_total_requests_metric_total{requested_model=\"m\"} 10\n\
           litellm_proxy_failed_requests_metric_total{requested_model=\"m\"} 1\n";
    assert_told(
        &gateway(&litellm, "litellm"),
        &[
            "[model m]",
            "gateway_requests 10 litellm_proxy_total_requests_metric_total",
            "gateway_errors 1 litellm_proxy_failed_requests_metric_total",
            "gateway_total 10/30/0 litellm_request_total_latency_metric",
            "gateway_upstream 10/29/0 litellm_llm_api_latency_metric",
            "gateway_ttft 10/5/2 litellm_llm_api_time_to_first_token_metric",
            "[]",
            "gateway_active 4 litellm_in_flight_requests",
        ],
    );
    let agent = histogram("agentgateway_request_duration_seconds", "", "5", 8, 10, 30.0)
        + &histogram("agentgateway_upstream_call_duration_seconds", "", "5", 8, 10, 29.0)
        + &histogram("agentgateway_gen_ai_server_time_to_first_token", "gen_ai_request_model=\"m\"", "5", 8, 10, 5.0)
        + &histogram(
            "agentgateway_gen_ai_server_time_per_output_token",
            "gen_ai_request_model=\"m\"",
            "0.05",
            8,
            10,
            0.5,
        )
        + "agentgateway_requests_total{status=\"200\"} 9\nagentgateway_requests_total{status=\"503\"} 1\n";
    assert_told(
        &gateway(&agent, "agentgateway"),
        &[
            "[]",
            "gateway_requests 10 agentgateway_requests_total",
            "gateway_errors 1 agentgateway_requests_total",
            "gateway_total 10/30/0 agentgateway_request_duration_seconds",
            "gateway_upstream 10/29/0 agentgateway_upstream_call_duration_seconds",
            "[model m]",
            "gateway_ttft 10/5/2 agentgateway_gen_ai_server_time_to_first_token",
            "gateway_tpot 10/0.5/2 agentgateway_gen_ai_server_time_per_output_token",
        ],
    );
    let genai = histogram("gen_ai_server_request_duration_seconds", "gen_ai_request_model=\"m\"", "5.12", 8, 10, 30.0)
        + &histogram("gen_ai_server_time_to_first_token_seconds", "gen_ai_request_model=\"m\"", "5", 8, 10, 5.0)
        + &histogram("gen_ai_server_time_per_output_token_seconds", "gen_ai_request_model=\"m\"", "0.05", 8, 10, 0.5);
    let page = gateway(&genai, "ai-gateway");
    assert_told(
        &page,
        &[
            "gateway_total 10/30/0 gen_ai_server_request_duration_seconds",
            "gateway_ttft 10/5/2 gen_ai_server_time_to_first_token_seconds",
            "gateway_tpot 10/0.5/2 gen_ai_server_time_per_output_token_seconds",
        ],
    );
    lacks(&page, "Envoy's page");
    let dynamo = histogram("dynamo_frontend_request_duration_seconds", "model=\"m\"", "8", 8, 10, 30.0)
        + &histogram("dynamo_frontend_time_to_first_token_seconds", "model=\"m\"", "8", 8, 10, 5.0)
        + &histogram("dynamo_frontend_inter_token_latency_seconds", "model=\"m\"", "0.05", 800, 1000, 50.0)
        + "dynamo_frontend_inflight_requests{model=\"m\"} 7\ndynamo_frontend_queued_requests{model=\"m\"} 3\n\
           dynamo_frontend_requests_total{model=\"m\",status=\"success\"} 9\n\
           dynamo_frontend_requests_total{model=\"m\",status=\"error\"} 1\n";
    assert_told(
        &gateway(&dynamo, "dynamo"),
        &[
            "gateway_active 7 dynamo_frontend_inflight_requests",
            "gateway_requests 10 dynamo_frontend_requests_total",
            "gateway_errors 1 dynamo_frontend_requests_total",
            "gateway_total 10/30/0 dynamo_frontend_request_duration_seconds",
            "gateway_ttft 10/5/2 dynamo_frontend_time_to_first_token_seconds",
            "gateway_itl 1000/50/2 dynamo_frontend_inter_token_latency_seconds",
        ],
    );
}

#[test]
fn what_is_called_time_per_output_token_and_is_another_time_is_not_read() {
    let told = |page: &str, of: &str| {
        let page = gateway(page, of);
        let dists = [Dist::GatewayTpot, Dist::GatewayItl];
        page.replicas.iter().any(|r| dists.iter().any(|d| r.values.dist(*d).is_some()))
    };
    // Envoy AI Gateway before it spoke of providers: the last gap over all tokens.
    let genai = |system: &str| {
        histogram("gen_ai_server_time_per_output_token_seconds", system, "0.05", 8, 10, 0.5)
            + &histogram("gen_ai_server_request_duration_seconds", system, "5.12", 8, 10, 30.0)
    };
    assert!(!told(&genai("gen_ai_request_model=\"m\",gen_ai_system_name=\"openai\""), "ai-gateway"));
    assert!(told(&genai("gen_ai_request_model=\"m\",gen_ai_provider_name=\"openai\""), "ai-gateway"));
    // Whole requests over their tokens, and the gaps of chunks; beside them the one that is meant.
    let picker = |family: &str| {
        histogram(family, "model_name=\"m\",priority=\"0\"", "0.05", 8, 10, 0.5)
            + "llm_d_epp_request_total{model_name=\"m\",priority=\"0\"} 10\n"
    };
    for other in [
        "llm_d_epp_request_ntpot_seconds",
        "llm_d_epp_request_streaming_itl_seconds",
        "inference_objective_normalized_time_per_output_token_seconds",
    ] {
        assert!(!told(&picker(other), "epp"), "{other}");
    }
    assert!(told(&picker("llm_d_epp_request_streaming_tpot_seconds"), "epp"));
    // The wait for the first token over all tokens.
    let litellm = histogram("litellm_deployment_latency_per_output_token", "team=\"t\"", "0.05", 8, 10, 0.5)
        + "litellm_in_flight_requests 4\n";
    assert!(!told(&litellm, "litellm"));
    let chunks = histogram("agentgateway_gen_ai_server_inter_chunk_latency", "route=\"r\"", "0.05", 8, 10, 0.5)
        + "agentgateway_requests_total{status=\"200\"} 9\n";
    assert!(!told(&chunks, "agentgateway"));
}

#[test]
fn an_endpoint_picker_that_says_everything_under_several_prefixes_is_counted_once() {
    let page = |prefix: &str| {
        histogram(&format!("{prefix}request_duration_seconds"), "model_name=\"m\"", "5", 8, 10, 30.0)
            + &histogram(&format!("{prefix}request_ttft_seconds"), "model_name=\"m\"", "5", 8, 10, 5.0)
            + &format!(
                "{prefix}request_total{{model_name=\"m\"}} 10\n{prefix}request_error_total{{model_name=\"m\"}} 1\n"
            )
    };
    let all = page("inference_model_")
        + &page("inference_objective_")
        + &page("llm_d_epp_")
        + "inference_pool_ready_pods 3\n";
    let expected = |prefix: &str| {
        vec![
            "[model m]".to_owned(),
            format!("gateway_requests 10 {prefix}request_total"),
            format!("gateway_errors 1 {prefix}request_error_total"),
            format!("gateway_total 10/30/0 {prefix}request_duration_seconds"),
            format!("gateway_ttft 10/5/2 {prefix}request_ttft_seconds"),
            "[]".to_owned(),
            "gateway_healthy 3 inference_pool_ready_pods".to_owned(),
        ]
    };
    let told = |page: &str, prefix: &str| {
        let expected = expected(prefix);
        assert_told(&gateway(page, "epp"), &expected.iter().map(String::as_str).collect::<Vec<_>>());
    };
    told(&all, "llm_d_epp_");
    told(&(page("inference_objective_") + "inference_pool_ready_pods 3\n"), "inference_objective_");
    told(&(page("inference_model_") + "inference_pool_ready_pods 3\n"), "inference_model_");
}

/// Whose requests each part of a page is about, and how many first tokens it counts.
fn slices(page: &EnginePage) -> Vec<(String, f64)> {
    let of = |r: &ReplicaPage| Some((r.slice.as_ref()?.to_string(), r.values.dist(Dist::GatewayTtft)?.count));
    page.replicas.iter().filter_map(of).collect()
}

#[test]
fn requests_are_told_apart_as_far_as_a_gateways_labels_say_whose_they_are() {
    let ttft = |labels: &str, count: u32| {
        let family = "litellm_llm_api_time_to_first_token_metric";
        format!("{family}_sum{{{labels}}} 1\n{family}_count{{{labels}}} {count}\n")
    };
    let page = ttft("requested_model=\"a\",team_alias=\"acme\"", 3)
        + &ttft("requested_model=\"a\",team_alias=\"umbrella\"", 5)
        + &ttft("requested_model=\"b\",team_alias=\"None\"", 7)
        + "litellm_in_flight_requests 4\n";
    let expected = [("model a, tenant acme", 3.0), ("model a, tenant umbrella", 5.0), ("model b", 7.0)];
    assert_eq!(slices(&gateway(&page, "litellm")), expected.map(|(whose, n)| (whose.to_owned(), n)));
    let picker = "llm_d_epp_request_ttft_seconds_sum{model_name=\"adapter\",target_model_name=\"base\",priority=\"-1\"} 1\n\
                  llm_d_epp_request_ttft_seconds_count{model_name=\"adapter\",target_model_name=\"base\",priority=\"-1\"} 2\n\
                  llm_d_epp_request_total{model_name=\"adapter\",target_model_name=\"base\",priority=\"-1\"} 2\n";
    assert_eq!(slices(&gateway(picker, "epp")), [("model adapter, class -1".to_owned(), 2.0)]);
}

#[test]
fn a_gateway_that_names_ever_more_tenants_fills_no_memory_and_loses_no_request() {
    let family = "litellm_llm_api_time_to_first_token_metric";
    let page = (0..500).fold("litellm_in_flight_requests 4\n".to_owned(), |page, i| {
        let labels = format!("requested_model=\"m\",team=\"t{i}\"");
        page + &format!("{family}_sum{{{labels}}} 1\n{family}_count{{{labels}}} 1\n")
    });
    let page = gateway(&page, "litellm");
    assert_eq!(slices(&page).len(), 64);
    let all = page.replicas.iter().filter_map(|r| r.values.dist(Dist::GatewayTtft)).map(|h| h.count).sum::<f64>();
    assert_eq!(all, 500.0);
}

#[test]
fn who_has_no_time_of_its_own_is_a_gateway_all_the_same_and_says_so() {
    let haproxy = "haproxy_process_uptime_seconds 9\nhaproxy_backend_current_queue{proxy=\"llm\"} 4\n\
                   haproxy_backend_current_sessions{proxy=\"llm\"} 12\nhaproxy_backend_active_servers{proxy=\"llm\"} 3\n\
                   haproxy_backend_http_requests_total{proxy=\"llm\"} 100\n\
                   haproxy_backend_total_time_average_seconds{proxy=\"llm\"} 9.5\n\
                   haproxy_backend_http_responses_total{proxy=\"llm\",code=\"2xx\"} 95\n\
                   haproxy_backend_http_responses_total{proxy=\"llm\",code=\"5xx\"} 5\n";
    let page = gateway(haproxy, "haproxy");
    assert_told(
        &page,
        &[
            "gateway_active 12 haproxy_backend_current_sessions",
            "gateway_pending 4 haproxy_backend_current_queue",
            "gateway_healthy 3 haproxy_backend_active_servers",
            "gateway_requests 100 haproxy_backend_http_requests_total",
            "gateway_errors 5 haproxy_backend_http_responses_total",
        ],
    );
    lacks(&page, "averages over the last 1024");
    let aibrix = "gateway_ttft_bucket_total{bucket=\"50-100ms\"} 9\ngateway_request_total 10\n\
                  gateway_request_model_fail_total{model=\"m\"} 1\ngateway_in_flight_requests{gateway_pod=\"a\"} 2\n";
    let page = gateway(aibrix, "aibrix");
    assert_told(
        &page,
        &[
            "gateway_active 2 gateway_in_flight_requests",
            "gateway_requests 10 gateway_request_total",
            "gateway_errors 1 gateway_request_model_fail_total",
        ],
    );
    lacks(&page, "no histograms");
    let router = histogram("smg_http_request_duration_seconds", "", "5", 8, 10, 30.0)
        + "smg_worker_requests_active{worker=\"a\"} 3\nsmg_worker_health{worker=\"a\"} 1\nsmg_worker_retries_total 2\n";
    assert_told(
        &gateway(&router, "sglang-router"),
        &[
            "gateway_active 3 smg_worker_requests_active",
            "gateway_healthy 1 smg_worker_health",
            "gateway_retries 2 smg_worker_retries_total",
            "gateway_total 10/30/0 smg_http_request_duration_seconds",
        ],
    );
}

#[test]
fn istios_own_names_count_one_side_and_envoys_are_better_where_they_are() {
    let istio = "istio_requests_total{reporter=\"source\",response_code=\"200\"} 9\n\
                 istio_requests_total{reporter=\"source\",response_code=\"503\"} 1\n\
                 istio_requests_total{reporter=\"destination\",response_code=\"200\"} 9\n"
        .to_owned()
        + &histogram("istio_request_duration_milliseconds", "reporter=\"source\"", "1000", 8, 10, 30000.0)
        + &histogram("istio_request_duration_milliseconds", "reporter=\"destination\"", "1000", 8, 10, 29000.0);
    let page = gateway(&istio, "envoy");
    assert_told(
        &page,
        &[
            "gateway_requests 10 istio_requests_total",
            "gateway_errors 1 istio_requests_total",
            "gateway_total 10/30/0 istio_request_duration_milliseconds",
        ],
    );
}

#[test]
fn gpus_that_nvidia_smi_was_asked_about_are_known_by_their_uuid() {
    let page = "nvidia_smi_gpu_info{uuid=\"GPU-1\",name=\"H100\"} 1\nnvidia_smi_clocks_current_sm_clock_hz{uuid=\"GPU-1\"} 1.98e9\n\
                nvidia_smi_temperature_gpu{uuid=\"GPU-1\"} 61\nnvidia_smi_power_draw_watts{uuid=\"GPU-1\"} 640\n\
                nvidia_smi_utilization_gpu_ratio{uuid=\"GPU-1\"} 0.97\n";
    let Page::Gpus(page) = read_page(page) else { panic!("a page of GPUs") };
    assert_eq!((page.exporter.as_str(), page.gpus.len()), ("nvidia-gpu-exporter", 1));
    assert_eq!(page.gpus[0].id.uuid.as_deref(), Some("GPU-1"));
}

#[test]
fn transfers_of_kv_cache_are_read_in_seconds_from_vllm_and_from_milliseconds_of_sglang() {
    let running = |family: &str| format!("# TYPE {family} gauge\n{family}{{model_name=\"m\"}} 3\n");
    let model = "model_name=\"m\"";
    let page = running("vllm:num_requests_running")
        + &histogram("vllm:nixl_xfer_time_seconds", model, "0.005", 2, 40, 3.5)
        + "# TYPE vllm:nixl_num_failed_transfers_total counter\nvllm:nixl_num_failed_transfers_total{model_name=\"m\"} 4\n";
    assert_told(
        &engine(&page, "vllm"),
        &[
            "running 3 vllm:num_requests_running",
            "transfers_failed 4 vllm:nixl_num_failed_transfers_total",
            "kv_transfer 40/3.5/0 vllm:nixl_xfer_time_seconds",
        ],
    );
    let page = running("sglang:num_running_reqs")
        + &histogram("sglang:kv_transfer_latency_ms", model, "5", 2, 40, 3500.0)
        + "# TYPE sglang:num_transfer_failed_reqs_total counter\nsglang:num_transfer_failed_reqs_total{model_name=\"m\"} 1\n";
    assert_told(
        &engine(&page, "sglang"),
        &[
            "running 3 sglang:num_running_reqs",
            "transfers_failed 1 sglang:num_transfer_failed_reqs_total",
            "kv_transfer 40/3.5/0 sglang:kv_transfer_latency_ms",
        ],
    );
}
