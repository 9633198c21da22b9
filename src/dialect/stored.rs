//! How a quantity of a page stands in a Prometheus that scrapes it: under the same name, with the same labels and values.

use super::catalogue::{Catalogue, Target};

/// One quantity's series.
#[derive(Debug, Clone, PartialEq)]
pub struct Stored {
    /// Labels that its samples have: each with its values, where an empty one means that it is absent.
    pub only: Vec<(String, Vec<String>)>,
    /// The factor from its values to the quantity's unit.
    pub scale: f64,
    /// Whether it is a distribution, of which `_sum` and `_count` are stored.
    pub distribution: bool,
}

impl Catalogue {
    /// How the family that stands for a quantity on pages of a system is stored; `None` where it takes more than one
    /// selection to say: several families that are added up, events that are counted otherwise than summed, a number that
    /// stands in a label.
    pub fn stored(&self, system: &str, quantity: &str, family: &str) -> Option<Stored> {
        let names = ["", "_sum"].map(|suffix| format!("{family}{suffix}"));
        let routes = names.iter().filter_map(|name| self.names.get(name)).map(|key| &self.routes[key.0 as usize]);
        let to = routes.flat_map(|route| &route.to).find(|to| {
            let slot = &self.slots[to.slot];
            let ours = [system, self.dialects[self.adapter()].system.engine.as_str()]
                .contains(&self.dialects[slot.dialect].system.engine.as_str());
            ours && slot.target.name() == quantity && *self.families[to.family] == *family
        })?;
        let slot = &self.slots[to.slot];
        if !slot.count_where.is_empty() || !slot.from_labels.is_empty() {
            return None;
        }
        // Of a family that is added to another one both lead to the same slot under the same name.
        let same = |t: &super::catalogue::To| t.slot == to.slot && t.part == to.part && t.prefix == to.prefix;
        let parts = self.routes.iter().flat_map(|r| &r.to).filter(|t| same(t)).count();
        let distribution = matches!(slot.target, Target::Dist(_));
        (parts == 1).then(|| Stored {
            only: slot.only.iter().map(|(label, values)| (label.clone(), values.clone())).collect(),
            scale: slot.scale,
            distribution,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_one_selection_says_is_stored_and_what_takes_more_is_not() {
        let catalogue = Catalogue::embedded(&[]).expect("dialects");
        let ttft = catalogue.stored("vllm", "ttft", "vllm:time_to_first_token_seconds").expect("a histogram");
        assert_eq!((ttft.distribution, ttft.scale, ttft.only.len()), (true, 1.0, 0));
        let http = catalogue.stored("vllm", "http_finished", "http_requests_total").expect("a counter");
        assert!(!http.distribution && http.only.iter().any(|(label, _)| label == "handler"), "{http:?}");
        let transfer = catalogue.stored("sglang", "kv_transfer", "sglang:kv_transfer_latency_ms").expect("a histogram");
        assert_eq!(transfer.scale, 0.001);
        for (system, quantity, family) in [
            ("sglang", "prefill", "sglang:per_stage_req_latency_seconds"),
            ("llamacpp", "prompt_tokens", "llamacpp:prompt_tokens_total"),
            ("vllm", "kv_block_tokens", "vllm:cache_config_info"),
            ("vllm", "ttft", "nobody:knows"),
        ] {
            assert_eq!(catalogue.stored(system, quantity, family), None, "{system} {quantity}");
        }
    }
}
