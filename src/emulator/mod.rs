//! An emulated organisation on loopback: strict where AWS is, with a clock that tests can move.
