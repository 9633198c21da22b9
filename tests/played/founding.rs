//! The founding incident, from the verdict to the end, in six keys. It is played once, and beside it the same cluster with
//! the same traffic where nobody touches anything.

use std::sync::OnceLock;

use serde_json::Value;
use warroom::action::card::{Part, card};
use warroom::domain::{At, Cause, Helps, Verdict};
use warroom::runbook::{Check, Condition, How, Meaning, Outcome, Record, Run};
use warroom::sim::cluster::Kind;

use crate::room::{Line, Opening, Room, scenario};

/// What is known of one sweep.
struct Moment {
    at: At,
    state: String,
    verdict: Verdict,
    since: Option<At>,
    condition: Option<Condition>,
    /// Why the deploy is blamed, where it is.
    blamed: Option<String>,
    undo: Option<(Helps, String)>,
    advised: Option<String>,
    burn: Option<Outcome>,
    /// Whether pods of the bad revision serve.
    bad_serves: bool,
    late: Option<f64>,
}

fn moment(room: &Room) -> Moment {
    let d = room.d();
    let seen = room.app.run().and_then(|run| run.seen.as_ref());
    let suspect = d.suspect.as_ref().filter(|s| s.cause == Some(Cause::DeployRegression));
    let blamed = suspect.and_then(|_| d.findings.iter().find(|f| f.code.code() == Cause::DeployRegression.code()));
    Moment {
        at: room.now(),
        state: room.state().to_owned(),
        verdict: d.verdict,
        since: d.since,
        condition: seen.map(|s| s.condition),
        blamed: blamed.map(|f| f.summary.clone()),
        undo: d.levers.iter().find(|l| l.action.code() == "rollout_undo").map(|l| (l.helps, l.why.clone())),
        advised: seen.and_then(|s| Some(s.advised.as_ref()?.to.clone())),
        burn: seen.and_then(|s| s.checks.iter().find(|c| c.check == Check::BurnShortUnderOne)).map(|c| c.outcome),
        bad_serves: room.look(|world| world.endpoints().iter().any(|e| e.revision == Some(42) && e.ready)),
        late: room.late(),
    }
}

/// The incident as it was played, and how it went without anybody.
struct Played {
    opens: At,
    keys: usize,
    card: Vec<Part>,
    helps: Option<(Helps, String)>,
    moments: Vec<Moment>,
    run: Run,
    lines: Vec<Line>,
    told: Vec<(At, String)>,
    action: Vec<(At, String)>,
    writes: Vec<String>,
    /// The arguments of the Deployment, and the revisions of its pods.
    args: Value,
    revisions: Vec<Option<u64>>,
    /// The share of late requests in the last minutes, once it was over there.
    late: f64,
    late_untouched: f64,
}

/// How far back its readings go: an hour is observed, so that both windows can be judged.
const HOUR_S: f64 = 4200.0;

fn played() -> &'static Played {
    static PLAYED: OnceLock<Played> = OnceLock::new();
    PLAYED.get_or_init(play)
}

fn play() -> Played {
    let mut room = Room::open(&scenario("bad-rollout"), Opening { read_before_s: HOUR_S, ..Opening::default() });
    let opens = room.now();
    let mut moments = vec![moment(&room)];
    let mut keys = 0;
    let mut press = |room: &mut Room, pressed: &str| {
        keys += pressed.split_whitespace().count();
        room.keys(pressed);
    };
    press(&mut room, "enter enter U");
    let shown = room.app.card().expect("a card");
    let (shown, helps) = (card(shown.plan().expect("a plan"), shown.tried()), shown.helps.clone());
    press(&mut room, "Y");
    for next in ["verify", "resolved"] {
        let last = room.now().plus(1500.0);
        while moments.last().is_none_or(|m| m.advised.as_deref() != Some(next)) {
            assert!(room.now() < last, "{next} is not recommended\n{}", room.story());
            room.pass(5.0);
            moments.push(moment(&room));
        }
        press(&mut room, "enter");
        moments.push(moment(&room));
    }
    let objects = |kind| room.look(|world| world.objects(kind));
    let args = objects(Kind::Deployment)
        .into_iter()
        .find(|o| o["metadata"]["name"] == room.scenario.workload.name.as_str())
        .expect("the deployment")["spec"]["template"]["spec"]["containers"][0]["args"]
        .take();
    let revisions = room.look(|world| {
        let engines = world.endpoints().into_iter().filter(|e| e.revision.is_some() && e.ready);
        engines.map(|e| e.revision).collect()
    });
    let late = room.late().expect("requests");
    // The same cluster, without the undo.
    let mut untouched = Room::open(&room.scenario, Opening::default());
    untouched.pass(room.now().since(opens));
    assert_eq!(untouched.writes(), Vec::<String>::new());
    Played {
        opens,
        keys,
        card: shown,
        helps,
        moments,
        run: room.run().clone(),
        writes: room.writes(),
        lines: room.lines,
        told: room.told,
        action: room.action,
        args,
        revisions,
        late,
        late_untouched: untouched.late().expect("requests"),
    }
}

fn records() -> Vec<&'static Record> {
    let of = |line: &'static Line| if let Line::Run(record) = line { Some(record) } else { None };
    played().lines.iter().filter_map(of).collect()
}

#[test]
fn six_keys_lead_from_the_verdict_to_the_end() {
    let p = played();
    assert_eq!(p.keys, 6);
    let moves: Vec<(&str, &str, How)> = p.run.moves.iter().map(|m| (m.from.as_str(), m.to.as_str(), m.how)).collect();
    assert_eq!(
        moves,
        [
            ("triage", "deploy", How::Recommended),
            ("deploy", "rollback", How::Recommended),
            ("rollback", "verify", How::Recommended),
            ("verify", "resolved", How::Recommended),
        ]
    );
    assert!(p.run.ended);
    assert_eq!(p.run.moves.last().and_then(|m| m.means), Some(Meaning::Resolved));
}

#[test]
fn one_dry_run_and_one_patch_of_the_deployment_reach_the_api_with_the_same_bytes() {
    let p = played();
    let path = "PATCH /apis/apps/v1/namespaces/llm-serving/deployments/vllm-runtime";
    let [tried, meant] = p.writes.as_slice() else { panic!("{:#?}", p.writes) };
    let body = tried
        .strip_prefix(&format!("{path}?dryRun=All&fieldManager=warroom&fieldValidation=Strict "))
        .unwrap_or_else(|| panic!("{tried}"));
    assert_eq!(*meant, format!("{path}?fieldManager=warroom&fieldValidation=Strict {body}"));
    let operations: Value = serde_json::from_str(body).expect("a JSON patch");
    let told: Vec<String> = operations
        .as_array()
        .expect("operations")
        .iter()
        .map(|o| format!("{} {}", o["op"].as_str().unwrap_or_default(), o["path"].as_str().unwrap_or_default()))
        .collect();
    assert_eq!(
        told,
        [
            "test /metadata/uid",
            "test /spec/template",
            "replace /spec/template",
            "add /metadata/annotations/kubernetes.io~1change-cause",
        ]
    );
    let template = |i: usize| operations[i]["value"].to_string();
    assert!(template(1).contains("--max-num-seqs=512") && template(2).contains("--max-num-seqs=256"), "{body}");
    assert!(template(3).contains("alice@bastion"), "{}", template(3));
}

#[test]
fn the_bytes_that_were_sent_were_on_record_before() {
    let p = played();
    let planned = p.lines.iter().position(|l| matches!(l, Line::Planned { .. })).expect("a plan on record");
    let answered = p.lines.iter().position(|l| matches!(l, Line::Answered { .. })).expect("an answer on record");
    let Line::Planned { bytes, .. } = &p.lines[planned] else { unreachable!() };
    assert!(planned < answered && p.writes[1].ends_with(bytes.as_str()));
}

#[test]
fn latency_recovers_because_the_template_went_back() {
    let p = played();
    assert!(p.args.to_string().contains("--max-num-seqs=256"), "{}", p.args);
    assert!(!p.revisions.is_empty() && p.revisions.iter().all(|r| *r == Some(43)), "{:?}", p.revisions);
    assert!(p.moments[0].late.is_some_and(|late| late > 0.9), "nearly all of them were");
    assert!(p.late < 0.01, "{} of the requests are late after the undo", p.late);
    assert!(p.late_untouched > 0.2, "{} of them are late where nobody touched anything", p.late_untouched);
}

#[test]
fn the_card_says_all_of_it_before_it_is_confirmed() {
    let p = played();
    let part = |label: &str| p.card.iter().find(|p| p.label == label).expect("a part of the card").lines.join(" ");
    assert_eq!(p.helps.as_ref().map(|(helps, _)| *helps), Some(Helps::Yes));
    assert_eq!(part("DIFF"), "--max-num-seqs 512 -> 256 --gpu-memory-utilization 0.466 -> 0.90");
    assert!(part("WHERE").contains("Deployment/vllm-runtime in namespace llm-serving of context sim-bad-rollout"));
    assert!(part("DRYRUN").starts_with("Accepted by the API server"));
    assert!(part("ALLOWED").contains("'patch deployments.apps'"));
    let all: Vec<&str> = p.card.iter().map(|p| p.label).collect();
    assert_eq!(
        all,
        ["WHERE", "DOES", "DIFF", "DRYRUN", "ALLOWED", "OWNER", "FITS", "TAKES", "MIND", "BACK", "KUBECTL"]
    );
}

#[test]
fn the_line_of_the_action_stays_until_the_service_says_that_it_is_fixed() {
    let words: Vec<&str> = played().action.iter().map(|(_, word)| word.as_str()).collect();
    assert_eq!(words, ["sent", "stored", "underway", "done", "fixed"]);
}

#[test]
fn fixed_is_said_with_since_when_nothing_is_late() {
    let p = played();
    let told = |words: &str| p.told.iter().find(|(_, told)| told.starts_with(words)).map(|(at, told)| (*at, told));
    let (recovered, sentence) = told("recovered: ").expect("it is announced");
    assert!(sentence.starts_with("recovered: nothing was late for "), "{sentence}");
    let (fixed, sentence) = told("verdict: ").expect("it is told");
    assert!(sentence.starts_with("verdict: undo to revision 41: fixed. nothing was late for "), "{sentence}");
    let done = p.action.iter().find(|(_, word)| word == "done").map(|(at, _)| *at).expect("it is done");
    assert!(done < recovered && fixed.since(done) >= 60.0, "not before it held for a minute");
}

#[test]
fn verify_lets_nobody_through_before_the_objective_holds() {
    let verifying: Vec<&Moment> = played().moments.iter().filter(|m| m.state == "verify").collect();
    assert!(verifying.iter().any(|m| m.burn == Some(Outcome::Fail)), "it begins while the window is full of late ones");
    for m in &verifying {
        if m.advised.as_deref() == Some("resolved") {
            assert_eq!(
                (m.verdict, m.burn, m.condition),
                (Verdict::Healthy, Some(Outcome::Pass), Some(Condition::Holds))
            );
        }
        assert_ne!(m.advised.as_deref(), Some("triage"), "it gets better all the while");
    }
}

#[test]
fn the_revision_that_came_back_is_never_blamed_and_the_bad_one_is_while_it_serves() {
    let p = played();
    let since = p.run.acts[0].at;
    let after: Vec<&Moment> = p.moments.iter().filter(|m| m.at > since.plus(4.0)).collect();
    for m in &after {
        let t = m.at.since(p.opens);
        if let Some(blamed) = &m.blamed {
            assert!(blamed.starts_with("rev 42 ("), "{t} s: {blamed}");
        }
        if m.bad_serves && m.condition == Some(Condition::Breached) {
            assert!(m.blamed.is_some(), "{t} s: nobody is blamed");
            let (helps, why) = m.undo.as_ref().unwrap_or_else(|| panic!("{t} s: nothing is said of an undo"));
            assert_eq!(*helps, Helps::No, "{t} s: {why}");
            assert!(why.contains("rev 43 (was 41) was brought back already"), "{t} s: {why}");
        }
    }
    assert!(after.iter().filter(|m| m.bad_serves).count() > 60, "it loads for minutes");
}

#[test]
fn an_onset_stays_where_it_is_while_it_is_watched() {
    let p = played();
    let mut onsets: Vec<At> = p.moments.iter().filter_map(|m| m.since).collect();
    onsets.dedup();
    assert!(onsets.len() <= 3, "it moves only when slices become longer: {onsets:?}");
    let learned = records().iter().filter(|r| matches!(r, Record::Onset { .. })).count();
    assert!(learned <= 1, "{learned} earlier onsets are on record");
}

#[test]
fn every_move_is_on_record_with_who_and_why_and_the_times_are_there() {
    let p = played();
    let steps: Vec<_> =
        records().into_iter().filter_map(|r| if let Record::Moved(s) = r { Some(s) } else { None }).collect();
    assert_eq!(steps.len(), p.run.moves.len());
    for step in steps {
        assert_eq!(step.by.to_string(), "alice@bastion");
        assert!(step.reason.chars().count() > 20, "{} -> {}: '{}'", step.from, step.to, step.reason);
    }
    let t = p.run.times;
    let times = [t.acknowledged, t.diagnosed, t.mitigated, t.recovered, t.verified].map(|t| t.expect("a time"));
    assert!(times.windows(2).all(|w| w[0] <= w[1]), "{times:?}");
    assert!(p.run.after_onset(t.verified).is_some_and(|s| s > 600.0));
}

#[test]
fn what_was_recorded_gives_the_same_run_again() {
    let p = played();
    let again = Run::restore(records()).expect("a run");
    let told = |run: &Run| {
        let mut run = run.clone();
        // What was seen is read anew.
        (run.seen, run.holding_since) = (None, None);
        run.memory.burns.clear();
        run
    };
    assert_eq!(told(&again), told(&p.run));
    // And through the file's own form.
    let texts: Vec<String> = records().iter().map(|r| serde_json::to_string(r).expect("it is written")).collect();
    let read: Vec<Record> = texts.iter().map(|t| serde_json::from_str(t).expect("it is read")).collect();
    assert_eq!(Run::restore(&read), Some(again));
}
