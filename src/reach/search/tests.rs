//! What a search tries, and what it tells.

use super::*;

const REFUSED: Failure = Failure::Refused;
const SILENT: Failure = Failure::TimedOut { connected: true, after_ms: 3000 };

fn denied(what: &str) -> Failure {
    Failure::Other(format!("not allowed: {what}"))
}

fn by(via: Via) -> Reached {
    Reached { via: Some(via), ..Reached::default() }
}

fn auto() -> Search {
    Search::new(None, true, &Reached::default())
}

/// One attempt in which ways do this; what was tried, and what is told where nothing answered.
fn attempt(search: &mut Search, does: impl Fn(Via) -> Result<(), (Failure, Blame)>) -> (Vec<Via>, Option<Failure>) {
    let mut tried = Vec::new();
    search.begin();
    while let Some(via) = search.next() {
        tried.push(via);
        match does(via) {
            Ok(()) => {
                search.answered(via);
                return (tried, None);
            }
            Err((failure, blame)) => {
                if let Then::Tell(failure) = search.lost(via, failure, blame) {
                    return (tried, Some(failure));
                }
            }
        }
    }
    (tried, Some(search.ended()))
}

#[test]
fn a_way_that_is_forbidden_is_left_for_the_next_one_which_is_remembered() {
    let mut search = auto();
    let does = |via| if via == Via::Proxy { Err((denied("proxy"), Blame::Way)) } else { Ok(()) };
    assert_eq!(attempt(&mut search, does), (vec![Via::Proxy, Via::PortForward], None));
    for _ in 0..20 {
        assert_eq!(attempt(&mut search, does).0, [Via::PortForward], "nobody asks again what is known");
    }
    let reached = search.reached();
    assert_eq!(reached.via, Some(Via::PortForward));
    assert_eq!(reached.instead_of().as_deref(), Some("pods/proxy: not allowed: proxy"));
}

#[test]
fn a_remembered_way_that_stops_to_lead_there_is_looked_for_anew_at_once() {
    let mut search = Search::new(None, true, &by(Via::PortForward));
    assert_eq!(attempt(&mut search, |_| Ok(())).0, [Via::PortForward], "what is remembered comes first");
    let now = |via| if via == Via::Proxy { Ok(()) } else { Err((denied("forward"), Blame::Way)) };
    assert_eq!(attempt(&mut search, now), (vec![Via::PortForward, Via::Proxy], None));
    assert_eq!(attempt(&mut search, now).0, [Via::Proxy]);
}

#[test]
fn the_api_servers_own_troubles_change_no_way() {
    let mut search = auto();
    attempt(&mut search, |via| if via == Via::Proxy { Err((denied("proxy"), Blame::Way)) } else { Ok(()) });
    let gone = || Failure::Other("the API server cannot be reached".to_owned());
    for _ in 0..50 {
        assert_eq!(attempt(&mut search, |_| Err((gone(), Blame::Neither))), (vec![Via::PortForward], Some(gone())));
    }
    assert_eq!(attempt(&mut search, |_| Ok(())), (vec![Via::PortForward], None));
}

#[test]
fn where_no_way_leads_there_all_reasons_are_told_and_searches_become_rare() {
    let mut search = auto();
    let none = |via: Via| Err((denied(via.code()), Blame::Way));
    let (tried, told) = attempt(&mut search, none);
    assert_eq!(tried, [Via::Proxy, Via::PortForward, Via::Direct]);
    let all = "pods/proxy: not allowed: proxy; port-forward: not allowed: port-forward; direct: not allowed: direct";
    assert_eq!(told, Some(Failure::Other(all.to_owned())));
    let mut between = Vec::new();
    let mut since = 0;
    for _ in 0..60 {
        let (tried, told) = attempt(&mut search, none);
        assert_eq!(told, Some(Failure::Other(all.to_owned())), "the same is told in between");
        if tried.len() == 1 {
            assert_eq!(tried, [Via::Proxy]);
            since += 1;
        } else {
            between.push(since);
            since = 0;
        }
    }
    assert_eq!(between, [1, 3, 7, 12, 12, 12]);
    assert_eq!(search.reached().via, None);
}

#[test]
fn a_port_that_refuses_is_looked_for_inside_of_the_pod_and_not_along_other_ways_to_the_same_address() {
    let mut search = auto();
    let loads = |_| Err((REFUSED, Blame::Closed));
    assert_eq!(attempt(&mut search, loads), (vec![Via::Proxy, Via::PortForward], Some(REFUSED)));
    // As soon as it listens, the first way finds it.
    assert_eq!(attempt(&mut search, |_| Ok(())), (vec![Via::Proxy], None));
    // From then on a refusal is its own: it has crashed, and loads again.
    for _ in 0..50 {
        assert_eq!(attempt(&mut search, loads), (vec![Via::Proxy], Some(REFUSED)));
    }
    let mut search = auto();
    let inside_alone = |via| if via == Via::PortForward { Ok(()) } else { Err((REFUSED, Blame::Closed)) };
    assert_eq!(attempt(&mut search, inside_alone), (vec![Via::Proxy, Via::PortForward], None));
}

#[test]
fn a_port_that_refuses_is_told_so_even_where_the_next_way_is_forbidden() {
    let mut search = auto();
    let does = |via: Via| {
        if via == Via::Proxy { Err((REFUSED, Blame::Closed)) } else { Err((denied("forward"), Blame::Way)) }
    };
    assert_eq!(attempt(&mut search, does), (vec![Via::Proxy, Via::PortForward], Some(REFUSED)));
}

#[test]
fn silence_on_a_way_that_never_led_there_leads_to_the_next_one_in_the_next_attempt() {
    let mut search = auto();
    search.begin();
    assert_eq!(search.next(), Some(Via::Proxy));
    assert_eq!(search.lost(Via::Proxy, SILENT, Blame::Silent), Then::Next);
    // The silence has taken all the time there was.
    let next = search.next().expect("a port-forward");
    search.postpone(next);
    assert_eq!(search.ended(), SILENT);
    let (tried, told) = attempt(&mut search, |_| Ok(()));
    assert_eq!((tried, told), (vec![Via::PortForward], None));
}

#[test]
fn a_pod_that_falls_silent_puts_its_way_in_doubt_only_after_a_while() {
    let mut search = auto();
    attempt(&mut search, |_| Ok(()));
    let silent = |_| Err((SILENT, Blame::Silent));
    for _ in 0..DOUBTS {
        assert_eq!(attempt(&mut search, silent), (vec![Via::Proxy], Some(SILENT)));
    }
    let walled = |via| if via == Via::PortForward { Ok(()) } else { Err((SILENT, Blame::Silent)) };
    assert_eq!(attempt(&mut search, walled), (vec![Via::Proxy, Via::PortForward], None));
}

#[test]
fn a_refusal_at_an_address_that_may_be_anybodys_is_not_the_pods_until_it_has_answered_there() {
    let mut search = auto();
    let does = |via: Via| {
        if via == Via::Direct { Err((REFUSED, Blame::Closed)) } else { Err((denied(via.code()), Blame::Way)) }
    };
    let (tried, told) = attempt(&mut search, does);
    assert_eq!(tried, Via::ALL);
    assert!(matches!(&told, Some(Failure::Other(why)) if why.contains("direct: connection refused")), "{told:?}");
    // The next search may be some attempts away.
    while search.reached().via.is_none() {
        attempt(&mut search, |via| if via == Via::Direct { Ok(()) } else { Err((denied(via.code()), Blame::Way)) });
    }
    assert_eq!(attempt(&mut search, does), (vec![Via::Direct], Some(REFUSED)));
    let mut search = Search::new(Some(Via::Direct), true, &Reached::default());
    assert_eq!(attempt(&mut search, does), (vec![Via::Direct], Some(REFUSED)), "whoever chose it knows whose it is");
}

#[test]
fn a_refusal_by_rbac_is_told_by_what_mends_it() {
    let said = "not allowed: pods \"a\" is forbidden: User \"x\" cannot get resource \"pods/proxy\"; allow 'get' on 'pods/proxy'";
    assert_eq!(brief(said), "not allowed; allow 'get' on 'pods/proxy'");
    let said = "not allowed: admission webhook \"no\" denied the request: never";
    assert_eq!(brief(said), said);
}

#[test]
fn a_way_that_was_chosen_is_the_only_one() {
    for via in Via::ALL {
        let mut search = Search::new(Some(*via), true, &by(Via::Proxy));
        for _ in 0..20 {
            let (tried, told) = attempt(&mut search, |_| Err((denied("x"), Blame::Way)));
            assert_eq!((tried, told), (vec![*via], Some(denied("x"))));
        }
    }
    let mut search = Search::new(None, false, &by(Via::Direct));
    let (tried, _) = attempt(&mut search, |_| Err((denied("x"), Blame::Way)));
    assert_eq!(tried, [Via::Proxy, Via::PortForward], "without an address there is no straight way");
}
