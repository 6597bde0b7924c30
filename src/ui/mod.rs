//! The switcher. It knows nothing of AWS: a request goes out, a pass or a reason for none comes back.
//!
//! ```text
//!   sekisho   tanaka @ 1111-1111-1111   MFA ● 11h 42m (phone)                keyring    view
//!   › tan dev                                                                3 / 150    field
//!     ACCOUNT        ID               ROLE        REGION           SESSION             layout
//!   ▌ dev-tanaka     2222-2222-2222   Developer   ap-northeast-1   ● 47m               search, time_left
//!   ─────────────────────────────────────────────────────────────────────────
//!     arn:aws:iam::222222222222:role/Developer · shared, 1h · sandbox
//!   ⏎ shell   ^O console   ^Y copy command   ? help   Esc quit                          domain::keymap
//! ```
//!
//! `model` is the state; `update` changes it, with `switch_request` for the steps from a row to a pass and `marks` for those
//! from marked rows to a command line; `view` draws it, with `list` for the rows, `popup` for what covers them, `compact` for tiny windows and `theme` for
//! colours and glyphs; `screen` owns the terminal, `input` reads it. `findings` is a screen of its own, for what `verify`
//! found. Only `event_loop` and its loop are asynchronous.

mod compact;
pub mod event_loop;
pub mod field;
pub mod findings;
pub mod fit;
mod help;
mod input;
pub mod key_events;
pub mod layout;
mod list;
mod marks;
pub mod model;
mod popup;
pub mod screen;
mod switch_request;
pub mod theme;
pub mod time_left;
mod update;
mod view;

pub use event_loop::{Host, pick, run};
pub use update::update;
pub use view::draw;
