//! Other choices, and other incidents.

use crate::room::{Opening, Room, scenario};

fn show(room: &Room, t0: f64) {
    let d = room.d();
    let now = room.now().0 as f64 / 1000.0 - t0;
    let seen = room.app.run().and_then(|r| r.seen.as_ref());
    println!(
        "{now:.0} {} {:?} until {:?} late {:?} adv {:?}\n   {}\n   levers {:?}\n  suspect {:?}",
        room.state(),
        d.verdict,
        d.until.map(|a| a.0 as f64 / 1000.0 - t0),
        room.late(),
        seen.and_then(|s| s.advised.as_ref().map(|a| (a.edge.clone(), a.why.clone()))),
        d.sentence,
        d.levers.iter().map(|l| (l.action.code(), l.helps, &l.why)).collect::<Vec<_>>(),
        d.suspect.as_ref().map(|s| (s.phase, s.mechanism, s.cause, s.subject.clone()))
    );
    if let Some(seen) = seen {
        for w in &seen.ways {
            println!("    way {} {:?} {}", w.edge, w.holds, w.why);
        }
        if room.state() == "verify" {
            for c in &seen.checks {
                println!("     {:?} {} {}", c.outcome, c.check.code(), c.says);
            }
        }
    }
    if let Some(card) = room.app.card() {
        println!(
            "  CARD {:?} helps {:?} caution {:?} alt {:?} stage {:.300}",
            card.action,
            card.helps,
            card.caution,
            card.alternatives(),
            format!("{:?}", card.stage)
        );
        if let Some(plan) = card.plan() {
            for p in warroom::action::card::card(plan, card.tried()) {
                println!("      {} {:?}", p.label, p.lines);
            }
        }
    }
    println!("  acting {:?}", room.action.last());
}

#[test]
fn draft_scale() {
    let mut room = Room::open(&scenario("bad-rollout"), Opening::default());
    let t0 = room.now().0 as f64 / 1000.0;
    room.keys("S");
    show(&room, t0);
    room.keys("enter");
    show(&room, t0);
    room.keys("Y");
    for _ in 0..14 {
        room.pass(60.0);
        show(&room, t0);
        if room.run().seen.as_ref().is_some_and(|s| s.advised.is_some()) && room.state() != "deploy" {
            room.keys("enter");
        }
    }
    room.keys("a");
    for i in room.app.items() {
        println!("{i:?}");
    }
    room.keys("enter");
    show(&room, t0);
    println!("{}", room.story());
}
#[test]
fn draft_wait() {
    let mut room = Room::open(&scenario("bad-rollout"), Opening::default());
    let t0 = room.now().0 as f64 / 1000.0;
    room.keys("enter enter");
    room.keys("> enter");
    println!("{:?}", room.app.prompt());
    room.types("wait and see");
    room.keys("enter");
    show(&room, t0);
    room.keys("esc enter");
    for _ in 0..8 {
        room.pass(60.0);
        show(&room, t0);
    }
    println!("{}", room.story());
}
#[test]
fn draft_innocent() {
    let mut room = Room::open(&scenario("innocent-deploy"), Opening::default());
    let t0 = room.now().0 as f64 / 1000.0;
    show(&room, t0);
    for _ in 0..10 {
        room.keys("enter");
        show(&room, t0);
        room.pass(60.0);
    }
    println!("{}", room.story());
}
#[test]
fn draft_thermal() {
    let mut room = Room::open(&scenario("thermal"), Opening::default());
    let t0 = room.now().0 as f64 / 1000.0;
    show(&room, t0);
    room.keys("enter");
    show(&room, t0);
    room.keys("a");
    for i in room.app.items() {
        println!("{i:?}");
    }
    room.keys("enter");
    show(&room, t0);
    room.keys("Y");
    room.pass(60.0);
    show(&room, t0);
    room.keys("esc esc enter");
    show(&room, t0);
    room.keys("a");
    for i in room.app.items() {
        println!("{i:?}");
    }
    room.keys("enter");
    show(&room, t0);
    room.keys("Y");
    room.pass(10.0);
    show(&room, t0);
    println!("{}", room.story());
}
