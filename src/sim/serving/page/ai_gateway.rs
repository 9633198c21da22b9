//! The page of Envoy AI Gateway's processor: what a request took until its first token, until its last, and for each token
//! between both, in seconds, by the names of OpenTelemetry's conventions.

use super::super::gateway::Gateway;
use super::{buckets_of, header};
use crate::sim::scenario::Scenario;

/// The gateway's page.
pub(in crate::sim::serving) fn write(it: &Gateway, scenario: &Scenario) -> String {
    let model = &scenario.model.name;
    let labels = format!(
        "gen_ai_operation_name=\"chat\",gen_ai_original_model=\"{model}\",gen_ai_provider_name=\"openai\",\
         gen_ai_request_model=\"{model}\",gen_ai_response_model=\"{model}\",otel_scope_name=\"envoyproxy/ai-gateway\",\
         otel_scope_version=\"\""
    );
    let mut out = String::with_capacity(8_000);
    for (name, help, buckets) in [
        ("gen_ai_server_request_duration_seconds", "Generative AI server request duration", &it.whole_s),
        (
            "gen_ai_server_time_to_first_token_seconds",
            "Time to receive first token in streaming responses",
            &it.first_s,
        ),
        (
            "gen_ai_server_time_per_output_token_seconds",
            "Time per output token generated after the first token for successful responses",
            &it.per_token_s,
        ),
    ] {
        header(&mut out, name, "histogram", help);
        buckets_of(&mut out, name, &labels, buckets);
    }
    out
}
