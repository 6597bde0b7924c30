//! `verify` against the embedded organisation with every guardrail opened in turn, against moto, and against
//! an endpoint that refuses everything.

mod elsewhere;
<<<<<<< HEAD
mod guardrails;
=======
mod stage;
mod own;
>>>>>>> verify
mod runs;
mod stage;
