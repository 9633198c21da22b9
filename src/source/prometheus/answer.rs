//! The answer to an instant query, as JSON. Untrusted: bounded, and whatever is not as expected is an error with a reason.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::domain::Failure;
use crate::text::{clean, without_secrets};

/// Series of one answer.
const MOST_SERIES: usize = 10_000;
/// Series of an answer about a whole fleet.
const MOST_OF_A_FLEET: usize = 200_000;
/// Points of one series.
const MOST_POINTS: usize = 1000;
/// A sentence of the server's, in characters.
const SENTENCE: usize = 240;

/// One series with its value.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Series {
    labels: BTreeMap<String, String>,
    /// Its value; may be NaN.
    pub(super) value: f64,
}

impl Series {
    /// A label; an empty one is none.
    pub(super) fn label(&self, name: &str) -> Option<&str> {
        self.labels.get(name).map(String::as_str).filter(|v| !v.is_empty())
    }

    /// All of them.
    pub(super) fn into_labels(self) -> BTreeMap<String, String> {
        self.labels
    }
}

/// One series with its values over a range of time.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Ranged {
    labels: BTreeMap<String, String>,
    /// When (unix s), and what; may be NaN.
    pub(super) values: Vec<(f64, f64)>,
}

impl Ranged {
    /// A label; an empty one is none.
    pub(super) fn label(&self, name: &str) -> Option<&str> {
        self.labels.get(name).map(String::as_str).filter(|v| !v.is_empty())
    }
}

#[derive(Deserialize)]
struct Answer<T> {
    status: String,
    data: Option<Data<T>>,
    error: Option<String>,
    #[serde(default)]
    warnings: Vec<String>,
    // Infos are about the query and not about its data: a name without `_total`, and the like.
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Data<T> {
    result_type: String,
    #[serde(default = "Vec::new")]
    result: Vec<T>,
}

#[derive(Deserialize)]
struct Sample {
    #[serde(default)]
    metric: BTreeMap<String, String>,
    value: (f64, String),
}

#[derive(Deserialize)]
struct Samples {
    #[serde(default)]
    metric: BTreeMap<String, String>,
    values: Vec<(f64, String)>,
}

/// The series of an answer, and what was warned of.
pub(super) fn read(status: u16, body: &[u8]) -> Result<(Vec<Series>, Vec<String>), Failure> {
    vector(status, body, MOST_SERIES)
}

/// The same of an answer about a whole fleet.
pub(super) fn read_many(status: u16, body: &[u8]) -> Result<(Vec<Series>, Vec<String>), Failure> {
    vector(status, body, MOST_OF_A_FLEET)
}

fn vector(status: u16, body: &[u8], most: usize) -> Result<(Vec<Series>, Vec<String>), Failure> {
    let (samples, warnings): (Vec<Sample>, _) = of_type("vector", status, body, most)?;
    let series = samples
        .into_iter()
        .filter_map(|sample| Some(Series { labels: sample.metric, value: sample.value.1.parse().ok()? }));
    Ok((series.collect(), warnings))
}

/// The same of an answer to a range query.
pub(super) fn ranged(status: u16, body: &[u8]) -> Result<(Vec<Ranged>, Vec<String>), Failure> {
    let (samples, warnings): (Vec<Samples>, _) = of_type("matrix", status, body, MOST_SERIES)?;
    let value = |(at, value): (f64, String)| Some((at, value.parse().ok()?)).filter(|_| at.is_finite());
    let series = samples.into_iter().map(|one| Ranged {
        labels: one.metric,
        values: one.values.into_iter().filter_map(value).take(MOST_POINTS).collect(),
    });
    Ok((series.collect(), warnings))
}

fn of_type<T: DeserializeOwned>(
    wanted: &str,
    status: u16,
    body: &[u8],
    most: usize,
) -> Result<(Vec<T>, Vec<String>), Failure> {
    let said = |text: &str| without_secrets(&clean(text, SENTENCE));
    let answer: Answer<T> = match serde_json::from_slice(body) {
        Ok(answer) => answer,
        // Another type's values do not read as these.
        Err(_) if status == 200 => return Err(Failure::Other(no_such(wanted, body))),
        Err(_) => return Err(Failure::Other(remedy(status, &said(&String::from_utf8_lossy(body))))),
    };
    if answer.status != "success" {
        let why = answer.error.as_deref().map_or_else(|| "no reason".to_owned(), said);
        return Err(Failure::Other(remedy(status, &why)));
    }
    let Some(data) = answer.data.filter(|d| d.result_type == wanted) else {
        return Err(Failure::Other(format!("its answer is no {wanted}")));
    };
    if data.result.len() > most {
        return Err(Failure::Other(format!("its answer has more than {most} series: is the model a label of each?")));
    }
    Ok((data.result, answer.warnings.iter().map(|w| said(w)).collect()))
}

fn no_such(wanted: &str, body: &[u8]) -> String {
    match serde_json::from_slice::<serde_json::Value>(body) {
        Ok(json) if json["data"]["resultType"].is_string() => format!("its answer is no {wanted}"),
        _ => "its answer is no JSON of a Prometheus".to_owned(),
    }
}

fn remedy(status: u16, why: &str) -> String {
    let more = match status {
        401 | 403 => "; its token stands in the file of [prometheus] token_file",
        404 => "; is it the base of a Prometheus API, such as http://prometheus:9090?",
        422 => "; a limit of the server was reached",
        503 => "; it was too slow",
        _ => "",
    };
    let why = if why.is_empty() { format!("HTTP {status}") } else { format!("HTTP {status}: {why}") };
    format!("{why}{more}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed(status: u16, body: &str) -> String {
        read(status, body.as_bytes()).expect_err("no series").to_string()
    }

    #[test]
    fn an_answer_that_is_none_says_why_and_what_to_do() {
        assert!(failed(200, "<html>").contains("no JSON"));
        assert!(failed(404, "not found").contains("base of a Prometheus API"));
        assert!(failed(401, "").contains("token_file"));
        let limit =
            r#"{"status":"error","errorType":"execution","error":"query processing would load too many samples"}"#;
        assert!(failed(422, limit).contains("too many samples; a limit"));
        assert!(!failed(500, "token=hunter2secret \u{1b}[2J").contains("hunter2"));
        assert!(
            failed(200, r#"{"status":"success","data":{"resultType":"scalar","result":[1,"2"]}}"#)
                .contains("no vector")
        );
    }

    #[test]
    fn values_are_read_as_prometheus_writes_them() {
        let body = r#"{"status":"success","warnings":["partial response"],"data":{"resultType":"vector","result":[
            {"metric":{"model_name":"m","empty":""},"value":[1,"12.5"]},{"metric":{},"value":[1,"NaN"]},
            {"metric":{},"value":[1,"nonsense"]}]}}"#;
        let (series, warnings) = read(200, body.as_bytes()).expect("series");
        assert_eq!((series.len(), series[0].value, series[1].value.is_nan()), (2, 12.5, true));
        assert_eq!((series[0].label("model_name"), series[0].label("empty")), (Some("m"), None));
        assert_eq!(warnings, ["partial response"]);
    }
}
