//! GPUs of a page: which field a family fills, and which GPU a sample speaks of. Knows the labels by their lists and no
//! exporter by name.

use std::borrow::Cow;

use super::catalogue::{Catalogue, Dialect};
use super::definition::Where;
use crate::domain::{GpuId, GpuReading, GpuSample};

/// The most GPUs of one page; real ones have eight, or one per instance of a partitioned one.
const MAX_GPUS: usize = 256;

/// One family of one dialect, as one candidate for one field.
#[derive(Debug)]
pub(super) struct GpuSlot {
    pub(super) dialect: usize,
    pub(super) field: Field,
    pub(super) scale: f64,
    pub(super) only: Where,
}

/// Declares the fields with their names in dialect files.
macro_rules! fields {
    ($($variant:ident = $name:literal),+ $(,)?) => {
        /// A field of a GPU's reading; free and reserved memory only help to say how much there is.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(super) enum Field { $($variant),+ }

        impl Field {
            pub(super) const ALL: &'static [Self] = &[$(Self::$variant),+];

            pub(super) const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name),+ }
            }

            pub(super) fn named(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|f| f.name() == name)
            }
        }
    };
}

fields! {
    SmClock = "sm_clock_hz",
    SmClockMax = "sm_clock_max_hz",
    MemoryClock = "memory_clock_hz",
    Temperature = "temperature_c",
    MemoryTemperature = "memory_temperature_c",
    Power = "power_w",
    PowerLimit = "power_limit_w",
    Utilisation = "utilisation",
    MemoryUsed = "memory_used_bytes",
    MemoryFree = "memory_free_bytes",
    MemoryReserved = "memory_reserved_bytes",
    MemoryTotal = "memory_total_bytes",
    EventReasons = "event_reasons",
    ThermalThrottle = "thermal_throttle_s",
    PowerThrottle = "power_throttle_s",
    EccUncorrected = "ecc_uncorrected_volatile",
    EccCorrected = "ecc_corrected_volatile",
    RowRemapFailed = "row_remap_failed",
    Xid = "xid",
}

/// The GPUs of one page as they are gathered.
#[derive(Debug, Default)]
pub(super) struct Gpus {
    all: Vec<Gathered>,
}

#[derive(Debug)]
struct Gathered {
    dialect: usize,
    id: GpuId,
    pod: Option<String>,
    product: Option<String>,
    /// What each slot said; families that are parts of one quantity are added.
    values: Vec<(usize, f64)>,
}

impl Gpus {
    pub(super) fn clear(&mut self) {
        self.all.clear();
    }

    /// Takes one sample of a slot. One that names no GPU speaks of none.
    pub(super) fn take<'a>(
        &mut self,
        slot: usize,
        of: &GpuSlot,
        dialect: &Dialect,
        label: &impl Fn(&str) -> Option<Cow<'a, str>>,
        value: f64,
    ) {
        let blank = dialect.blanks.iter().any(|[from, to]| (*from..=*to).contains(&value));
        let first = |names: &[String]| names.iter().find_map(|n| label(n)).map(Cow::into_owned);
        let labels = &dialect.gpu_labels;
        let index = first(&labels.index).and_then(|i| i.parse().ok());
        let id = GpuId { node: first(&labels.node), index, uuid: first(&labels.uuid) };
        if id.index.is_none() && id.uuid.is_none() {
            return;
        }
        let known = self.all.iter().position(|g| g.dialect == of.dialect && g.id == id);
        let at = match known {
            Some(at) => at,
            None if self.all.len() < MAX_GPUS => {
                let values = Vec::new();
                self.all.push(Gathered { dialect: of.dialect, id, pod: None, product: None, values });
                self.all.len() - 1
            }
            None => return,
        };
        let gpu = &mut self.all[at];
        gpu.pod = gpu.pod.take().or_else(|| first(&labels.pod));
        gpu.product = gpu.product.take().or_else(|| first(&labels.product));
        if blank || !value.is_finite() || value < 0.0 {
            return;
        }
        let value = value * of.scale;
        match gpu.values.iter_mut().find(|(s, _)| *s == slot) {
            Some((_, so_far)) if of.field.is_time() => *so_far += value,
            // Instances of one partitioned GPU say the same of the whole: the highest stands.
            Some((_, so_far)) => *so_far = so_far.max(value),
            None => gpu.values.push((slot, value)),
        }
    }

    /// The GPUs of a dialect; of each field its best candidate.
    pub(super) fn readings(&mut self, dialect: usize, catalogue: &Catalogue) -> Vec<GpuReading> {
        let mine = self.all.drain(..).filter(|g| g.dialect == dialect);
        mine.map(|mut gpu| {
            gpu.values.sort_by_key(|(slot, _)| *slot);
            let value = |field| {
                gpu.values.iter().find(|(slot, _)| catalogue.gpu_slots[*slot].field == field).map(|(_, value)| *value)
            };
            let sample = sample(value);
            GpuReading { id: gpu.id, pod: gpu.pod, product: gpu.product, sample }
        })
        .collect()
    }
}

impl Field {
    /// Whether several families are parts of one number.
    const fn is_time(self) -> bool {
        matches!(self, Self::ThermalThrottle | Self::PowerThrottle)
    }
}

fn sample(value: impl Fn(Field) -> Option<f64>) -> GpuSample {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "counts and bit masks, none negative")]
    let whole = |field| value(field).map(|v| v.round() as u64);
    let used = value(Field::MemoryUsed);
    let parts = used.zip(value(Field::MemoryFree)).map(|(u, f)| u + f + value(Field::MemoryReserved).unwrap_or(0.0));
    GpuSample {
        sm_clock_hz: value(Field::SmClock),
        sm_clock_max_hz: value(Field::SmClockMax),
        memory_clock_hz: value(Field::MemoryClock),
        // An exporter that cannot read a memory's heat says nought.
        memory_temperature_c: value(Field::MemoryTemperature).filter(|c| *c > 0.0),
        temperature_c: value(Field::Temperature),
        power_w: value(Field::Power),
        power_limit_w: value(Field::PowerLimit).filter(|w| *w > 0.0),
        utilisation: value(Field::Utilisation).filter(|u| *u <= 1.01).map(|u| u.min(1.0)),
        memory_used_bytes: used,
        memory_total_bytes: value(Field::MemoryTotal).or(parts),
        event_reasons: whole(Field::EventReasons),
        thermal_throttle_s: value(Field::ThermalThrottle),
        power_throttle_s: value(Field::PowerThrottle),
        ecc_uncorrected_volatile: whole(Field::EccUncorrected),
        ecc_corrected_volatile: whole(Field::EccCorrected),
        row_remap_failed: value(Field::RowRemapFailed).map(|v| v > 0.0),
        xid: whole(Field::Xid).and_then(|x| u32::try_from(x).ok()),
    }
}
