//! How what was observed is written down and read back: exactly, and so that whatever was written, what is read can be
//! computed with. JSON has no infinities and no NaN, and names that the program holds for ever are looked up and never
//! made. Knows no file and no line.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::de::{Error, Unexpected, Visitor};
use serde::ser::SerializeStruct;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{At, Dist, Gauge, Histogram, Pool, Reading, Slice, Total, Track, Values, Watch};

/// Who writes to workloads beside their owners, as [`super::Workload::managers`] names them.
const MANAGERS: [&str; 3] = ["Helm", "Argo CD", "Flux"];

/// No process restarts more often, and no page is torn more often, than can be counted with room to spare.
const MOST_COUNTED: u32 = 1 << 30;

/// A number as it is written: finite ones as JSON's, the others by Prometheus' names.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Number(f64);

impl Serialize for Number {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        /// Whole numbers up to here are exact as integers, which are shorter.
        const EXACT: f64 = 9_007_199_254_740_992.0;
        let n = self.0;
        if n.is_nan() {
            serializer.serialize_str("NaN")
        } else if n.is_infinite() {
            serializer.serialize_str(if n > 0.0 { "+Inf" } else { "-Inf" })
        } else if n.fract() == 0.0 && n.abs() < EXACT && !(n == 0.0 && n.is_sign_negative()) {
            #[expect(clippy::cast_possible_truncation, reason = "it is whole and small enough")]
            serializer.serialize_i64(n as i64)
        } else {
            serializer.serialize_f64(n)
        }
    }
}

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl Visitor<'_> for Reader {
            type Value = Number;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number, or '+Inf', '-Inf' or 'NaN'")
            }

            fn visit_f64<E: Error>(self, n: f64) -> Result<Number, E> {
                Ok(Number(n))
            }

            fn visit_i64<E: Error>(self, n: i64) -> Result<Number, E> {
                Ok(Number(n as f64))
            }

            fn visit_u64<E: Error>(self, n: u64) -> Result<Number, E> {
                Ok(Number(n as f64))
            }

            fn visit_str<E: Error>(self, name: &str) -> Result<Number, E> {
                match name {
                    "+Inf" => Ok(Number(f64::INFINITY)),
                    "-Inf" => Ok(Number(f64::NEG_INFINITY)),
                    "NaN" => Ok(Number(f64::NAN)),
                    other => Err(E::invalid_value(Unexpected::Str(other), &self)),
                }
            }
        }
        deserializer.deserialize_any(Reader)
    }
}

/// One number.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference")]
pub(super) fn number<S: Serializer>(n: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    Number(*n).serialize(serializer)
}

/// A number that may be absent.
pub(super) mod maybe {
    use super::{Deserialize, Deserializer, Number, Serialize, Serializer};

    #[expect(clippy::ref_option, reason = "serde hands a reference")]
    pub(in crate::domain) fn serialize<S: Serializer>(n: &Option<f64>, serializer: S) -> Result<S::Ok, S::Error> {
        n.map(Number).serialize(serializer)
    }

    pub(in crate::domain) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<f64>, D::Error> {
        Ok(Option::<Number>::deserialize(deserializer)?.map(|n| n.0))
    }
}

/// Many numbers.
pub(super) fn numbers<S: Serializer>(all: &[f64], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(all.iter().copied().map(Number))
}

/// What several hold together.
pub(super) mod shared {
    use super::{Arc, Deserialize, Deserializer, Serialize, Serializer};

    pub(in crate::domain) fn serialize<S: Serializer, T: Serialize + ?Sized>(
        it: &Arc<T>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        (**it).serialize(serializer)
    }

    pub(in crate::domain) fn deserialize<'de, D: Deserializer<'de>, T: ?Sized>(
        deserializer: D,
    ) -> Result<Arc<T>, D::Error>
    where
        Box<T>: Deserialize<'de>,
    {
        Box::<T>::deserialize(deserializer).map(Arc::from)
    }
}

/// The same, where it may be absent.
pub(super) mod maybe_shared {
    use super::{Arc, Deserialize, Deserializer, Serialize, Serializer};

    #[expect(clippy::ref_option, reason = "serde hands a reference")]
    pub(in crate::domain) fn serialize<S: Serializer, T: Serialize>(
        it: &Option<Arc<T>>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        it.as_deref().serialize(serializer)
    }

    pub(in crate::domain) fn deserialize<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
        deserializer: D,
    ) -> Result<Option<Arc<T>>, D::Error> {
        Ok(Option::<T>::deserialize(deserializer)?.map(Arc::new))
    }
}

/// Which family was used for which quantity. A quantity is one that is known here, or the page is refused.
pub(super) mod families {
    use super::{Arc, Deserialize, Deserializer, Dist, Error, Gauge, Serializer, Total};

    pub(in crate::domain) fn serialize<S: Serializer>(
        all: &[(&'static str, Arc<str>)],
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(all.iter().map(|(quantity, family)| (quantity, &**family)))
    }

    pub(in crate::domain) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Vec<(&'static str, Arc<str>)>, D::Error> {
        let written = Vec::<(String, String)>::deserialize(deserializer)?;
        let known = |name: &str| {
            let gauge = Gauge::named(name).map(Gauge::name);
            gauge.or_else(|| Total::named(name).map(Total::name)).or_else(|| Dist::named(name).map(Dist::name))
        };
        let families = written.into_iter().map(|(quantity, family)| {
            let quantity = known(&quantity).ok_or_else(|| D::Error::custom("a quantity that is not known here"))?;
            Ok((quantity, family.into()))
        });
        families.collect()
    }
}

/// What is watched: one of [`Watch::RESOURCES`].
pub(super) fn resource<'de, D: Deserializer<'de>>(deserializer: D) -> Result<&'static str, D::Error> {
    let name = String::deserialize(deserializer)?;
    let known = Watch::RESOURCES.iter().copied().find(|known| *known == name);
    known.ok_or_else(|| D::Error::custom("a watch of something that is never watched"))
}

/// Who else writes: only those that are known here.
pub(super) fn managers<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<&'static str>, D::Error> {
    let names = Vec::<String>::deserialize(deserializer)?;
    Ok(MANAGERS.into_iter().filter(|known| names.iter().any(|name| name == known)).collect())
}

/// A distribution as it is read, before it is known to be one.
#[derive(Deserialize)]
pub(super) struct Buckets {
    #[serde(default)]
    bounds: Vec<Number>,
    #[serde(default)]
    counts: Vec<Number>,
    sum: Number,
    count: Number,
}

impl TryFrom<Buckets> for Histogram {
    type Error = &'static str;

    fn try_from(it: Buckets) -> Result<Self, Self::Error> {
        if it.bounds.len() != it.counts.len() {
            return Err("a distribution has as many counts as bounds");
        }
        // Not merely 'not falling': a NaN is neither.
        if !it.bounds.windows(2).all(|w| w[0].0 < w[1].0) || it.bounds.iter().any(|b| b.0.is_nan()) {
            return Err("the bounds of a distribution rise");
        }
        let plain = |all: Vec<Number>| all.into_iter().map(|n| n.0).collect::<Vec<f64>>();
        Ok(Self { bounds: plain(it.bounds).into(), counts: plain(it.counts).into(), sum: it.sum.0, count: it.count.0 })
    }
}

impl Serialize for Values {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let gauges: BTreeMap<_, _> = Gauge::ALL.iter().filter_map(|q| Some((q, Number(self.gauge(*q)?)))).collect();
        let totals: BTreeMap<_, _> = Total::ALL.iter().filter_map(|q| Some((q, Number(self.total(*q)?)))).collect();
        let dists: BTreeMap<_, _> = Dist::ALL.iter().filter_map(|q| Some((q, self.dist(*q)?))).collect();
        let mut values = serializer.serialize_struct("Values", 3)?;
        values.serialize_field("gauges", &gauges)?;
        values.serialize_field("totals", &totals)?;
        values.serialize_field("dists", &dists)?;
        values.end()
    }
}

impl<'de> Deserialize<'de> for Values {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Written {
            #[serde(default)]
            gauges: BTreeMap<Gauge, Number>,
            #[serde(default)]
            totals: BTreeMap<Total, Number>,
            #[serde(default)]
            dists: BTreeMap<Dist, Histogram>,
        }
        let written = Written::deserialize(deserializer)?;
        let mut values = Self::default();
        written.gauges.into_iter().for_each(|(q, n)| values.set_gauge(q, n.0));
        written.totals.into_iter().for_each(|(q, n)| values.set_total(q, n.0));
        written.dists.into_iter().for_each(|(q, h)| values.set_dist(q, Some(h)));
        Ok(values)
    }
}

/// A track as it is written: what it says, and not how it lies in memory.
#[derive(Serialize, Deserialize)]
pub(super) struct Chain {
    engine: String,
    model: Option<String>,
    #[serde(default)]
    pool: Option<Pool>,
    #[serde(default)]
    slice: Option<Slice>,
    points: Vec<Link>,
    raw: Option<Values>,
    restarts: Vec<At>,
    torn: u32,
}

#[derive(Serialize, Deserialize)]
struct Link {
    at: At,
    epoch: u32,
    values: Values,
}

impl From<Track> for Chain {
    fn from(track: Track) -> Self {
        Self {
            points: track
                .points()
                .iter()
                .map(|p| Link { at: p.at, epoch: p.epoch, values: Values::from(&p.values) })
                .collect(),
            raw: track.raw().map(Values::from),
            restarts: track.restarts().to_vec(),
            torn: track.torn(),
            model: track.model,
            pool: track.pool,
            slice: track.slice,
            engine: track.engine,
        }
    }
}

impl TryFrom<Chain> for Track {
    type Error = &'static str;

    fn try_from(it: Chain) -> Result<Self, Self::Error> {
        let in_order = it.points.windows(2).all(|w| w[0].at < w[1].at && w[0].epoch <= w[1].epoch);
        if !in_order || it.restarts.windows(2).any(|w| w[0] > w[1]) {
            return Err("a history goes forward");
        }
        if it.torn > MOST_COUNTED || it.points.last().is_some_and(|p| p.epoch > MOST_COUNTED) {
            return Err("nothing restarts so often");
        }
        if it.raw.is_none() && !it.points.is_empty() {
            return Err("a history ends with a page");
        }
        let points = it.points.into_iter().map(|link| (link.at, link.epoch, link.values));
        let mut track = Self::restored(it.engine, points, it.raw.as_ref(), it.restarts, it.torn);
        (track.model, track.pool, track.slice) = (it.model, it.pool, it.slice);
        Ok(track)
    }
}

impl From<&Reading> for Values {
    fn from(reading: &Reading) -> Self {
        let mut values = Self::default();
        for q in Gauge::ALL {
            reading.gauge(*q).into_iter().for_each(|n| values.set_gauge(*q, n));
        }
        for q in Total::ALL {
            reading.total(*q).into_iter().for_each(|n| values.set_total(*q, n));
        }
        for q in Dist::ALL {
            values.set_dist(*q, reading.dist(*q).map(Histogram::from));
        }
        values
    }
}

impl super::Endpoint {
    /// The same in pieces that are each short to write: the first says everything once, each says so many points and
    /// attempts at most. [`Self::join`] puts them together again.
    pub fn pieces(&self, most: usize) -> Vec<Self> {
        let most = most.max(1);
        let longest = self.tracks.iter().map(|t| t.points().len()).chain([self.attempts.len()]).max().unwrap_or(0);
        let count = longest.div_ceil(most).max(1);
        let piece = |number: usize| {
            let first = number * most;
            let attempts = self.attempts.iter().skip(first).take(most).cloned().collect();
            let tracks = self.tracks.iter().map(|t| t.piece(first, most, number + 1 == count)).collect();
            let head = if number == 0 {
                Self { tracks: Vec::new(), attempts: std::collections::VecDeque::new(), ..self.without_past() }
            } else {
                Self { name: self.name.clone(), role: self.role, ..Self::default() }
            };
            Self { tracks, attempts, ..head }
        };
        (0..count).map(piece).collect()
    }

    /// Takes the next piece in. What would be more than an endpoint keeps is left out.
    pub fn join(&mut self, next: Self) {
        let room = super::snapshot::ATTEMPTS.saturating_sub(self.attempts.len());
        self.attempts.extend(next.attempts.into_iter().take(room));
        for track in next.tracks {
            if let Some(known) = self.tracks.iter_mut().find(|t| t.engine == track.engine) {
                known.join(track);
            }
        }
    }

    fn without_past(&self) -> Self {
        Self {
            name: self.name.clone(),
            role: self.role,
            gone: self.gone,
            reproduce: self.reproduce.clone(),
            reached: self.reached.clone(),
            paced_s: self.paced_s,
            left_out: self.left_out.clone(),
            system: self.system.clone(),
            families: self.families.clone(),
            placements: self.placements.clone(),
            series: self.series,
            skipped: self.skipped,
            first_skipped: self.first_skipped.clone(),
            ..Self::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Endpoint, EnginePage, Failure, GpuSample, ReplicaPage};

    fn again<T: Serialize + for<'de> Deserialize<'de>>(it: &T) -> T {
        serde_json::from_str(&serde_json::to_string(it).unwrap()).unwrap()
    }

    fn json<T: Serialize>(it: &T) -> String {
        serde_json::to_string(it).unwrap()
    }

    #[test]
    fn every_number_comes_back_as_it_was() {
        for n in [0.0, -0.0, 1.0, -3.0, 0.1, 1e300, 9e15, 1e16, f64::MIN_POSITIVE, f64::MAX, f64::INFINITY] {
            for n in [n, -n] {
                assert_eq!(again(&Number(n)).0.to_bits(), n.to_bits(), "{n}");
            }
        }
        assert!(again(&Number(f64::NAN)).0.is_nan());
        assert_eq!(json(&Number(97.0)), "97");
        let sample = GpuSample { power_w: Some(f64::INFINITY), event_reasons: Some(u64::MAX), ..GpuSample::default() };
        assert_eq!(again(&sample), sample);
        assert!(serde_json::from_str::<Number>("\"Infinity\"").is_err());
    }

    #[test]
    fn a_distribution_that_could_not_be_computed_with_is_refused() {
        let read = |text: &str| serde_json::from_str::<Histogram>(text);
        assert!(read(r#"{"bounds":[1,"+Inf"],"counts":[1,2],"sum":1,"count":2}"#).is_ok());
        for bad in [
            r#"{"bounds":[1,"+Inf"],"counts":[1],"sum":1,"count":2}"#,
            r#"{"bounds":[1,1],"counts":[1,2],"sum":1,"count":2}"#,
            r#"{"bounds":[1,"NaN"],"counts":[1,2],"sum":1,"count":2}"#,
            r#"{"bounds":["NaN"],"counts":[1],"sum":1,"count":2}"#,
        ] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn only_names_that_are_known_become_names_of_the_program() {
        let watch = r#"{"resource":"secrets","state":"live","heard":null,"error":null}"#;
        assert!(serde_json::from_str::<Watch>(watch).is_err());
        for resource in Watch::RESOURCES {
            assert_eq!(serde_json::from_str::<Watch>(&watch.replace("secrets", resource)).unwrap().resource, *resource);
        }
        assert!(serde_json::from_str::<EnginePage>(r#"{"families":[["mood","x"]]}"#).is_err());
        let far = i64::MAX.to_string();
        assert!(serde_json::from_str::<At>(&far).is_err());
    }

    /// An endpoint whose process restarted once and failed now and then.
    fn endpoint(pages: u32) -> Endpoint {
        let mut endpoint = Endpoint::new("pod-a", "curl");
        for i in 0..pages {
            let at = At(i64::from(i) * 5_000);
            let mut values = Values::default();
            values.set_gauge(Gauge::Running, f64::from(i % 7));
            let n = f64::from(if i < pages / 2 { i } else { i - pages / 2 });
            values.set_total(Total::Finished, n);
            let bounds = [0.5, f64::INFINITY];
            let dist = Histogram { bounds: bounds[..].into(), counts: [n, n].into(), sum: n / 3.0, count: n };
            values.set_dist(Dist::Ttft, Some(dist));
            let replica = ReplicaPage {
                engine: "0".to_owned(),
                model: Some("m".to_owned()),
                pool: Some(Pool::Decode),
                slice: None,
                values,
            };
            endpoint.page(at, EnginePage { replicas: vec![replica], ..EnginePage::default() });
            if i % 5 == 0 {
                endpoint.failed(at.plus(1.0), Failure::Refused);
            }
        }
        endpoint
    }

    #[test]
    fn an_endpoint_in_pieces_is_the_same_when_it_is_put_together() {
        for (pages, most) in [(0, 3), (1, 3), (9, 3), (100, 7), (800, 64)] {
            let whole = endpoint(pages);
            let mut pieces = whole.pieces(most).into_iter().map(|p| again(&p));
            let mut joined = pieces.next().unwrap();
            pieces.for_each(|piece| joined.join(piece));
            assert_eq!(json(&joined), json(&whole), "{pages} pages, {most} at a time");
            assert_eq!(json(&again(&whole)), json(&whole));
            // It goes on where it stood.
            let (mut a, mut b) = (whole.clone(), joined);
            for it in [&mut a, &mut b] {
                it.page(At(9_000_000), EnginePage { replicas: vec![ReplicaPage::default()], ..EnginePage::default() });
            }
            assert_eq!(json(&a), json(&b));
        }
    }

    #[test]
    fn a_history_that_goes_backwards_is_refused() {
        let text = json(&endpoint(9));
        assert!(serde_json::from_str::<Endpoint>(&text).is_ok());
        for (from, to) in [("\"at\":10000", "\"at\":99000"), ("\"epoch\":1", "\"epoch\":4294967295")] {
            assert!(text.contains(from));
            assert!(serde_json::from_str::<Endpoint>(&text.replace(from, to)).is_err(), "{to}");
        }
    }
}
