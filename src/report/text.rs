//! A diagnosis in a terminal or a log: verdict, objectives, phases with bars, findings with evidence, levers, sources.

use anstyle::Style;

use super::{before_words, bucket, headline, late, mean, scope, troubled};
use crate::diagnosis::{Diagnosis, Finding, PhaseRow, SloRow, length, number, seconds};
use crate::domain::{Helps, Phase, RowStatus, SourceState, Verdict};
use crate::runbook::Advice;
use crate::ui::theme::{Slot, Theme};

/// How it is to look.
#[derive(Debug, Clone, Copy)]
pub struct Look<'t> {
    /// Colours; none of them carries a meaning of its own.
    pub theme: &'t Theme,
    /// Columns.
    pub width: usize,
    /// Whether only ASCII may be used.
    pub ascii: bool,
}

/// Narrower than this no table fits.
const LEAST_WIDTH: usize = 60;
const MOST_WIDTH: usize = 120;
/// Narrower than this, bars are half as long.
const WIDE: usize = 80;
const BAR: usize = 16;
/// Replicas listed before the rest is only counted.
const MOST_REPLICAS: usize = 12;
/// Alerts likewise.
const MOST_ALERTS: usize = 6;
/// Changes and revisions likewise.
const MOST_CHANGES: usize = 12;
const MOST_REVISIONS: usize = 3;

/// Renders a diagnosis. Ends with a line break.
pub fn text(d: &Diagnosis, advice: Option<&Advice>, look: Look<'_>) -> String {
    let mut page = Page { look, out: String::new() };
    page.verdict(d);
    page.objectives(d);
    page.phases(d);
    page.findings(d);
    page.levers(d);
    page.changes(d);
    page.revisions(d);
    page.runbook(advice);
    page.replicas(d);
    page.gpus(d);
    page.sources(d);
    if look.ascii { ascii(&page.out) } else { page.out }
}

/// The text in ASCII: what sentences and names from outside hold besides is spelled out, or becomes `?`.
pub(super) fn ascii(text: &str) -> String {
    let mut spelled = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            _ if c.is_ascii() => spelled.push(c),
            'µ' => spelled.push('u'),
            '…' => spelled.push_str("..."),
            '·' => spelled.push('.'),
            '°' => {}
            _ => spelled.push('?'),
        }
    }
    spelled
}

/// The text in at most `room` columns; what is cut off is marked, where there is room for the mark.
fn fit(text: &str, room: usize, mark: &str) -> String {
    if text.chars().count() <= room {
        return text.to_owned();
    }
    let Some(left) = room.checked_sub(mark.chars().count()) else { return String::new() };
    let kept: String = text.chars().take(left).collect();
    format!("{}{mark}", kept.trim_end())
}

struct Page<'t> {
    look: Look<'t>,
    out: String,
}

impl Page<'_> {
    fn width(&self) -> usize {
        self.look.width.clamp(LEAST_WIDTH, MOST_WIDTH)
    }

    /// The text in the letters that may be used, before its columns are counted.
    fn spelled(&self, text: &str) -> String {
        if self.look.ascii { ascii(text) } else { text.to_owned() }
    }

    fn styled(&self, slot: Slot, text: &str) -> String {
        let style: Style = self.look.theme.style(slot);
        format!("{style}{text}{style:#}")
    }

    fn line(&mut self, text: &str) {
        self.out.push_str(text.trim_end());
        self.out.push('\n');
    }

    /// Text folded at words, further lines indented; the style applies to all of it. A word that is longer than a line
    /// is broken. `first` is as wide as the indent and stands before the first line.
    fn folded(&mut self, first: &str, indent: usize, slot: Slot, text: &str) {
        let room = self.width().saturating_sub(indent).max(20);
        let text = self.spelled(text);
        let mut lines: Vec<String> = vec![String::new()];
        let mut last = 0;
        for word in text.split(' ') {
            let letters: Vec<char> = word.chars().collect();
            for (i, piece) in letters.chunks(room).enumerate() {
                if i > 0 || (last > 0 && last + 1 + piece.len() > room) {
                    lines.push(String::new());
                    last = 0;
                }
                if let Some(line) = lines.last_mut() {
                    if last > 0 {
                        line.push(' ');
                        last += 1;
                    }
                    line.extend(piece);
                    last += piece.len();
                }
            }
        }
        for (i, line) in lines.iter().enumerate() {
            let head = if i == 0 { format!("{first:<indent$}") } else { " ".repeat(indent) };
            let styled = self.styled(slot, line);
            self.line(&format!("{head}{styled}"));
        }
    }

    fn heading(&mut self, title: &str, aside: &str) {
        self.line("");
        let title_styled = self.styled(Slot::Heading, title);
        let aside = if aside.is_empty() { String::new() } else { self.styled(Slot::TextMuted, &format!("  {aside}")) };
        self.line(&format!("{title_styled}{aside}"));
    }

    fn verdict(&mut self, d: &Diagnosis) {
        let slot = match d.verdict {
            Verdict::Healthy => Slot::VerdictHealthy,
            Verdict::Warning => Slot::VerdictWarning,
            Verdict::Breach | Verdict::Stalled => Slot::VerdictBreach,
            Verdict::Idle | Verdict::CannotTell => Slot::VerdictUnknown,
        };
        let head = self.styled(slot, &headline(d));
        self.line(&head);
        if let Some(target) = super::target(d) {
            self.folded("TARGET ", 7, Slot::Text, &target);
        }
        self.folded("", 0, Slot::Text, &d.sentence);
        if let Some(suspect) = &d.suspect {
            let cause = suspect.cause.map_or(String::new(), |c| format!(", cause {c}"));
            let revision = suspect.subject.revision.filter(|_| suspect.subject.replica.is_none());
            let on = suspect.subject.replica.as_ref().map(|r| format!(" on {r}"));
            let on = on.or(revision.map(|r| format!(", rev {r}"))).unwrap_or_default();
            let words =
                format!("{}: {}{cause}{on} (confidence {})", suspect.phase, suspect.mechanism, suspect.confidence);
            let slot = Slot::Text;
            self.folded("suspect ", 8, slot, &words);
        }
        self.folded("", 0, Slot::TextMuted, &scope(d));
    }

    fn objectives(&mut self, d: &Diagnosis) {
        self.heading("OBJECTIVES", "");
        for row in d.slo.iter().chain(&d.sliced) {
            self.objective(row, d.slo.iter().any(|r| r.model != d.model));
        }
        if let Some(s) = d.slo.iter().filter_map(|r| r.exhausts_in_s).reduce(f64::min) {
            let words = format!("a whole budget would be gone in {} at the rate of the last hour", length(s));
            self.folded("", 6, Slot::TextMuted, &words);
        }
        let firing: Vec<String> =
            d.alerts.iter().filter(|a| a.firing).take(MOST_ALERTS).map(|a| a.name.clone()).collect();
        if !firing.is_empty() {
            self.folded("", 6, Slot::Text, &format!("alerts that fire: {}", firing.join(", ")));
        }
    }

    fn objective(&mut self, row: &SloRow, with_model: bool) {
        /// Where the words begin behind name, target and state, and where what belongs to them begins.
        const WORDS: usize = 30;
        const MORE: usize = 6;
        let target = format!("{}% <= {}", number(row.target.objective * 100.0), super::trim_bound(row.target.seconds));
        let model = match (&row.slice, &row.model) {
            (Some(slice), _) => format!(", {slice}"),
            (None, Some(model)) if with_model => format!(", {model}"),
            _ => String::new(),
        };
        let head = format!("{:<5} {target:<14} {}  ", row.metric.title(), self.status(row.status));
        let mut note = row.note.clone();
        if row.p95.is_none() {
            let measured = match (row.mean_s, row.count) {
                (Some(mean), Some(count)) if count > 0.0 => format!("mean {}, n {}", seconds(mean), number(count)),
                _ => note.take().unwrap_or_else(|| "not measured".to_owned()),
            };
            self.folded(&head, WORDS, Slot::Text, &format!("{measured}{model}"));
        } else {
            let by_request = row.per_request.as_ref().map_or(String::new(), |p| {
                format!(", of finished requests {} of {} on average", number(p.bad), number(p.count))
            });
            self.folded(&head, WORDS, Slot::Text, &format!("late {}{by_request}{model}", late(row)));
            let quantiles =
                format!("p50 {:<12} p95 {:<12} p99 {:<12}", bucket(row.p50), bucket(row.p95), bucket(row.p99));
            let burns = burns(row);
            if MORE + quantiles.len() + 1 + burns.len() <= self.width() {
                self.line(&format!("{}{quantiles} {burns}", " ".repeat(MORE)));
            } else {
                self.line(&format!("{}{quantiles}", " ".repeat(MORE)));
                if !burns.is_empty() {
                    self.folded("", MORE, Slot::Text, &burns);
                }
            }
        }
        if let Some(note) = note {
            self.folded("", MORE, Slot::TextMuted, &note);
        }
    }

    fn status(&self, status: RowStatus) -> String {
        let (slot, word) = match status {
            RowStatus::Ok => (Slot::VerdictHealthy, "ok"),
            RowStatus::Warning => (Slot::VerdictWarning, "WARNING"),
            RowStatus::Breach => (Slot::VerdictBreach, "BREACH"),
            RowStatus::Unknown => (Slot::VerdictUnknown, "unknown"),
        };
        self.styled(slot, &format!("{word:<7}"))
    }

    fn phases(&mut self, d: &Diagnosis) {
        let was = match (d.ttft_mean.1, d.before) {
            (Some(was), Some(before)) => format!(", was {} ({})", seconds(was), before_words(before, d.at)),
            _ => String::new(),
        };
        let now =
            d.ttft_mean.0.map_or("TTFT mean not measured".to_owned(), |m| format!("TTFT mean {}{was}", seconds(m)));
        self.heading("WHERE", &now);
        let whole = d.ttft_mean.0.unwrap_or(0.0);
        for row in &d.phases {
            self.phase(row, whole);
        }
    }

    fn phase(&mut self, row: &PhaseRow, whole: f64) {
        let name = if row.phase == Phase::Rest { "(rest)" } else { row.phase.code() };
        if row.mean.is_none() {
            let note = if row.note.is_empty() { "not measured" } else { &row.note };
            let first = format!("{name:<8} {:>11} ", "?");
            return self.folded(&first, first.len(), Slot::TextMuted, note);
        }
        let share = match row.mean {
            Some(mean) if row.unit == "s/request" && whole > 0.0 => (mean / whole).clamp(0.0, 1.0),
            _ => 0.0,
        };
        let columns = if self.width() < WIDE { BAR / 2 } else { BAR };
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of a few columns")]
        let filled = (share * columns as f64).round() as usize;
        let (full, empty) = if self.look.ascii { ("#", ".") } else { ("█", "·") };
        let bar = if row.unit == "s/request" {
            format!(
                "{}{}",
                self.styled(Slot::Bar, &full.repeat(filled)),
                self.styled(Slot::BarBaseline, &empty.repeat(columns - filled))
            )
        } else {
            " ".repeat(columns)
        };
        let delta =
            row.delta.map_or(String::new(), |x| format!("{}{}", if x < 0.0 { "-" } else { "+" }, seconds(x.abs())));
        let mut notes: Vec<String> = Vec::new();
        if row.lags && row.phase != Phase::Rest {
            notes.push("lags".to_owned());
        }
        if let Some(estimate) = row.estimate.filter(|e| *e >= 0.001) {
            notes.push(format!("newcomer ~{}", seconds(estimate)));
        }
        if !row.note.is_empty() {
            notes.push(row.note.clone());
        }
        let before = 8 + 1 + 11 + 1 + columns + 1 + 9 + 1 + 7 + 1;
        let mark = if self.look.ascii { "..." } else { "…" };
        let note = fit(&self.spelled(&notes.join(", ")), self.width().saturating_sub(before), mark);
        let line = format!(
            "{name:<8} {:>11} {bar} {delta:>9} {} {}",
            mean(row, row.mean),
            self.status(row.status),
            self.styled(Slot::TextMuted, &note)
        );
        self.line(&line);
    }

    fn findings(&mut self, d: &Diagnosis) {
        if d.findings.is_empty() {
            return;
        }
        self.heading("FINDINGS", if troubled(d) { "most seconds first" } else { "" });
        for finding in &d.findings {
            self.finding(finding);
        }
    }

    fn finding(&mut self, finding: &Finding) {
        let mark = if self.look.ascii { "*" } else { "●" };
        let head = format!("{mark} {} ({}, {})", finding.code.code(), finding.severity, finding.confidence);
        let head = self.styled(Slot::Text, &head);
        self.line(&head);
        self.folded("", 4, Slot::Text, &finding.summary);
        for evidence in &finding.evidence {
            let (sign, slot) = if evidence.supports { ("+", Slot::EvidenceFor) } else { ("-", Slot::EvidenceAgainst) };
            let words = format!("{} [{}]", evidence.claim, evidence.source);
            self.folded(&format!("    {sign} "), 6, slot, &words);
        }
        if let Some(surer) = &finding.surer {
            self.folded("    ? ", 6, Slot::TextMuted, &format!("surer with: {surer}"));
        }
    }

    fn levers(&mut self, d: &Diagnosis) {
        if d.levers.is_empty() {
            return;
        }
        self.heading("LEVERS", "what helps against the suspect, and what does not");
        for lever in &d.levers {
            let (slot, word) = match lever.helps {
                Helps::Yes => (Slot::LeverYes, "helps"),
                Helps::No => (Slot::LeverNo, "no"),
                Helps::Unknown => (Slot::TextMuted, "unknown"),
            };
            let word = self.styled(slot, &format!("{word:<8}"));
            let first = format!("{word}{:<22}", lever.action.code());
            let start = self.out.len();
            self.folded("", 30, Slot::Text, &lever.why);
            // The first line's indent is the lever itself.
            self.out.replace_range(start..start + 30, &first);
        }
    }

    fn runbook(&mut self, advice: Option<&Advice>) {
        let Some(advice) = advice else { return };
        self.heading(&advice.id, &format!("state {}", advice.state));
        let arrow = if self.look.ascii { "->" } else { "→" };
        if let Some(next) = &advice.recommended {
            self.folded("", 0, Slot::Text, &format!("next {arrow} {next}, because {}", advice.because.join("; ")));
        }
        let checks: Vec<String> =
            advice.checks.iter().map(|(check, outcome)| format!("{} {}", outcome.code(), check.code())).collect();
        self.folded("", 0, Slot::TextMuted, &checks.join(", "));
    }

    fn changes(&mut self, d: &Diagnosis) {
        if d.changes.is_empty() {
            return;
        }
        self.heading("CHANGES", "newest first");
        for change in d.changes.iter().take(MOST_CHANGES) {
            let at = crate::contract::time(change.at);
            self.folded(
                &format!("{} ", super::clock(&at)),
                10,
                Slot::Text,
                &format!("{}: {}", change.kind, change.summary),
            );
        }
    }

    fn revisions(&mut self, d: &Diagnosis) {
        if d.revisions.is_empty() {
            return;
        }
        self.heading("REVISIONS", "newest first");
        for row in d.revisions.iter().take(MOST_REVISIONS) {
            let changes = super::template_changes(row);
            let changes = if changes.is_empty() { String::new() } else { format!("; {changes}") };
            let words = format!("{}/{} ready, {}{changes}", row.ready, row.desired, super::revision_saw(row));
            self.folded(&format!("rev {:<5}", row.number), 9, Slot::Text, &words);
        }
        let mut times = super::start_times(&d.starts);
        if let Some(deadline) = d.starts.deadline {
            let left = deadline.since(d.at);
            times.push(if left > 0.0 {
                format!("the rollout counts as stuck in {} unless it moves", length(left))
            } else {
                "the rollout's deadline is over".to_owned()
            });
        }
        if !times.is_empty() {
            self.folded("starts   ", 9, Slot::Text, &times.join("; "));
        }
    }

    fn gpus(&mut self, d: &Diagnosis) {
        if d.gpus.is_empty() {
            return;
        }
        self.heading("GPUS", "");
        let mut rows: Vec<_> = d.gpus.iter().collect();
        rows.sort_by_key(|g| !g.troubled);
        for row in rows.iter().take(MOST_REPLICAS) {
            let pod = row.pod.as_ref().map_or(String::new(), |p| format!(", {p}"));
            self.folded("", 2, Slot::Text, &format!("{} {}: {}{pod}", super::gpu_name(row), row.truth, row.note));
        }
        if rows.len() > MOST_REPLICAS {
            let more = self.styled(Slot::TextMuted, &format!("and {} more", rows.len() - MOST_REPLICAS));
            self.line(&more);
        }
    }

    fn replicas(&mut self, d: &Diagnosis) {
        if d.replicas.len() < 2 && d.revisions.is_empty() {
            return;
        }
        self.heading("REPLICAS", "slowest first");
        let mut rows: Vec<_> = d.replicas.iter().collect();
        rows.sort_by(|a, b| b.ttft_mean.unwrap_or(-1.0).total_cmp(&a.ttft_mean.unwrap_or(-1.0)));
        for row in rows.iter().take(MOST_REPLICAS) {
            let show = |v: Option<f64>| v.map_or("?".to_owned(), number);
            let revision = row.revision.map_or(String::new(), |r| format!(" rev {r}"));
            let kv = row.kv.map_or("?".to_owned(), |k| format!("{:.0}%", k * 100.0));
            let numbers = format!(
                "TTFT {:>9} n {:<6} waiting {:<5} running {:<5} KV {kv:<5}",
                row.ttft_mean.map_or("?".to_owned(), seconds),
                show(row.count),
                show(row.waiting),
                show(row.running)
            );
            let name = format!("{}{revision}{}", row.name, if row.gone { " (gone)" } else { "" });
            if let Some(start) = super::start(row, d.at) {
                self.folded("", 2, Slot::Text, &format!("{name}: {start}"));
                continue;
            }
            if numbers.chars().count() + 1 + name.chars().count() <= self.width() {
                self.line(&format!("{numbers} {name}"));
            } else {
                self.folded("", 2, Slot::Text, &name);
                self.line(&format!("  {numbers}"));
            }
        }
        if rows.len() > MOST_REPLICAS {
            let more = self.styled(Slot::TextMuted, &format!("and {} more", rows.len() - MOST_REPLICAS));
            self.line(&more);
        }
    }

    fn sources(&mut self, d: &Diagnosis) {
        self.heading("SOURCES", "");
        let mut shown = 0;
        // Those that are not as they should be come first, and all of them.
        let mut rows: Vec<_> = d.sources.iter().collect();
        rows.sort_by_key(|s| s.state == SourceState::Live && s.error.is_none());
        for source in &rows {
            let fine = source.state == SourceState::Live && source.error.is_none();
            if fine && shown >= MOST_REPLICAS {
                break;
            }
            shown += 1;
            let age = source.age_s.map_or(String::new(), |a| format!(" {} old", seconds(a)));
            let series = source.series.map_or(String::new(), |s| format!(", {s} series"));
            let error = source.error.as_ref().map_or(String::new(), |e| format!(": {e}"));
            let way =
                source.via.filter(|_| source.instead_of.is_some()).map_or(String::new(), |v| format!(", via {v}"));
            self.folded("", 2, Slot::Text, &format!("{} {}{age}{series}{way}{error}", source.name, source.state));
        }
        if rows.len() > shown {
            let more = self.styled(Slot::TextMuted, &format!("  and {} more, all live", rows.len() - shown));
            self.line(&more);
        }
        let of_engine = |s: &&crate::diagnosis::SourceRow| {
            s.families.iter().any(|(q, _)| ["running", "ttft", "generation_tokens"].contains(q))
        };
        if let Some(source) = d.sources.iter().find(of_engine) {
            let used: Vec<String> = source
                .families
                .iter()
                .filter(|(q, _)| {
                    [
                        "ttft",
                        "itl",
                        "queue",
                        "prefill",
                        "waiting",
                        "running",
                        "kv_usage",
                        "prefill_seconds",
                        "decode_seconds",
                    ]
                    .contains(q)
                })
                .map(|(q, f)| format!("{q} = {f}"))
                .collect();
            self.folded("", 2, Slot::TextMuted, &format!("read from {}", used.join(", ")));
        }
    }
}

/// The burn rates of the windows that were seen, and of a short one also where it was seen in part.
fn burns(row: &SloRow) -> String {
    let burns: Vec<String> = row
        .windows
        .iter()
        .filter_map(|w| {
            let short = if w.observed_s < 0.9 * w.window_s {
                format!(" of {} seen", crate::diagnosis::length(w.observed_s))
            } else if w.told {
                " (Prometheus)".to_owned()
            } else {
                String::new()
            };
            w.burn
                .filter(|_| w.observed_s >= 0.9 * w.window_s || w.window_s <= 300.0)
                .map(|b| format!("{} burn {}{short}", crate::contract::window_name(w.window_s), number(b)))
        })
        .collect();
    burns.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_is_cut_and_says_so() {
        assert_eq!(fit("18 waiting, 8 running", 21, "…"), "18 waiting, 8 running");
        assert_eq!(fit("18 waiting, 8 running", 20, "…"), "18 waiting, 8 runni…");
        assert_eq!(fit("18 waiting, 8 running", 20, "..."), "18 waiting, 8 run...");
        assert_eq!(fit("18 waiting", 4, "…"), "18…");
        assert_eq!(fit("18", 0, "…"), "");
    }

    #[test]
    fn ascii_means_ascii() {
        assert_eq!(ascii("28 µs, a·b… 日本"), "28 us, a.b... ??");
    }
}
