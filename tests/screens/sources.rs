//! The sources where pages do not come on the first way: on which they come, why, and what it costs the cluster.

use warroom::app::{App, Command, Event, Settings};
use warroom::domain::{Budget, Reached, Via};

use crate::screen::{Story, breach, judged, look};
use crate::text;

const DENIED: &str = "not allowed; allow 'get' on 'pods/proxy'";

/// The breach, where nobody may use pods/proxy; the first engine is reached from nowhere but here.
fn forwarded() -> Story {
    let mut story = breach();
    for (nth, endpoint) in story.snapshot.endpoints.iter_mut().enumerate() {
        let mut failed = vec![(Via::Proxy, DENIED.to_owned())];
        if nth == 0 {
            failed.push((Via::PortForward, "error dialing backend: i/o timeout".to_owned()));
        }
        let via = Some(if nth == 0 { Via::Direct } else { Via::PortForward });
        endpoint.reached = Some(Reached { via, failed });
    }
    story
}

fn room(story: &Story) -> App {
    let budget = Some(Budget { interval_s: 5.0, timeout_s: 3.0, at_once: 32 });
    let settings = Settings { budget, ..Settings::new(story.snapshot.clone(), story.policy.clone()) };
    let mut app = App::new(settings);
    app.update(Event::Tick(story.snapshot.now));
    app.judged(judged(story));
    app.update(Event::Tick(story.snapshot.now.plus(1.0)));
    app
}

#[test]
fn the_sources_say_on_which_way_pages_come_and_why_and_what_it_costs_the_cluster() {
    let story = forwarded();
    for (columns, rows) in [(80, 24), (120, 36)] {
        let shown = text(&mut room(&story), &look(), &[Command::Sources], columns, rows);
        assert!(shown.contains("via port-forward, for pods/proxy: not allowed"), "{shown}");
        assert!(shown.contains("requests a second"), "{shown}");
        insta::assert_snapshot!(format!("forwarded-sources-{columns}x{rows}"), shown);
    }
    // A replay asks nobody for anything.
    let replayed = text(&mut crate::room(&story), &look(), &[Command::Sources], 120, 36);
    assert!(replayed.contains("via port-forward") && !replayed.contains("requests a second"), "{replayed}");
}
