//! What a runbook's file may say, and how it is refused.

use warroom::domain::Action;
use warroom::runbook::{Catalogue, Check, Guard, Runbook};

use crate::told::MADE_UP;

#[test]
fn every_runbook_that_comes_with_the_program_loads() {
    let catalogue = Catalogue::embedded();
    assert!(catalogue.refused.is_empty(), "{:?}", catalogue.refused);
    let ids: Vec<&str> = catalogue.books.iter().map(|b| b.runbook.id.as_str()).collect();
    assert_eq!(ids, ["RB-6", "RB-8", "gpu-fault"]);
}

#[test]
fn every_way_out_that_diverts_leads_into_a_runbook_with_first_steps() {
    let catalogue = Catalogue::embedded();
    let rb_6 = &catalogue.get("rb-6").expect("either case will do").runbook;
    let diverts: Vec<&str> = rb_6.edges.iter().filter_map(|e| e.divert.as_deref()).collect();
    assert_eq!(diverts, ["RB-8", "gpu-fault"]);
    for divert in diverts {
        let book = &catalogue.get(divert).expect("it is there").runbook;
        assert!(!book.state(&book.start).expect("a start").steps.is_empty(), "{divert} begins with steps");
    }
}

#[test]
fn a_mistake_is_refused_with_file_line_and_the_nearest_word() {
    let line = |phrase: &str| 1 + MADE_UP.lines().position(|l| l.contains(phrase)).expect("it is there");
    for (from, to, expected) in [
        ("to = \"pull\"\nguard", "to = \"pul\"\nguard", "'pul' is no state of it, did you mean 'pull'?"),
        ("start = \"look\"", "start = \"lok\"", "'lok' is no state of it, did you mean 'look'?"),
        (
            "guard = \"always\"\nwhen = \"it is",
            "gaurd = \"always\"\nwhen = \"it is",
            "unknown key 'gaurd' in an [[edge]], did you mean 'guard'?",
        ),
        (
            "guard = \"always\"\nwhen = \"it is",
            "guard = \"alway\"\nwhen = \"it is",
            "'alway' is no guard, did you mean 'always'?",
        ),
        (
            "checks = [\"tokens_flow\"]",
            "checks = [\"token_flow\"]",
            "'token_flow' is no check, did you mean 'tokens_flow'?",
        ),
        (
            "action = \"delete_pod\"",
            "action = \"delete_pods\"",
            "'delete_pods' is no action, did you mean 'delete_pod'?",
        ),
        (
            "kind = \"end\"\nmeans = \"resolved\"",
            "kind = \"ende\"\nmeans = \"resolved\"",
            "'ende' is no kind, did you mean 'end'?",
        ),
        ("kind = \"end\"\nmeans = \"resolved\"\n", "", "state 'tea' has no way out"),
        ("decides = \"tea\"", "", "state 'tea' has no 'decides'"),
        ("verifies = true", "verifies = \"yes\"", "'verifies' must be true or false"),
        ("title = \"The kettle is cold\"", "", "a runbook has no 'title'"),
        ("name = \"taste\"", "name = \"pull\"", "state 'pull' is there twice"),
        ("returns = [\"taste\"]", "returns = [\"tast\"]", "'tast' is no state of it, did you mean 'taste'?"),
        (
            "when = \"it hums\"",
            "when = \"it hums\"\ndivert = \"RB-8\"",
            "a divert leads to an end, and 'taste' is none",
        ),
        ("to = \"shop\"\nwhen", "to = \"pull\"\nwhen", "the edge from 'look' to 'pull' is there twice"),
        ("trigger = ", "trigger = = ", "not valid TOML"),
    ] {
        let text = MADE_UP.replacen(from, to, 1);
        assert_ne!(text, MADE_UP, "{from}");
        let error = Runbook::parse("kettle.toml", &text).expect_err(expected).to_string();
        assert!(error.contains(expected), "expected: {expected}\nsaid: {error}");
        assert!(error.starts_with("'kettle.toml' line "), "{error}");
    }
    let said = Runbook::parse("kettle.toml", &MADE_UP.replacen("text = \"off", "txt = \"off", 1)).expect_err("a typo");
    assert_eq!(said.problems[0].line, line("action = \"rollout_restart\"") - 1, "a lever begins at its header: {said}");
    let typo = said.problems.iter().find(|p| p.says.contains("unknown key 'txt'")).expect("it is named");
    assert_eq!(typo.line, line("text = \"off and on"), "and the key where it stands");
}

#[test]
fn all_mistakes_are_told_at_once_from_the_top() {
    let text = MADE_UP.replace("tokens_flow", "tokens_flew").replace("when = \"it hums\"", "wen = \"it hums\"");
    let error = Runbook::parse("kettle.toml", &text).expect_err("three mistakes");
    let lines: Vec<usize> = error.problems.iter().map(|p| p.line).collect();
    assert!(lines.len() >= 3 && lines.is_sorted(), "{error}");
}

#[test]
fn a_state_that_nobody_reaches_is_refused() {
    let lonely = format!("{MADE_UP}\n[[state]]\nname = \"attic\"\nkind = \"end\"\ndecides = \"dust\"\n");
    let error = Runbook::parse("kettle.toml", &lonely).expect_err("nobody gets there").to_string();
    assert!(error.contains("state 'attic' cannot be reached from the start"), "{error}");
}

#[test]
fn escape_sequences_in_a_file_reach_no_terminal() {
    let text = MADE_UP.replace("nobody has tea", "nobody\\u001b[2J has tea").replace("always", "al\\u001bways");
    let error = Runbook::parse("kettle\x1b[2J.toml", &text).expect_err("no guard").to_string();
    assert!(!error.contains('\x1b'), "{error:?}");
}

#[test]
fn an_operators_file_takes_the_place_of_the_one_with_its_id() {
    let mine = MADE_UP.replace("KETTLE", "RB-6");
    let catalogue = Catalogue::with(&[("mine.toml".to_owned(), mine)]);
    let loaded = catalogue.get("RB-6").expect("it is there");
    assert_eq!((loaded.embedded, loaded.runbook.title.as_str()), (false, "The kettle is cold"));
    assert_eq!(catalogue.books.len(), 3);
}

#[test]
fn an_operators_file_adds_states_edges_checks_and_levers_to_one() {
    let mine = r#"
        extends = "RB-6"
        [[state]]
        name = "verify"
        checks = ["errors_low"]
        [[state]]
        name = "vendor"
        decides = "who is called"
        steps = ["call the vendor"]
        [[state]]
        name = "levers"
        [[state.lever]]
        action = "shed_load"
        text = "the gold tenants stay"
        [[edge]]
        from = "levers"
        to = "vendor"
        guard = "still_breached"
        when = "nothing helps"
        [[edge]]
        from = "vendor"
        to = "verify"
        when = "they mended it"
    "#;
    let catalogue = Catalogue::with(&[("mine.toml".to_owned(), mine.to_owned())]);
    assert!(catalogue.refused.is_empty(), "{:?}", catalogue.refused);
    let book = &catalogue.get("RB-6").expect("it is there").runbook;
    let first = book.edges_from("levers").next().expect("a way out");
    assert_eq!((first.to.as_str(), first.from_file.as_deref()), ("vendor", Some("mine.toml")), "tried first");
    assert!(book.state("verify").expect("a state").checks.ends_with(&[Check::ErrorsLow]));
    let levers = &book.state("levers").expect("a state").levers;
    assert_eq!(levers.iter().filter(|l| l.action == Action::ShedLoad).count(), 1, "the same lever, other words");
    assert_eq!(levers[0].text, "the gold tenants stay");
    assert_eq!(book.edges_from("triage").count(), crate::told::rb_6().edges_from("triage").count());
}

#[test]
fn a_wrong_file_is_told_and_leaves_what_was_there() {
    let catalogue = Catalogue::with(&[
        ("a.toml".to_owned(), "extends = \"RB-9\"".to_owned()),
        ("b.toml".to_owned(), "id = \"RB-6\"\nfoo = 1\n".to_owned()),
    ]);
    assert!(catalogue.get("RB-6").expect("it stays").embedded);
    let said: Vec<String> = catalogue.refused.iter().map(ToString::to_string).collect();
    assert!(said[0].contains("'a.toml'") || said[1].contains("'a.toml'"), "{said:?}");
    assert!(said.iter().any(|s| s.contains("there is no runbook 'RB-9': there are RB-6, RB-8, gpu-fault")), "{said:?}");
    assert!(said.iter().any(|s| s.contains("'b.toml' line 2: unknown key 'foo'")), "{said:?}");
}

#[test]
fn every_word_of_the_vocabulary_is_used_by_a_runbook_that_comes_with_the_program() {
    let catalogue = Catalogue::embedded();
    let all = || catalogue.books.iter().map(|b| &b.runbook);
    for check in Check::ALL {
        assert!(all().flat_map(|b| &b.states).any(|s| s.checks.contains(check)), "no state asks {check}");
    }
    // These two are parts of `hardware_suspect`, for whoever wants them apart.
    for guard in Guard::ALL.iter().filter(|g| **g != Guard::EngineStalled) {
        assert!(all().flat_map(|b| &b.edges).any(|e| e.guard == Some(*guard)), "no edge has {guard}");
    }
}

proptest::proptest! {
    #[test]
    fn a_file_with_bytes_flipped_is_read_or_refused_with_a_line(
        flips in proptest::collection::vec((proptest::prelude::any::<proptest::sample::Index>(), proptest::prelude::any::<char>()), 1..12),
    ) {
        let mut text: Vec<char> = MADE_UP.chars().collect();
        for (index, c) in flips {
            let at = index.index(text.len());
            text[at] = c;
        }
        let text: String = text.into_iter().collect();
        if let Err(error) = Runbook::parse("kettle.toml", &text) {
            proptest::prop_assert!(!error.problems.is_empty());
            let lines = text.lines().count().max(1);
            for problem in &error.problems {
                proptest::prop_assert!((1..=lines).contains(&problem.line), "{}", problem);
            }
            proptest::prop_assert!(!error.to_string().contains('\x1b'), "an escape sequence");
        }
    }
}
