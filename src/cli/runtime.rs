//! The async runtime, for as long as one call needs it.

use std::future::Future;

use crate::domain::fault::{Exit, Fault};

/// Runs a future to its end on a runtime of its own.
pub fn block_on<T, E: From<Fault>>(future: impl Future<Output = Result<T, E>>) -> Result<T, E> {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|error| {
            Fault::new(Exit::Fault, "cannot start the async runtime").because(error.to_string())
        })?;
    let output = runtime.block_on(future);
    // Not dropped: that would wait for a name look-up that hangs.
    runtime.shutdown_background();
    output
}
