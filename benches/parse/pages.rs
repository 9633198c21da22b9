//! The pages that are measured: a real one, and what eight engines behind one port would make of it.

const REAL: &str = include_str!("../../tests/fixtures/pages/vllm-0.32.0-queue.prom");

/// Each page with its name.
pub(crate) fn all() -> [(&'static str, String); 2] {
    [("one-engine", REAL.to_owned()), ("eight-engines", for_engines(8))]
}

/// The real page with every family repeated for each of `engines`, in the order in which vLLM writes them.
fn for_engines(engines: usize) -> String {
    let mut page = String::new();
    let mut family = Vec::new();
    for line in REAL.lines().chain(["#"]) {
        if line.contains("engine=\"0\"") {
            family.push(line);
            continue;
        }
        for engine in 0..engines {
            let label = format!("engine=\"{engine}\"");
            for line in &family {
                page += &line.replace("engine=\"0\"", &label);
                page.push('\n');
            }
        }
        family.clear();
        page += line;
        page.push('\n');
    }
    page
}
