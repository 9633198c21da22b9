//! `warroom runbook …`, as it is typed.
