//! `verify` against the embedded organisation with every guardrail opened in turn, against moto, and against
//! an endpoint that refuses everything.

mod guardrails;
mod elsewhere;
mod stage;
mod runs;
