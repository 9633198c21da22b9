//! Pages of nobody that is known here, and pages made to do harm.

use warroom::domain::{Dist, Failure, Gauge, Total};

use super::told::{lines, read, try_read};

fn saw(page: &str) -> Vec<String> {
    match try_read(page).expect_err("a page of nobody") {
        Failure::NotRecognised(saw) => saw,
        other => unreachable!("{other:?}"),
    }
}

#[test]
fn a_page_of_nobody_names_what_it_begins_with_and_not_what_every_process_writes() {
    let page = "python_info{version=\"3.12\"} 1\nprocess_open_fds 9\nown_queue_size 0\nown_request_duration_bucket{le=\"1\"} 2\n\
                own_request_duration_sum 2\nown_request_duration_count 2\nown_batch_current_size 0\n";
    assert_eq!(saw(page), ["own_queue_size", "own_request_duration", "own_batch_current_size"]);
    assert_eq!(saw("go_goroutines 9\nprocess_open_fds 9\n"), ["go_goroutines", "process_open_fds"]);
}

#[test]
fn names_of_a_page_of_nobody_are_few_and_short_and_harmless() {
    let long = "x".repeat(5000);
    let page = format!("{long} 1\n{{\"a\\nb\x1b[2J\"}} 1\n");
    let saw = saw(&(page + &lines((0..100).map(|i| format!("family_{i} 1")))));
    assert_eq!(saw.len(), 5);
    assert!(saw.iter().all(|name| name.chars().count() <= 60 && !name.contains(char::is_control)), "{saw:?}");
}

#[test]
fn names_from_a_page_are_cleaned_where_they_come_in() {
    let page = read(
        "vllm:num_requests_running{engine=\"0\\n\x1b[1m\",model_name=\"m\x1b]0;x\x07\"} 1\nvllm:num_requests_running{engine=\"1\"} 1\n",
    );
    assert_eq!(page.replicas[0].engine, "0··[1m");
    assert_eq!(page.replicas[0].model.as_deref(), Some("m·]0;x·"));
}

#[test]
fn a_name_that_is_known_but_proves_nothing_is_shown() {
    assert_eq!(saw("vllm:num_preemptions_total 3\n"), ["vllm:num_preemptions_total"]);
}

#[test]
fn buckets_alone_are_proof_and_no_histogram() {
    let page = read("vllm:time_to_first_token_seconds_bucket{le=\"+Inf\"} 3\n");
    assert_eq!(page.system.engine, "vllm");
    assert!(page.replicas[0].values.is_empty());
}

#[test]
fn numbers_that_no_quantity_can_have_are_absent() {
    for value in ["NaN", "-1", "+Inf", "-Inf"] {
        let page = read(format!(
            "vllm:num_requests_running 1\nvllm:kv_cache_usage_perc {value}\nvllm:generation_tokens_total {value}\n\
             vllm:time_to_first_token_seconds_count {value}\nvllm:time_to_first_token_seconds_sum 1\n"
        ));
        let values = &page.replicas[0].values;
        assert_eq!(values.gauge(Gauge::KvUsage), None, "{value}");
        assert_eq!(values.total(Total::GenerationTokens), None, "{value}");
        assert!(values.dist(Dist::Ttft).is_none(), "{value}");
    }
}

#[test]
fn bounds_that_are_no_numbers_are_not_used() {
    let page = read(
        "vllm:time_to_first_token_seconds_bucket{le=\"NaN\"} 1\nvllm:time_to_first_token_seconds_bucket{le=\"x\"} 1\n\
         vllm:time_to_first_token_seconds_bucket 1\nvllm:time_to_first_token_seconds_bucket{le=\"+Inf\"} 1\n\
         vllm:time_to_first_token_seconds_sum 1\nvllm:time_to_first_token_seconds_count 1\n",
    );
    let ttft = page.replicas[0].values.dist(Dist::Ttft).expect("a histogram");
    assert_eq!(*ttft.bounds, [f64::INFINITY]);
}

/// Without bounds on both, the first of these pages takes gigabytes and the second minutes.
#[test]
fn a_page_of_endless_engines_or_buckets_costs_little() {
    let engines = lines((0..100_000).map(|i| format!("vllm:num_requests_running{{engine=\"{i}\"}} 1")));
    assert_eq!(read(engines).replicas.len(), 512);
    let buckets = (0..100_000).rev().map(|i| format!("vllm:time_to_first_token_seconds_bucket{{le=\"{i}\"}} 1"));
    let rest = ["vllm:time_to_first_token_seconds_sum 1", "vllm:time_to_first_token_seconds_count 1"];
    let page = read(lines(buckets.chain(rest.map(str::to_owned))));
    assert!(page.replicas[0].values.dist(Dist::Ttft).is_some_and(|h| h.bounds.is_empty() && h.count == 1.0));
}
