//! An API server that goes away under the real program: the screen answers keys, ages, costs next to nothing, and comes back.

use std::fs;
use std::thread;
use std::time::Duration;

use tokio::runtime::Builder;
use warroom::clock;
use warroom::sim::serve::{Options, serve};

use crate::faults::{Fault, Line};
use crate::program::{Program, Start};
use crate::sim;

/// How long it is looked at what it costs.
const LOOK: Duration = Duration::from_secs(5);
/// Of one core, while there is nobody to talk to.
const MOST_IDLE: f64 = 0.02;

/// The oldest age on the screen (s), as the header has it.
fn oldest(screen: &str) -> Option<f64> {
    let head = screen.lines().next()?;
    let (_, after) = head.split_once("oldest").or_else(|| head.split_once("stale"))?;
    let age = after.split_whitespace().find(|word| word.starts_with(|c: char| c.is_ascii_digit()))?;
    let (minutes, seconds) = age.split_once('m').unwrap_or(("0", age));
    let number = |text: &str| text.trim_end_matches('s').parse::<f64>().unwrap_or(0.0);
    Some(60.0 * number(minutes) + number(seconds))
}

/// The share of one core that it takes, over the first of three looks that is quiet enough: another process may make it
/// work, nothing makes it rest.
fn share(program: &Program) -> f64 {
    let mut share = f64::MAX;
    for _ in 0..3 {
        let (begun, before) = (clock::monotonic(), program.cpu_ticks());
        thread::sleep(LOOK);
        share = (program.cpu_ticks() - before) as f64 / 100.0 / clock::monotonic().duration_since(begun).as_secs_f64();
        if share <= MOST_IDLE {
            break;
        }
    }
    share
}

#[test]
fn while_the_api_server_is_away_the_screen_lives_ages_rests_and_comes_back() {
    let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("threads");
    let handle = runtime
        .block_on(serve(sim::setup(), |_| sim::engines(0.0), Options::default()))
        .expect("a simulated cluster opens");
    let line = Line::to(&handle.url);
    let home = tempfile::tempdir().expect("a folder");
    let kubeconfig = home.path().join("kubeconfig");
    fs::write(&kubeconfig, line.kubeconfig(&handle.kubeconfig(), &handle.url)).expect("a kubeconfig");
    let text = |path: &std::path::Path| path.to_str().expect("UTF-8").to_owned();
    let start = Start::warroom([format!("deploy/{}", sim::NAME)]).size(110, 32);
    let program = start.env("KUBECONFIG", &text(&kubeconfig)).env("HOME", &text(home.path())).start();
    program.until("young data", |seen| oldest(&seen.parser.screen().contents()).is_some_and(|age| age < 8.0));
    line.does(Fault::Cut);
    program.until("old data", |seen| oldest(&seen.parser.screen().contents()).is_some_and(|age| age > 10.0));
    program.key("p");
    program.until_text("Replicas (2");
    program.key("s");
    program.until_text("stale");
    let share = share(&program);
    assert!(share <= MOST_IDLE, "{:.2}% of a core while nobody answers", 100.0 * share);
    program.until("older data", |seen| oldest(&seen.parser.screen().contents()).is_some_and(|age| age > 20.0));
    line.does(Fault::None);
    program.until("young data again", |seen| {
        let screen = seen.parser.screen().contents();
        oldest(&screen).is_some_and(|age| age < 8.0) && !screen.contains("stale")
    });
    program.key("\x03");
    program.ended().in_order(130);
}
