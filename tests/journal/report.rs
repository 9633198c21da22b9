//! The report: the timeline, the times, the picture, and what is left out.

use serde_json::Value;
use warroom::report::incident::{Incident, html, json, markdown};
use warroom::text::MaskRule;

use crate::program::{run, warroom};
use crate::told::{Room, founding, planned};

fn incident(mask: Option<&[MaskRule]>) -> Incident {
    let home = tempfile::tempdir().expect("a folder");
    let room = founding(home.path());
    let contents = warroom::journal::read(room.journal.path()).expect("a record");
    Incident::of(&contents, mask).expect("it begins like one")
}

#[test]
fn it_says_what_was_seen_decided_and_done_by_whom_and_how_long_it_took() {
    let report = markdown(&incident(None));
    for phrase in [
        "# Incident: prod-use1/llm-serving/Deployment vllm-runtime",
        "RB-6 came to its end in resolved",
        "| acknowledge | 2m10s |",
        "| diagnose | 2m10s |",
        "| mitigate | 2m51s |",
        "| verify |",
        "**decided** triage -> deploy, as recommended (ada@bastion)",
        "because revision 42 came first",
        "**decided** verify -> resolved",
        "**done** undo to revision 41 (rollout_undo): done (ada@bastion)",
        "kubectl -n llm-serving rollout undo deployment/vllm-runtime --to-revision=41",
        "**seen** recovered",
        "**noted** tell the model team",
        "rollout:",
    ] {
        assert!(report.contains(phrase), "no '{phrase}' in\n{report}");
    }
    let at = |phrase: &str| report.find(phrase).expect(phrase);
    assert!(at("triage -> deploy") < at("deploy -> rollback") && at("deploy -> rollback") < at("verify -> resolved"));
}

#[test]
fn secrets_and_the_bytes_of_requests_are_left_out() {
    let told = incident(None);
    for out in [markdown(&told), html(&told), json(&told).to_string()] {
        assert!(!out.contains("secretsecret"), "{out}");
        assert!(!out.contains("/metadata/uid"), "{out}");
        assert!(out.contains("(left out)"));
    }
}

#[test]
fn names_are_left_out_where_that_is_asked_for_and_stay_the_same_word() {
    let told = incident(Some(&MaskRule::ALL));
    for out in [markdown(&told), html(&told), json(&told).to_string()] {
        for name in ["llm-serving", "prod-use1", "ada", "bastion", "gpu-node-a"] {
            assert!(!out.contains(name), "{name} in\n{out}");
        }
        assert!(out.contains("person-1") && out.contains("namespace-1"), "{out}");
    }
}

#[test]
fn the_page_stands_for_itself_and_its_picture_has_marks() {
    let page = html(&incident(None));
    assert!(page.starts_with("<!doctype html>") && page.ends_with("</html>\n"));
    assert!(page.contains("<svg") && page.contains("undo to revision 41</text>"), "{page}");
    assert!(page.contains("target 1.00 s"));
    assert!(page.contains("&lt;b&gt;broke&lt;/b&gt;"), "what was typed is no markup");
    for fetched in ["src=", "href=", "<script", "url(", "@import"] {
        assert!(!page.contains(fetched), "{fetched}");
    }
}

#[test]
fn programs_get_one_object() {
    let report = json(&incident(None));
    assert_eq!(report["schema"], "warroom.report/1");
    assert_eq!(report["runbook"]["state"], "resolved");
    assert_eq!(report["times"]["mitigate"]["after_s"], 171.0);
    assert!(report["timeline"].as_array().is_some_and(|t| t.len() > 10));
    assert!(report["series"].as_array().is_some_and(|s| !s.is_empty()));
    assert_eq!(report["unanswered"], serde_json::json!([]));
}

#[test]
fn the_command_prints_each_format_and_refuses_what_is_no_record() {
    let home = tempfile::tempdir().expect("a folder");
    let mut room = Room::open(home.path(), warroom::domain::At(1_780_902_000_000));
    room.after(5.0).write(planned(3, false));
    let path = room.journal.path().to_str().expect("UTF-8").to_owned();
    let markdown = run(&mut warroom(["report", &path]));
    assert_eq!(markdown.code, Some(0), "{}", markdown.stderr);
    assert!(markdown.stdout.contains("**Outcome not on record:** undo vllm-runtime"), "{}", markdown.stdout);
    assert!(markdown.stdout.contains("RB-6 stands in triage: it was not brought to an end"));
    let json = run(&mut warroom(["report", &path, "-o", "json"]));
    assert_eq!(serde_json::from_str::<Value>(&json.stdout).expect("JSON")["schema"], "warroom.report/1");
    assert!(run(&mut warroom(["report", &path, "-o", "html"])).stdout.starts_with("<!doctype html>"));

    let junk = home.path().join("junk.jsonl");
    std::fs::write(&junk, "junk\n").expect("a file");
    let refused = run(&mut warroom(["report".as_ref(), junk.as_os_str()]));
    assert_eq!((refused.code, refused.stdout.as_str()), (Some(2), ""));
    assert!(refused.stderr.contains("is no record of an incident"), "{}", refused.stderr);
    let missing = run(&mut warroom(["report", "/nonexistent/x.jsonl"]));
    assert!(missing.stderr.contains("cannot be read"), "{}", missing.stderr);
}
