//! What engines counted before now, in stretches: the means that a present is compared with. Pure: questions and answers.

use std::collections::BTreeMap;

use super::answer::Ranged;
use super::asked::{le, quoted};
use super::{Asked, asked};
use crate::domain::{At, ToldStretch};
use crate::text::clean;

/// One stretch (s): of most scrape intervals (15 s to 1 min) it holds five readings at least, and it is the window in which
/// an objective is judged.
pub(super) const STRETCH_S: f64 = 300.0;
/// How far back (s): what pages somebody is seldom older, and an hour before it is to be there.
const BACK_S: f64 = 3.0 * 3600.0;
/// Around the same hour of the day before (s).
const AROUND_S: f64 = 1800.0;
const DAY_S: f64 = 86_400.0;
/// One question as a URL has it, in bytes: what stands in front of a server commonly takes 8 KiB for a whole line.
const LONGEST: usize = 6 * 1024;
/// Models that are told apart.
const MOST_MODELS: usize = 16;

/// A quantity that engines count.
#[derive(Debug, Clone, PartialEq)]
pub struct Counted {
    /// Its name.
    pub quantity: &'static str,
    /// The name of its series, without `_sum` and `_count`.
    pub family: String,
    /// Labels that its series have, each with its values; an empty one is an absent label.
    pub only: Vec<(String, Vec<String>)>,
    /// From the series' values to the quantity's unit.
    pub scale: f64,
    /// Whether it is a distribution.
    pub distribution: bool,
}

/// One part of a question: what it says, and its expression.
struct Part {
    named: String,
    promql: String,
}

impl Asked {
    /// The questions, each with several parts.
    pub(super) fn past(&self, choice: &str) -> Vec<String> {
        let mut questions: Vec<String> = Vec::new();
        for Part { named, promql } in self.parts(choice) {
            let part = format!("label_replace({promql},\"warroom\",\"{named}\",\"\",\"\")");
            let and = format!(" or {part}");
            let room = |q: &&mut String| asked::escaped(q).len() + asked::escaped(&and).len() < LONGEST;
            match questions.last_mut().filter(room) {
                Some(question) => question.push_str(&and),
                None => questions.push(part),
            }
        }
        questions
    }

    fn parts(&self, choice: &str) -> Vec<Part> {
        let inner = choice.trim_matches(['{', '}']);
        let part = |named: String, name: String, only: &[(String, Vec<String>)]| {
            let mut matchers: Vec<String> = Vec::new();
            matchers.extend((!inner.is_empty()).then(|| inner.to_owned()));
            matchers.extend(only.iter().map(|(label, values)| {
                let any: Vec<String> = values.iter().map(|v| asked::literal(v)).collect();
                format!("{label}=~{}", quoted(&any.join("|")))
            }));
            let promql = format!("sum by (model_name)(increase({name}{{{}}}[{STRETCH_S:.0}s]))", matchers.join(","));
            Part { named, promql }
        };
        let mut parts = Vec::new();
        for one in &self.past {
            if one.distribution {
                parts.push(part(format!("{} sum", one.quantity), format!("{}_sum", one.family), &one.only));
                parts.push(part(format!("{} count", one.quantity), format!("{}_count", one.family), &one.only));
            } else {
                parts.push(part(format!("{} count", one.quantity), one.family.clone(), &one.only));
            }
        }
        for one in &self.series {
            // Above all bounds nothing is certainly late.
            if let Some(bound) = one.above {
                let mut within = part(format!("{} within", one.quantity), format!("{}_bucket", one.family), &[]);
                let le = format!("le=~{}", quoted(&le(bound)));
                within.promql = within.promql.replacen('{', &format!("{{{le},"), 1);
                parts.push(within);
            }
        }
        parts
    }

    /// What the answers say, oldest first.
    pub(super) fn read_past(&self, answers: &[Ranged]) -> Vec<ToldStretch> {
        // By the end of the stretch and the model: what is said of it.
        let mut stretches: BTreeMap<(i64, String), BTreeMap<&str, f64>> = BTreeMap::new();
        let mut models: Vec<&str> = answers.iter().map(|s| s.label("model_name").unwrap_or_default()).collect();
        models.sort_unstable();
        models.dedup();
        models.truncate(MOST_MODELS);
        for series in answers {
            let (Some(named), model) = (series.label("warroom"), series.label("model_name").unwrap_or_default()) else {
                continue;
            };
            if !models.contains(&model) {
                continue;
            }
            for (at_s, value) in series.values.iter().filter(|(_, v)| v.is_finite() && *v >= 0.0) {
                let end = At(0).plus(*at_s);
                stretches.entry((end.0, model.to_owned())).or_default().insert(named, *value);
            }
        }
        let told = |((end, model), says): ((i64, String), BTreeMap<&str, f64>)| {
            let of = |quantity: &str, what: &str| says.get(format!("{quantity} {what}").as_str()).copied();
            let mut stretch = ToldStretch {
                model: (!model.is_empty()).then(|| clean(&model, 260)),
                from: At(end).plus(-STRETCH_S),
                to: At(end),
                counts: Vec::new(),
                sums: Vec::new(),
                late: Vec::new(),
            };
            for one in &self.past {
                let name = || one.quantity.to_owned();
                if one.distribution {
                    // A sum without its count, or a count without its sum, is no mean.
                    if let (Some(sum), Some(count)) = (of(one.quantity, "sum"), of(one.quantity, "count")) {
                        stretch.sums.push((name(), sum * one.scale));
                        stretch.counts.push((name(), count));
                    }
                } else if let Some(count) = of(one.quantity, "count") {
                    stretch.counts.push((name(), count * one.scale));
                }
            }
            for one in &self.series {
                let (count, within) = (of(one.quantity, "count"), of(one.quantity, "within"));
                if let Some(count) = count {
                    let late =
                        if one.above.is_some() { within.map(|within| (count - within).max(0.0)) } else { Some(0.0) };
                    stretch.late.extend(late.map(|late| (one.quantity.to_owned(), late)));
                }
            }
            stretch
        };
        stretches.into_iter().map(told).collect()
    }
}

/// The stretches' ends that are asked for, as pairs of the first and the last (unix s), at round moments: some hours until
/// now, and the same hour of the day before.
pub(super) fn ranges(now: At) -> [(f64, f64); 2] {
    let round = |at: At| (at.since(At(0)) / STRETCH_S).floor() * STRETCH_S;
    let yesterday = now.plus(-DAY_S);
    [
        (round(yesterday.plus(-AROUND_S + STRETCH_S)), round(yesterday.plus(AROUND_S))),
        (round(now.plus(-BACK_S + STRETCH_S)), round(now)),
    ]
}

#[cfg(test)]
mod tests {
    use super::super::answer;
    use super::*;
    use crate::source::prometheus::AskedSeries;

    fn asked() -> Asked {
        let counted = |quantity, family: &str, distribution| Counted {
            quantity,
            family: family.to_owned(),
            only: Vec::new(),
            scale: 1.0,
            distribution,
        };
        Asked {
            namespace: Some("llm".to_owned()),
            pods: Some("vllm".to_owned()),
            model: None,
            witness: vec!["vllm:num_requests_running".to_owned()],
            series: vec![AskedSeries::of("ttft", "vllm:ttft", &[0.5, 1.0, f64::INFINITY], 0.7)],
            windows: vec![300.0],
            past: vec![
                counted("ttft", "vllm:ttft", true),
                Counted {
                    only: vec![("stage".to_owned(), vec!["a.b".to_owned(), String::new()])],
                    ..counted("finished", "vllm:request_success_total", false)
                },
            ],
        }
    }

    #[test]
    fn sums_counts_and_late_events_are_asked_for_in_questions_that_a_url_holds() {
        let choice = "{namespace=\"llm\"}";
        let questions = asked().past(choice);
        assert_eq!(questions.len(), 1);
        for wanted in [
            "increase(vllm:ttft_sum{namespace=\"llm\"}[300s])",
            "increase(vllm:ttft_count{namespace=\"llm\"}[300s])",
            r#"increase(vllm:request_success_total{namespace="llm",stage=~"a\\.b|"}[300s])"#,
            r#"increase(vllm:ttft_bucket{le=~"1(\\.0)?",namespace="llm"}[300s])"#,
        ] {
            assert!(questions[0].contains(wanted), "no {wanted} in {}", questions[0]);
        }
        let mut many = asked();
        many.past = vec![many.past[0].clone(); 60];
        let questions = many.past(choice);
        assert!(questions.len() > 1 && questions.iter().all(|q| asked::escaped(q).len() < LONGEST));
    }

    #[test]
    fn a_stretch_holds_means_of_what_has_both_a_sum_and_a_count_and_late_events() {
        let series = |what: &str, values: &str| {
            format!(r#"{{"metric":{{"warroom":"{what}","model_name":"m"}},"values":[{values}]}}"#)
        };
        let body = format!(
            r#"{{"status":"success","data":{{"resultType":"matrix","result":[{},{},{},{}]}}}}"#,
            series("ttft sum", r#"[600,"3"],[900,"NaN"]"#),
            series("ttft count", r#"[600,"10"],[900,"5"]"#),
            series("ttft within", r#"[600,"9"]"#),
            series("finished count", r#"[600,"8"]"#),
        );
        let (answers, _) = answer::ranged(200, body.as_bytes()).expect("series");
        let past = asked().read_past(&answers);
        assert_eq!(past.len(), 2);
        let first = &past[0];
        assert_eq!((first.from, first.to, first.model.as_deref()), (At(300_000), At(600_000), Some("m")));
        assert_eq!(first.counts, [("ttft".to_owned(), 10.0), ("finished".to_owned(), 8.0)]);
        assert_eq!(first.sums, [("ttft".to_owned(), 3.0)]);
        assert_eq!(first.late, [("ttft".to_owned(), 1.0)]);
        assert!(past[1].sums.is_empty() && past[1].late.is_empty(), "what is not known is not zero: {:?}", past[1]);
    }

    #[test]
    fn stretches_end_at_round_moments() {
        let now = At(1_795_489_337_000);
        let [(from, to), (back, until)] = ranges(now);
        assert!([from, to, back, until].iter().all(|at| at % STRETCH_S == 0.0));
        assert_eq!((to - from, until - back), (2.0 * AROUND_S - STRETCH_S, BACK_S - STRETCH_S));
        assert!(now.since(At(0)) - until < STRETCH_S && until <= now.since(At(0)));
    }
}
