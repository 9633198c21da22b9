//! Every GPU, and how much of what is shown about it is proven. What no exporter says is `?` and never "ok".

use super::words::{age, known};
use super::{Ctx, Slot, list};
use crate::diagnosis::{GpuRow, Truth, number};
use crate::domain::{GpuSample, RowStatus};
use crate::ui::pen::{Line, status_slot};

/// NVML's bits of a clock's event reasons, in words.
const REASONS: [(u64, &str); 9] = [
    (0x1, "idle"),
    (0x2, "application clocks"),
    (0x4, "software power cap"),
    (0x8, "hardware slowdown"),
    (0x10, "sync boost"),
    (0x20, "software thermal"),
    (0x40, "hardware thermal"),
    (0x80, "power brake"),
    (0x100, "display clocks"),
];

/// The view.
pub(super) fn view(ctx: Ctx<'_>, width: usize, height: usize) -> Vec<Line> {
    let pen = ctx.pen;
    let Some(d) = ctx.d().filter(|d| !d.gpus.is_empty()) else {
        let why = "No GPU was read, so nothing is known of clocks, heat, power and memory errors: that is not the same as well. \
                   They come from DCGM's exporter or another one in the cluster.";
        return list::empty(ctx, "GPUs", why, width);
    };
    let mut head = vec![ctx.rule(&list::title(ctx, "GPUs", d.gpus.len()), width)];
    head.push(
        pen.line(Slot::TextMuted, "   node and GPU           SM clock        temp    power      util  ECC  truth"),
    );
    let items = ctx.app.items().iter().filter_map(|i| d.gpus.get(i.index)).map(|g| row(ctx, g, width)).collect();
    let foot = vec![
        pen.line(Slot::TextMuted, "   confirmed: event reasons or ECC were read; inferred: from clocks, heat, power"),
        pen.line(Slot::TextMuted, "   unknown: neither, which is not the same as fine"),
    ];
    list::page(ctx, head, items, foot, width, height)
}

fn row(ctx: Ctx<'_>, g: &GpuRow, width: usize) -> Vec<Line> {
    let pen = ctx.pen;
    let s = &g.sample;
    let status = match (g.troubled, g.truth) {
        (true, _) => RowStatus::Breach,
        (false, Truth::Confirmed) => RowStatus::Ok,
        _ => RowStatus::Unknown,
    };
    let name =
        format!("{} #{}", g.id.node.as_deref().unwrap_or("?"), g.id.index.map_or("?".to_owned(), |i| i.to_string()));
    let mut line = pen.line(Slot::Text, " ").put(pen, status_slot(status), pen.shape(status)).put(pen, Slot::Text, " ");
    line = line.cell(pen, Slot::TextStrong, &name, 22);
    let clock = match (s.sm_clock_hz, s.sm_clock_max_hz) {
        (Some(now), Some(max)) => format!("{:.2}/{:.2} GHz", now / 1e9, max / 1e9),
        (Some(now), None) => format!("{:.2} GHz", now / 1e9),
        _ => "?".to_owned(),
    };
    line = line.right(pen, Slot::Text, &clock, 39);
    line = line.right(
        pen,
        Slot::Text,
        &s.temperature_c.map_or("?".to_owned(), |c| format!("{} C", number(c.round()))),
        46,
    );
    let power = match (s.power_w, s.power_limit_w) {
        (Some(w), Some(limit)) => format!("{w:.0}/{limit:.0} W"),
        (Some(w), None) => format!("{w:.0} W"),
        _ => "?".to_owned(),
    };
    line = line.right(pen, Slot::Text, &power, 57);
    line = line.right(pen, Slot::Text, &s.utilisation.map_or("?".to_owned(), super::words::percent), 63);
    #[expect(clippy::cast_precision_loss, reason = "counts of errors")]
    let ecc = known(s.ecc_uncorrected_volatile.map(|n| n as f64));
    line = line.right(pen, Slot::Text, &ecc, 68).put(pen, status_slot(status), &format!("  {}", g.truth));
    let old = age(ctx.app.now().since(g.at));
    let mut lines = vec![line.cut(pen, width)];
    let note = if g.note.is_empty() { throttle(s) } else { format!("{}; {}", g.note, throttle(s)) };
    for text in pen.fold(&note, width.saturating_sub(6), 2) {
        lines.push(pen.line(Slot::Text, "     ").put(
            pen,
            if g.troubled { Slot::VerdictBreach } else { Slot::TextMuted },
            &text,
        ));
    }
    let memory = match (s.memory_used_bytes, s.memory_total_bytes) {
        (Some(used), Some(total)) => {
            format!("memory {:.0} of {:.0} GiB", used / 1_073_741_824.0, total / 1_073_741_824.0)
        }
        _ => "memory ?".to_owned(),
    };
    let pod = g.pod.as_deref().map_or("no pod known".to_owned(), |p| format!("pod {p}"));
    let xid = s.xid.map_or(String::new(), |x| format!(", last XID {x}"));
    let product = g.product.as_deref().unwrap_or("unknown product");
    lines.push(pen.line(Slot::TextMuted, &format!("     {product}, {memory}, {pod}{xid}, {old} old")).cut(pen, width));
    lines
}

/// What the bit mask says.
fn throttle(s: &GpuSample) -> String {
    let Some(bits) = s.event_reasons else { return "event reasons not exported".to_owned() };
    let words: Vec<&str> = REASONS.iter().filter(|(bit, _)| bits & bit != 0).map(|(_, word)| *word).collect();
    let unknown = bits & !0x1ff;
    match (words.is_empty(), unknown) {
        (true, 0) => "no event reason (0x0)".to_owned(),
        (_, 0) => format!("{} ({bits:#x})", words.join(", ")),
        _ => format!("{} and unknown bits ({bits:#x})", words.join(", ")),
    }
}
