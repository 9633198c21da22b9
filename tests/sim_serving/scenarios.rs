use crate::fleet::Fleet;
use warroom::sim::scenario::Scenario;

#[test]
#[ignore = "prints"]
fn look() {
    let name = std::env::var("SCENARIO").unwrap_or("bad-rollout".into());
    let file = format!("assets/scenarios/{name}.toml");
    let scenario = Scenario::read(&file, &std::fs::read_to_string(&file).unwrap()).unwrap();
    let mut fleet = Fleet::new(&scenario, 7);
    let start = std::time::Instant::now();
    let opens = scenario.opens_s();
    let mut t = 600.0;
    while t < opens + 1200.0 {
        let step = if t < opens - 1500.0 { 600.0 } else { 120.0 };
        let w = fleet.between(t, t + step);
        println!("{:6.0} {}", t + step - opens, w.line());
        t += step;
    }
    println!("{:?}", start.elapsed());
    for (t, l) in &fleet.log {
        println!("{:.0} {l}", t - opens);
    }
}
