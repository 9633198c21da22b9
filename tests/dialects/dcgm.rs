//! Pages of NVIDIA's exporter: two generations of names say the same, and what is blank is absent.

use warroom::domain::{GpuReading, GpuSample, Page};

use super::told::read_page;

const LABELS: &str = "gpu=\"0\",UUID=\"GPU-1\",device=\"nvidia0\",modelName=\"NVIDIA H100 80GB HBM3\"";

fn gpus(page: &str) -> Vec<GpuReading> {
    let Page::Gpus(page) = read_page(page) else { unreachable!("a page of GPUs") };
    page.gpus
}

fn page(families: &[(&str, &str)], more: &str) -> String {
    let lines = families.iter().map(|(family, value)| format!("DCGM_FI_DEV_{family}{{{LABELS},{more}}} {value}\n"));
    lines.collect::<Vec<_>>().concat()
}

fn expected() -> GpuSample {
    GpuSample {
        sm_clock_hz: Some(1.98e9),
        memory_clock_hz: Some(2.619e9),
        temperature_c: Some(64.0),
        power_w: Some(612.5),
        utilisation: Some(0.97),
        memory_used_bytes: Some(64.0 * 1_073_741_824.0),
        memory_total_bytes: Some(80.0 * 1_073_741_824.0),
        row_remap_failed: Some(false),
        xid: Some(0),
        ..GpuSample::default()
    }
}

#[test]
fn both_generations_of_names_are_the_same_reading_in_base_units() {
    let old = page(
        &[
            ("SM_CLOCK", "1980"),
            ("MEM_CLOCK", "2619"),
            ("GPU_TEMP", "64"),
            ("POWER_USAGE", "612.5"),
            ("GPU_UTIL", "97"),
            ("FB_USED", "65536"),
            ("FB_FREE", "16384"),
            ("ROW_REMAP_FAILURE", "0"),
            ("XID_ERRORS", "0"),
        ],
        "Hostname=\"node-a\",pod=\"vllm-0\"",
    );
    let new = page(
        &[
            ("SM_CLOCK_HERTZ", "1980000000"),
            ("MEMORY_CLOCK_HERTZ", "2619000000"),
            ("GPU_TEMP_CELSIUS", "64"),
            ("BOARD_POWER_WATTS", "612.5"),
            ("GPU_UTIL_RATIO", "0.97"),
            ("FB_USED_BYTES", "68719476736"),
            ("FB_CAPACITY_BYTES", "85899345920"),
            ("ROW_REMAP_FAILED", "0"),
            ("XID_ERROR", "0"),
        ],
        "hostname=\"node-a\",pod=\"vllm-0\"",
    );
    let (old, new) = (gpus(&old), gpus(&new));
    assert_eq!(old, new);
    assert_eq!(old[0].sample, expected());
    assert_eq!((old[0].id.node.as_deref(), old[0].id.index), (Some("node-a"), Some(0)));
    assert_eq!((old[0].id.uuid.as_deref(), old[0].pod.as_deref()), (Some("GPU-1"), Some("vllm-0")));
    assert_eq!(old[0].product.as_deref(), Some("NVIDIA H100 80GB HBM3"));
}

#[test]
fn what_is_not_exported_is_absent_and_not_nought() {
    let read = gpus(&page(&[("SM_CLOCK", "345")], "Hostname=\"n\""));
    let sample = &read[0].sample;
    assert_eq!((sample.event_reasons, sample.ecc_uncorrected_volatile, sample.xid), (None, None, None));
    assert_eq!(read[0].pod, None, "nobody holds it");
}

#[test]
fn a_blank_is_absent_in_each_of_its_widths() {
    let blank = [
        ("SM_CLOCK", "2147483632"),
        ("POWER_USAGE", "140737488355328"),
        ("MEMORY_TEMP", "9223372036854775794"),
        ("GPU_TEMP", "41"),
    ];
    let sample = gpus(&page(&blank, "Hostname=\"n\""))[0].sample.clone();
    assert_eq!(sample, GpuSample { temperature_c: Some(41.0), ..GpuSample::default() });
}

#[test]
fn reasons_throttle_times_and_ecc_are_read_where_they_are_exported() {
    let told = [
        ("CLOCK_THROTTLE_REASONS", "96"),
        ("THERMAL_VIOLATION", "2500000000"),
        ("CLOCKS_EVENT_REASON_SW_POWER_CAP_NS", "1000000000"),
        ("CLOCKS_EVENT_REASON_HW_POWER_BRAKE_SLOWDOWN_NS", "500000000"),
        ("ECC_DBE_VOL_TOTAL", "3"),
        ("ECC_SBE_VOL_TOTAL", "12"),
    ];
    let sample = gpus(&page(&told, "Hostname=\"n\""))[0].sample.clone();
    assert_eq!((sample.event_reasons, sample.thermal_throttle_s), (Some(0x60), Some(2.5)));
    assert_eq!(sample.power_throttle_s, Some(1.5), "two reasons are parts of one time");
    assert_eq!((sample.ecc_uncorrected_volatile, sample.ecc_corrected_volatile), (Some(3), Some(12)));
}

#[test]
fn the_holder_is_the_exported_pod_where_prometheus_renamed_it() {
    let read = gpus(&page(&[("SM_CLOCK", "345")], "pod=\"dcgm-exporter-x\",exported_pod=\"vllm-1\""));
    assert_eq!(read[0].pod.as_deref(), Some("vllm-1"));
}

#[test]
fn a_family_without_labels_speaks_of_no_gpu() {
    let page = format!("DCGM_FI_DEV_ROW_REMAP_FAILURE 0\n{}", page(&[("SM_CLOCK", "345")], "Hostname=\"n\""));
    assert_eq!(gpus(&page).len(), 1);
}
