//! GPUs as their sensors see them: clock, power, heat, memory errors. What they compute comes from the engine on them.

use super::hardware::Product;

/// From one look at the sensors to the next, in seconds.
pub(super) const TICK_S: f64 = 5.0;
/// Air at the heat sink without any fault, in °C.
const AIR: f64 = 29.0;
/// The sink's thermal resistance in K per W, for a GPU of 700 W; others have sinks of their size.
const SINK_OF_700_W: f64 = 0.050;
/// Temperature follows power with this time constant, in seconds.
const INERTIA_S: f64 = 40.0;
/// The driver lowers the clock to stay below this, in °C.
const SOFT_LIMIT: f64 = 83.0;
/// The chip protects itself from here on.
const HARD_LIMIT: f64 = 91.0;
/// The lowest clock as a share of the highest.
const LOWEST: f64 = 0.17;

/// The driver's XID of a GPU that cannot be reached any more.
const OFF_THE_BUS: u32 = 79;

/// NVML's bits of clock event reasons.
mod reason {
    pub(super) const IDLE: u64 = 0x1;
    pub(super) const POWER_CAP: u64 = 0x4;
    pub(super) const HW_SLOWDOWN: u64 = 0x8;
    pub(super) const SW_THERMAL: u64 = 0x20;
    pub(super) const HW_THERMAL: u64 = 0x40;
    pub(super) const POWER_BRAKE: u64 = 0x80;
}

/// A GPU.
#[derive(Debug, Clone)]
pub(super) struct Gpu {
    pub(super) index: u32,
    pub(super) uuid: String,
    pub(super) product: Product,
    /// The container that has it.
    pub(super) pod: Option<String>,
    /// Memory that is in use, as a share.
    pub(super) memory: f64,
    /// Clock as a share of the highest.
    pub(super) clock: f64,
    /// The highest clock that heat allows now, as a share.
    cool: f64,
    pub(super) celsius: f64,
    pub(super) watts: f64,
    pub(super) limit_w: f64,
    pub(super) joules: f64,
    pub(super) reasons: u64,
    /// Shares of the last interval in which kernels ran, and in which arithmetic and memory were busy.
    pub(super) busy: (f64, f64, f64),
    /// Nanoseconds held back by heat and by power, since the driver started.
    pub(super) thermal_ns: f64,
    pub(super) power_ns: f64,
    pub(super) corrected: f64,
    pub(super) uncorrected: f64,
    pub(super) xid: u32,
    // Causes.
    pub(super) heat: f64,
    /// The highest clock that the power supply's brake leaves, as a share.
    pub(super) brake: f64,
    /// It fell off the bus: nothing reads it or computes on it any more.
    pub(super) lost: bool,
    pub(super) errors_per_min: (f64, f64),
    pub(super) bandwidth: f64,
}

impl Gpu {
    pub(super) fn new(node: &str, index: u32, product: Product) -> Self {
        Self {
            index,
            uuid: uuid(node, index),
            limit_w: product.watts,
            product,
            pod: None,
            memory: 0.0,
            clock: 1.0,
            cool: 1.0,
            celsius: AIR + product.idle_watts * SINK_OF_700_W * 700.0 / product.watts,
            watts: product.idle_watts,
            joules: 0.0,
            reasons: reason::IDLE,
            busy: (0.0, 0.0, 0.0),
            thermal_ns: 0.0,
            power_ns: 0.0,
            corrected: 0.0,
            uncorrected: 0.0,
            xid: 0,
            heat: 0.0,
            brake: 1.0,
            lost: false,
            errors_per_min: (0.0, 0.0),
            bandwidth: 1.0,
        }
    }

    /// It falls off the bus: the driver says so once, and nothing else of it from then on.
    pub(super) fn lose(&mut self) {
        (self.xid, self.lost) = (OFF_THE_BUS, true);
    }

    /// Power that the last interval's work takes at a clock.
    fn demand(&self, clock: f64) -> f64 {
        let (kernels, arithmetic, memory) = self.busy;
        let dynamic = self.product.watts - self.product.idle_watts;
        // Voltage falls with the clock; a memory's share does not.
        let core = clock.powf(2.2) * (0.15 * kernels + 0.60 * arithmetic);
        self.product.idle_watts + dynamic * (core + 0.28 * memory).min(1.05)
    }

    /// An interval has passed in which it was busy for these shares.
    pub(super) fn tick(&mut self, busy: (f64, f64, f64)) {
        if self.lost {
            return;
        }
        self.busy = busy;
        let working = busy.0 > 0.01;
        let (mut clock, mut reasons) = (1.0_f64, 0);
        // Power: the highest clock that the limit allows.
        while self.demand(clock) > self.limit_w && clock > LOWEST {
            clock -= 0.01;
            reasons |= reason::POWER_CAP;
        }
        // Heat: the driver steps down while it is too warm, and up again slowly.
        let held = if self.celsius > SOFT_LIMIT {
            self.cool.min(clock) - 0.03 * (1.0 + (self.celsius - SOFT_LIMIT) / 2.0)
        } else if self.celsius > SOFT_LIMIT - 3.0 {
            self.cool
        } else {
            self.cool + 0.04
        };
        self.cool = held.clamp(LOWEST, 1.0);
        if self.cool < clock {
            clock = self.cool;
            reasons |= reason::SW_THERMAL;
        }
        if self.celsius > HARD_LIMIT {
            clock = clock.min(0.5);
            reasons |= reason::HW_SLOWDOWN | reason::HW_THERMAL;
        }
        if self.brake < 1.0 {
            clock = clock.min(self.brake);
            reasons |= reason::HW_SLOWDOWN | reason::POWER_BRAKE;
        }
        self.clock = clock.clamp(LOWEST, 1.0);
        if working {
            self.reasons = reasons;
        } else {
            self.reasons = reasons | reason::IDLE;
        }
        let nanoseconds = TICK_S * 1e9;
        if self.reasons & (reason::SW_THERMAL | reason::HW_THERMAL) != 0 {
            self.thermal_ns += nanoseconds * (1.0 - self.clock);
        }
        if self.reasons & reason::POWER_CAP != 0 {
            self.power_ns += nanoseconds * (1.0 - self.clock);
        }
        self.watts = self.demand(self.clock);
        self.joules += self.watts * TICK_S;
        let sink = SINK_OF_700_W * 700.0 / self.product.watts;
        let towards = AIR + self.heat + self.watts * sink;
        self.celsius += (towards - self.celsius) * (1.0 - (-TICK_S / INERTIA_S).exp());
        self.corrected += self.errors_per_min.0 * TICK_S / 60.0;
        let before = self.uncorrected.floor();
        self.uncorrected += self.errors_per_min.1 * TICK_S / 60.0;
        if self.uncorrected.floor() > before {
            // Contained ECC error.
            self.xid = 94;
        }
    }
}

/// A UUID that is the same in every run: made of the node's name and the index.
fn uuid(node: &str, index: u32) -> String {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    let mut mix = |byte: u8| hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    node.bytes().chain(index.to_le_bytes()).for_each(&mut mix);
    let first = hash;
    "gpu".bytes().for_each(|byte| hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    let second = hash.rotate_left(23);
    format!(
        "GPU-{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
        first >> 32,
        (first >> 16) & 0xffff,
        first & 0xffff,
        second >> 48,
        second & 0xffff_ffff_ffff
    )
}
