//! One line of a ring: what it says, and what of bytes from anywhere is let in.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::domain::{At, Body, ClusterFacts, Endpoint, Observation};
use crate::text::clean;

/// The version of the lines.
pub(super) const VERSION: u32 = 1;

/// No line is longer (bytes).
pub(super) const MOST_LINE: usize = 1 << 20;
/// No string is longer (characters): longer than any that a source lets in.
const MOST_TEXT: usize = 8_192;
/// No list has more entries: more than any that a source lets in.
const MOST_LIST: usize = 8_192;
/// No whole number is larger, so that sums of many stay numbers.
const MOST_NUMBER: u64 = 1 << 53;

/// Points and attempts of an endpoint's past that stand on one line, where it has one engine.
const POINTS: usize = 96;

/// What a line says.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Entry {
    /// A segment begins.
    Begins {
        /// The version of its lines.
        v: u32,
        /// Its number.
        segment: u64,
        /// Whether it goes on where the one before it ended: then what holds is said again for those alone who lack that.
        follows: bool,
    },
    /// Observations are missing here.
    Lost {
        /// When the next one was made.
        at: At,
        /// How many.
        observations: u64,
        /// Why.
        why: String,
    },
    /// Something was observed.
    Observed(Observation),
    /// Something that was observed before still holds.
    Again(Observation),
    /// A part of an endpoint's past; more of it follows, and the last part is `Observed`.
    Piece(Observation),
    /// What Kubernetes says, whole.
    Facts {
        /// As of when.
        at: At,
        /// Its number, by which it is named from now on.
        number: u64,
        /// Whether it was said before.
        again: bool,
        /// What it says.
        #[serde(with = "arc")]
        facts: Arc<ClusterFacts>,
    },
    /// What Kubernetes said holds at this moment too.
    Held {
        /// The moment.
        at: At,
        /// The number of the facts.
        number: u64,
    },
}

mod arc {
    use std::sync::Arc;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(super) fn serialize<S: Serializer, T: Serialize>(it: &Arc<T>, serializer: S) -> Result<S::Ok, S::Error> {
        it.as_ref().serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>, T: Deserialize<'de>>(d: D) -> Result<Arc<T>, D::Error> {
        T::deserialize(d).map(Arc::new)
    }
}

/// An observation as lines; more than one where it is an endpoint with a long past.
pub(super) fn entries(observation: Observation) -> Vec<Entry> {
    let Observation { at, body: Body::Recorded(endpoint) } = observation else {
        return vec![Entry::Observed(observation)];
    };
    let recorded = |piece: Endpoint| Observation { at, body: Body::Recorded(Box::new(piece)) };
    let mut pieces = endpoint.pieces(POINTS / endpoint.tracks.len().max(1));
    let last = pieces.pop().map(|piece| Entry::Observed(recorded(piece)));
    pieces.into_iter().map(|piece| Entry::Piece(recorded(piece))).chain(last).collect()
}

/// Writes an entry as a line. False, and nothing written, where it is too long for one.
pub(super) fn write(entry: &Entry, into: &mut Vec<u8>) -> bool {
    let start = into.len();
    let written = serde_json::to_writer(&mut *into, entry).is_ok() && into.len() - start < MOST_LINE;
    if written {
        into.push(b'\n');
    } else {
        into.truncate(start);
    }
    written
}

/// Reads a line.
pub(super) fn read(line: &[u8]) -> Result<Entry, String> {
    if line.len() > MOST_LINE {
        return Err(format!("it is longer than {MOST_LINE} bytes"));
    }
    let value: Value =
        serde_json::from_slice(line).map_err(|e| format!("it is no JSON: {}", clean(&e.to_string(), 120)))?;
    let value = harmless(value)?;
    serde_json::from_value(value).map_err(|e| format!("it is no observation: {}", clean(&e.to_string(), 160)))
}

/// The value with every string cleaned and everything bounded.
fn harmless(value: Value) -> Result<Value, String> {
    Ok(match value {
        Value::String(text) => Value::String(clean(&text, MOST_TEXT)),
        Value::Array(items) if items.len() > MOST_LIST => return Err(format!("a list of more than {MOST_LIST}")),
        Value::Array(items) => Value::Array(items.into_iter().map(harmless).collect::<Result<_, _>>()?),
        Value::Object(fields) => {
            let fields = fields.into_iter().map(|(key, value)| Ok((clean(&key, MOST_TEXT), harmless(value)?)));
            Value::Object(fields.collect::<Result<_, String>>()?)
        }
        Value::Number(n) if n.as_u64().or_else(|| n.as_i64().map(i64::unsigned_abs)) > Some(MOST_NUMBER) => {
            return Err("a number that is too large".to_owned());
        }
        other => other,
    })
}
