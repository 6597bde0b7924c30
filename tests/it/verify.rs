//! `verify` against the embedded organization with every guardrail opened in turn, against moto, and against
//! an endpoint that refuses everything.

mod doors;
mod drift;
mod elsewhere;
mod evidence;
mod guardrails;
mod interrupt;
mod japanese;
mod own;
mod runs;
mod scale;
mod screen;
pub mod stage;
mod users;
