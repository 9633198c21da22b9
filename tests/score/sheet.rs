//! The sheet of a run: who was told what, how often that was right, how soon and how sure.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use warroom::diagnosis::Diagnosis;
use warroom::domain::{Cause, Code, Confidence, Mechanism, Verdict};

use super::truth::Truth;

/// What was said of one draw, beside what was true.
#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) story: String,
    /// Whose pages told it.
    pub(crate) teller: &'static str,
    pub(crate) seed: u64,
    pub(crate) truth: Truth,
    /// Scrapes after the first one with enough evidence until the verdict said so; `None`: not within those looked at.
    pub(crate) scrapes: Option<i64>,
    /// What was said once it had settled.
    pub(crate) said: Option<Said>,
    /// The codes without whose rules it would have been wrong.
    pub(crate) needs: Vec<String>,
    /// Left out, and why.
    pub(crate) skipped: Option<&'static str>,
}

/// What a diagnosis says.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Said {
    pub(crate) verdict: Verdict,
    pub(crate) mechanism: Option<Mechanism>,
    pub(crate) cause: Option<Cause>,
    pub(crate) confidence: Option<Confidence>,
    /// Whatever else was found.
    pub(crate) found: Vec<Code>,
    pub(crate) sentence: String,
}

impl Said {
    pub(crate) fn of(d: &Diagnosis) -> Self {
        Self {
            verdict: d.verdict,
            mechanism: d.suspect.as_ref().map(|s| s.mechanism),
            cause: d.suspect.as_ref().and_then(|s| s.cause),
            confidence: d.suspect.as_ref().map(|s| s.confidence),
            found: d.findings.iter().map(|f| f.code).collect(),
            sentence: d.sentence.clone(),
        }
    }

    /// Whether it says that something is wrong.
    pub(crate) fn alarmed(&self) -> bool {
        matches!(self.verdict, Verdict::Breach | Verdict::Stalled)
    }

    /// The codes of the rules that speak in it.
    pub(crate) fn codes(&self) -> Vec<Code> {
        self.mechanism.map(Code::Mechanism).into_iter().chain(self.blames().map(Code::Cause)).collect()
    }

    fn blames(&self) -> Option<Cause> {
        self.cause.filter(|c| *c != Cause::NoneFound)
    }
}

/// Whether the mechanism is right.
pub(crate) fn placed(truth: &Truth, said: &Said) -> bool {
    // Where no page tells of it, silence is right, and so is whoever finds it all the same.
    if !truth.seen && !said.alarmed() {
        return true;
    }
    match truth.broken_s {
        None => !said.alarmed(),
        Some(_) => said.mechanism.is_some_and(|m| truth.mechanisms.contains(&m)),
    }
}

/// Whether the cause is right, and what stands beside it is found as well.
pub(crate) fn caused(truth: &Truth, said: &Said) -> bool {
    if !truth.seen && !said.alarmed() {
        return true;
    }
    if truth.also.iter().any(|c| !said.found.contains(&Code::Cause(*c))) {
        return false;
    }
    match truth.broken_s {
        None => said.blames().is_none() || !said.alarmed(),
        Some(_) => said.cause.is_some_and(|c| truth.causes.contains(&c)),
    }
}

/// Whether somebody innocent is blamed.
pub(crate) fn false_blame(truth: &Truth, said: &Said) -> bool {
    said.alarmed() && said.blames().is_some_and(|c| !truth.causes.contains(&c))
}

/// All lines, and what they come to.
#[derive(Debug, Default)]
pub(crate) struct Sheet {
    pub(crate) lines: Vec<Line>,
}

/// The figures of a run.
#[derive(Debug)]
pub(crate) struct Figures {
    pub(crate) judged: usize,
    pub(crate) placed: usize,
    pub(crate) caused: usize,
    pub(crate) false_blame: usize,
    pub(crate) in_time: (usize, usize),
}

impl Sheet {
    fn told(&self) -> impl Iterator<Item = (&Line, &Said)> {
        self.lines.iter().filter(|l| l.skipped.is_none()).filter_map(|l| Some((l, l.said.as_ref()?)))
    }

    pub(crate) fn figures(&self) -> Figures {
        let count = |f: &dyn Fn(&Line, &Said) -> bool| self.told().filter(|(l, s)| f(l, s)).count();
        let visible = |l: &Line| l.truth.seen && l.truth.broken_s.is_some();
        let broken = count(&|l, _| visible(l));
        Figures {
            judged: self.told().count(),
            placed: count(&|l, s| placed(&l.truth, s)),
            caused: count(&|l, s| caused(&l.truth, s)),
            false_blame: count(&|l, s| false_blame(&l.truth, s)),
            in_time: (count(&|l, _| visible(l) && l.scrapes.is_some_and(|n| n <= 2)), broken),
        }
    }

    /// The codes of all that was suspected.
    pub(crate) fn said_codes(&self) -> BTreeSet<String> {
        self.told().flat_map(|(_, said)| said.codes()).map(|code| format!("{code:?}")).collect()
    }

    /// Whether some draw would have been told wrongly without the rule of a code.
    pub(crate) fn needs(&self, code: &str) -> bool {
        self.lines.iter().any(|line| line.needs.iter().any(|needed| needed == code))
    }

    /// The draws that went wrong, a paragraph each.
    pub(crate) fn wrong(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        for (line, said) in self.told() {
            let late = line.truth.seen && line.truth.broken_s.is_some() && line.scrapes.is_none_or(|n| n > 2);
            if placed(&line.truth, said) && caused(&line.truth, said) && !late {
                continue;
            }
            let Truth { mechanisms, causes, also, guilty, places, broken_s, .. } = &line.truth;
            let top: Vec<String> = places.iter().take(3).map(|(p, s)| format!("{p} {:.0} %", 100.0 * s)).collect();
            wrong.push(format!(
                "{} ({}, seed {}): {}{}{}\n    true: from {broken_s:?} s, {mechanisms:?} {causes:?} beside it {also:?} guilty {guilty:?}, {}\n    \
                 said: {:?} {:?} {:?} after {:?} scrapes\n    {}",
                line.story,
                line.teller,
                line.seed,
                if placed(&line.truth, said) { "" } else { "MECHANISM " },
                if caused(&line.truth, said) { "" } else { "CAUSE " },
                if late { "LATE" } else { "" },
                top.join(", "),
                said.verdict,
                said.mechanism,
                said.cause,
                line.scrapes,
                said.sentence
            ));
        }
        wrong
    }

    /// The sheet as Markdown.
    pub(crate) fn markdown(&self, heading: &str) -> String {
        let mut out = String::new();
        let f = self.figures();
        // Cut off and not rounded: all but one is not all.
        let percent = |n: usize, of: usize| {
            if of == 0 { "none".into() } else { format!("{:.1} %", (1000.0 * n as f64 / of as f64).floor() / 10.0) }
        };
        let _ = writeln!(out, "{heading}\n");
        let _ = writeln!(out, "| what | of | share |\n|---|---|---|");
        let _ = writeln!(
            out,
            "| {{phase, mechanism}} right | {} of {} | {} |",
            f.placed,
            f.judged,
            percent(f.placed, f.judged)
        );
        let _ = writeln!(out, "| cause right | {} of {} | {} |", f.caused, f.judged, percent(f.caused, f.judged));
        let _ = writeln!(
            out,
            "| somebody innocent blamed | {} of {} | {} |",
            f.false_blame,
            f.judged,
            percent(f.false_blame, f.judged)
        );
        let _ = writeln!(
            out,
            "| verdict within two scrapes after enough evidence | {} of {} | {} |",
            f.in_time.0,
            f.in_time.1,
            percent(f.in_time.0, f.in_time.1)
        );
        let _ = writeln!(
            out,
            "\nHow sure it said to be, and how often it was right:\n\n| confidence | draws | right |\n|---|---|---|"
        );
        for confidence in [Confidence::Low, Confidence::Medium, Confidence::High] {
            let of: Vec<bool> = self
                .told()
                .filter(|(l, s)| l.truth.broken_s.is_some() && s.confidence == Some(confidence))
                .map(|(l, s)| placed(&l.truth, s))
                .collect();
            let right = of.iter().filter(|r| **r).count();
            let _ = writeln!(out, "| {confidence:?} | {} | {} |", of.len(), percent(right, of.len()));
        }
        let _ = writeln!(
            out,
            "\nCause by cause: what was true (the first of those that may be named), and what was said.\n"
        );
        out.push_str(&self.confusion());
        let _ = writeln!(out, "\nCode by code: the stories of which it was true.\n\n| code | stories |\n|---|---|");
        for (code, stories) in self.stories() {
            let _ = writeln!(out, "| {code} | {} |", stories.into_iter().collect::<Vec<_>>().join(", "));
        }
        let mut skipped: BTreeMap<&str, usize> = BTreeMap::new();
        for why in self.lines.iter().filter_map(|l| l.skipped) {
            *skipped.entry(why).or_default() += 1;
        }
        for (why, count) in skipped {
            let _ = writeln!(out, "\n{count} draws are left out: {why}.");
        }
        out
    }

    /// Of each code the stories of which it was true, in some draw.
    pub(crate) fn stories(&self) -> BTreeMap<&'static str, BTreeSet<&str>> {
        let all = Mechanism::ALL.iter().map(|m| m.code()).chain(Cause::ALL.iter().map(|c| c.code()));
        let mut of: BTreeMap<&str, BTreeSet<&str>> = all.map(|code| (code, BTreeSet::new())).collect();
        for (line, _) in self.told() {
            let (mechanisms, causes) = (line.truth.mechanisms.iter(), line.truth.causes.iter());
            for code in mechanisms.map(|m| m.code()).chain(causes.map(|c| c.code())) {
                of.entry(code).or_default().insert(&line.story);
            }
        }
        of
    }

    fn confusion(&self) -> String {
        let mut cells: BTreeMap<(String, String), usize> = BTreeMap::new();
        for (line, said) in self.told() {
            let is = match (line.truth.broken_s, line.truth.causes.first()) {
                (None, _) => "nothing broken".to_owned(),
                (_, Some(cause)) => cause.code().to_owned(),
                (_, None) => "none of the injected".to_owned(),
            };
            let told = match (said.alarmed(), said.cause) {
                (false, _) if !line.truth.seen => "no alarm, and nothing to see".to_owned(),
                (false, _) => "no alarm".to_owned(),
                (true, Some(cause)) => cause.code().to_owned(),
                (true, None) => "no suspect".to_owned(),
            };
            *cells.entry((is, told)).or_default() += 1;
        }
        let mut rows: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for ((is, told), count) in cells {
            rows.entry(is).or_default().push(format!("{told} {count}"));
        }
        let mut out = "| true | said |\n|---|---|\n".to_owned();
        for (is, told) in rows {
            let _ = writeln!(out, "| {is} | {} |", told.join(", "));
        }
        out
    }
}
