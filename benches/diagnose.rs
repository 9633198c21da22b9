//! What a diagnosis of a thousand replicas costs, beside reading their pages.
fn main() {}
