//! The founding incident, from the verdict to the end.

use warroom::domain::Verdict;
use warroom::sim::scenario::Scenario;

use crate::room::{Opening, Room};

fn show(room: &Room, t0: f64) {
    let d = room.d();
    let now = room.now().0 as f64/1000.0 - t0;
    let seen = room.run().seen.as_ref();
    let last = d.series.last();
    println!("{now:.0} {} {:?} until {:?} since {:?} adv {:?}\n   {}\n   undo {:?}\n  suspect {:?}\n last late {:?}", room.state(), d.verdict, d.until.map(|a| a.0 as f64/1000.0 - t0), d.since.map(|a| a.0 as f64/1000.0 - t0),
      seen.and_then(|s| s.advised.as_ref().map(|a| a.edge.clone())), d.sentence,
      d.levers.iter().filter(|l| l.action.code().contains("undo")|| l.action.code()=="scale").map(|l| (l.action.code(), l.helps, &l.why)).collect::<Vec<_>>(), d.suspect.as_ref().map(|s| (s.phase,s.mechanism,s.cause)), last.map(|l| (l.ttft_late, l.ttft_count)));
    if room.state()=="verify" { for c in &seen.unwrap().checks { println!("     {:?} {} {}", c.outcome, c.check.code(), c.says); } }
}

#[test]
fn draft() {
    let scenario = Scenario::named("bad-rollout").expect("a scenario");
    let mut room = Room::open(&scenario, Opening { read_before_s: 4200.0, ..Opening::default() });
    let t0 = room.now().0 as f64 / 1000.0;
    assert_eq!(room.d().verdict, Verdict::Breach);
    show(&room, t0);
    room.keys("enter");
    show(&room, t0);
    room.keys("enter");
    room.keys("enter");
    show(&room, t0);
    println!("{:?}", room.told);
    room.keys("U");
    if let Some(card)=room.app.card() { println!("{:?} {:?} {:?}", card.helps, card.caution, warroom::action::card::card(card.plan().unwrap(), card.tried())); }
    room.keys("Y");
    for _ in 0..200 {
        room.pass(5.0);
        show(&room, t0);
        if room.run().seen.as_ref().is_some_and(|s| s.advised.is_some()) { room.keys("enter"); }
        if room.state()=="resolved" {break;}
    }
}
