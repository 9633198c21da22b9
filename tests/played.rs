//! The war room, played with keys against the simulated cluster: what an operator presses, what reaches the API, what the
//! service does because of it, and what is on record afterwards. Time is virtual and reading costs no network, so that an
//! incident of an hour is played in seconds; whatever changes something goes over HTTP.
#![cfg(feature = "sim")]

#[path = "played/choices.rs"]
mod choices;
#[path = "played/founding.rs"]
mod founding;
#[path = "played/gate.rs"]
mod gate;
#[path = "played/hands_off.rs"]
mod hands_off;
#[path = "support/room.rs"]
mod room;
#[path = "support/sim.rs"]
mod sim;
