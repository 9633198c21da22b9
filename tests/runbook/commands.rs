//! `warroom runbook …`, as it is typed.

use std::fs;

use crate::program::{run, warroom};
use crate::told::MADE_UP;

#[test]
fn runbooks_are_listed_and_drawn_with_checks_levers_and_what_was_added() {
    let list = run(&mut warroom(["runbook", "list"]));
    assert_eq!(list.code, Some(0), "{}", list.stderr);
    for id in ["RB-6", "RB-8", "gpu-fault"] {
        assert!(list.stdout.contains(id), "{}", list.stdout);
    }
    let show = run(&mut warroom(["runbook", "show", "rb-6", "--ascii"]));
    assert_eq!(show.code, Some(0), "{}", show.stderr);
    assert!(show.stdout.is_ascii());
    for phrase in [
        "o triage: is it real",
        "checks counted_not_averaged",
        "lever  shed_load",
        "-> deploy ",
        "+*-> gateway",
        "[] resolved: ",
        "diverted (RB-8)",
        "from any state: rollout_undo -> rollback",
        "burn_short_under_one passes",
    ] {
        assert!(show.stdout.contains(phrase), "no '{phrase}' in\n{}", show.stdout);
    }
    assert!(show.stdout.lines().all(|l| l.chars().count() <= 100), "{}", show.stdout);
    let unknown = run(&mut warroom(["runbook", "show", "RB-9"]));
    assert_eq!(unknown.code, Some(2));
    assert!(unknown.stderr.contains("there is no runbook 'RB-9', did you mean 'RB-6'?"), "{}", unknown.stderr);
}

#[test]
fn a_file_is_linted_and_the_users_own_are_used() {
    let home = tempfile::tempdir().expect("a folder");
    let path = home.path().join("kettle.toml");
    fs::write(&path, MADE_UP).expect("a file");
    let lint = run(warroom(["runbook", "lint"]).arg(&path));
    assert_eq!(lint.code, Some(0), "{}", lint.stderr);
    assert!(lint.stdout.contains("is right: KETTLE with 5 states and 5 edges"), "{}", lint.stdout);
    fs::write(&path, MADE_UP.replace("gu", "ug")).expect("a file");
    let wrong = run(warroom(["runbook", "lint"]).arg(&path));
    assert_eq!((wrong.code, wrong.stdout.as_str()), (Some(2), ""));
    assert!(wrong.stderr.contains("kettle.toml' line ") && wrong.stderr.contains("did you mean 'guard'?"));

    let own = home.path().join("warroom/runbooks");
    fs::create_dir_all(&own).expect("a folder");
    fs::write(own.join("kettle.toml"), MADE_UP).expect("a file");
    let listed = run(warroom(["runbook", "list"]).env("XDG_CONFIG_HOME", home.path()));
    assert!(listed.stdout.contains("KETTLE") && listed.code == Some(0), "{}{}", listed.stdout, listed.stderr);
    fs::write(own.join("bad.toml"), "extends = \"RB-6\"\nfoo = 1\n").expect("a file");
    let told = run(warroom(["runbook", "list"]).env("XDG_CONFIG_HOME", home.path()));
    assert!(told.stdout.contains("RB-6") && told.stderr.contains("unknown key 'foo'"), "{}", told.stderr);
    assert_eq!(told.code, Some(2));
}
