//! dcgm-exporter's page, in the names and units of 4.8, with the fields that an operator has to ask for: event reasons,
//! limits, violations and ECC.

use std::fmt::Write as _;

use super::super::gpu::Gpu;
use crate::sim::scenario::Scenario;

/// A family: name, type, help, value.
type Family = (&'static str, &'static str, &'static str, fn(&Gpu) -> f64);

/// Memory that the driver keeps for itself, in MiB.
const RESERVED_MIB: f64 = 520.0;

const XID: &str = "DCGM_FI_DEV_XID_ERRORS";

const FAMILIES: &[Family] = &[
    ("DCGM_FI_DEV_SM_CLOCK", "gauge", "SM clock frequency (in MHz).", |g| {
        (g.clock * g.product.sm_mhz / 15.0).round() * 15.0
    }),
    ("DCGM_FI_DEV_MEM_CLOCK", "gauge", "Memory clock frequency (in MHz).", |g| g.product.memory_mhz),
    ("DCGM_FI_DEV_MAX_SM_CLOCK", "gauge", "Maximum supported SM clock (in MHz).", |g| g.product.sm_mhz),
    ("DCGM_FI_DEV_MEMORY_TEMP", "gauge", "Memory temperature (in C).", |g| (g.celsius + 4.0 + 9.0 * g.busy.2).round()),
    ("DCGM_FI_DEV_GPU_TEMP", "gauge", "GPU temperature (in C).", |g| g.celsius.round()),
    ("DCGM_FI_DEV_POWER_USAGE", "gauge", "Power draw (in W).", |g| (g.watts * 1000.0).round() / 1000.0),
    ("DCGM_FI_DEV_POWER_MGMT_LIMIT", "gauge", "Current power limit (in W).", |g| g.limit_w),
    ("DCGM_FI_DEV_ENFORCED_POWER_LIMIT", "gauge", "Effective power limit (in W).", |g| g.limit_w),
    ("DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION", "counter", "Total energy consumption since boot (in mJ).", |g| {
        (g.joules * 1000.0).round()
    }),
    ("DCGM_FI_DEV_PCIE_REPLAY_COUNTER", "counter", "Total number of PCIe retries.", |_| 0.0),
    ("DCGM_FI_DEV_GPU_UTIL", "gauge", "GPU utilization (in %).", |g| (g.busy.0 * 100.0).round()),
    ("DCGM_FI_DEV_MEM_COPY_UTIL", "gauge", "Memory utilization (in %).", |g| (g.busy.2 * 80.0).round()),
    ("DCGM_FI_DEV_ENC_UTIL", "gauge", "Encoder utilization (in %).", |_| 0.0),
    ("DCGM_FI_DEV_DEC_UTIL", "gauge", "Decoder utilization (in %).", |_| 0.0),
    (
        "DCGM_FI_DEV_CLOCKS_EVENT_REASONS",
        "gauge",
        "Current clock event reasons (bitmask of DCGM_CLOCKS_EVENT_REASON_*).",
        |g| g.reasons as f64,
    ),
    ("DCGM_FI_DEV_THERMAL_VIOLATION", "counter", "Throttling duration due to thermal constraints (in ns).", |g| {
        g.thermal_ns.round()
    }),
    ("DCGM_FI_DEV_POWER_VIOLATION", "counter", "Throttling duration due to power constraints (in ns).", |g| {
        g.power_ns.round()
    }),
    (XID, "gauge", "Value of the last XID error encountered.", |g| f64::from(g.xid)),
    ("DCGM_FI_DEV_FB_FREE", "gauge", "Framebuffer memory free (in MiB).", |g| {
        (g.product.memory_mib * (1.0 - g.memory) - RESERVED_MIB).max(0.0).round()
    }),
    ("DCGM_FI_DEV_FB_USED", "gauge", "Framebuffer memory used (in MiB).", |g| {
        (g.product.memory_mib * g.memory).round()
    }),
    ("DCGM_FI_DEV_FB_RESERVED", "gauge", "Framebuffer memory reserved (in MiB).", |_| RESERVED_MIB),
    ("DCGM_FI_DEV_ECC_SBE_VOL_TOTAL", "counter", "Total number of single-bit volatile ECC errors.", |g| {
        g.corrected.floor()
    }),
    ("DCGM_FI_DEV_ECC_DBE_VOL_TOTAL", "counter", "Total number of double-bit volatile ECC errors.", |g| {
        g.uncorrected.floor()
    }),
    ("DCGM_FI_DEV_ECC_SBE_AGG_TOTAL", "counter", "Total number of single-bit persistent ECC errors.", |g| {
        g.corrected.floor()
    }),
    ("DCGM_FI_DEV_ECC_DBE_AGG_TOTAL", "counter", "Total number of double-bit persistent ECC errors.", |g| {
        g.uncorrected.floor()
    }),
    ("DCGM_FI_DEV_UNCORRECTABLE_REMAPPED_ROWS", "counter", "Number of remapped rows for uncorrectable errors", |_| 0.0),
    ("DCGM_FI_DEV_CORRECTABLE_REMAPPED_ROWS", "counter", "Number of remapped rows for correctable errors", |_| 0.0),
    ("DCGM_FI_DEV_ROW_REMAP_FAILURE", "gauge", "Whether remapping of rows has failed", |_| 0.0),
    ("DCGM_FI_PROF_GR_ENGINE_ACTIVE", "gauge", "Ratio of time the graphics engine is active.", |g| g.busy.0),
    ("DCGM_FI_PROF_PIPE_TENSOR_ACTIVE", "gauge", "Ratio of cycles the tensor (HMMA) pipe is active.", |g| {
        g.busy.1 * 0.45
    }),
    (
        "DCGM_FI_PROF_DRAM_ACTIVE",
        "gauge",
        "Ratio of cycles the device memory interface is active sending or receiving data.",
        |g| g.busy.2 * 0.7,
    ),
];

/// A node's page.
pub(in crate::sim::serving) fn write(node: &str, gpus: &[Gpu], scenario: &Scenario) -> String {
    let mut out = String::with_capacity(40_000);
    let labels: Vec<String> = gpus.iter().map(|gpu| labels(node, gpu, &scenario.workload.namespace)).collect();
    for (name, kind, help, value) in FAMILIES {
        super::header(&mut out, name, kind, help);
        // Of a lost GPU NVML reads nothing, and blank fields are left out; its last error came as an event, and stays.
        let told = |gpu: &Gpu| !gpu.lost || *name == XID;
        for (gpu, labels) in gpus.iter().zip(&labels).filter(|(gpu, _)| told(gpu)) {
            let _ = writeln!(out, "{name}{{{labels}}} {}", value(gpu));
        }
    }
    out
}

fn labels(node: &str, gpu: &Gpu, namespace: &str) -> String {
    let (index, uuid, product) = (gpu.index, &gpu.uuid, gpu.product.name);
    let bus = format!("00000000:{:02X}:00.0", 0x18 + 0x11 * index);
    let mut labels = format!(
        "gpu=\"{index}\",UUID=\"{uuid}\",pci_bus_id=\"{bus}\",device=\"nvidia{index}\",modelName=\"{product}\",\
         Hostname=\"{node}\",DCGM_FI_DRIVER_VERSION=\"580.95.05\""
    );
    // Only a GPU that a container holds has these.
    if let Some(pod) = &gpu.pod {
        let _ = write!(labels, ",container=\"vllm\",namespace=\"{namespace}\",pod=\"{pod}\"");
    }
    labels
}
