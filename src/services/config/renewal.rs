//! An included file while its program makes it anew.

use std::path::Path;

use super::files;

/// An included file as it was, put back unless what became of it is taken.
pub struct Restored<'a> {
    /// Where it is.
    pub file: &'a Path,
    /// `None` where there was no file.
    pub text: Option<String>,
    /// Whether what became of it is to stay.
    pub is_taken: bool,
}

impl Drop for Restored<'_> {
    fn drop(&mut self) {
        if self.is_taken {
            return;
        }
        let now = files::read_foreign(self.file).ok();
        match &self.text {
            Some(text) if now.as_ref() != Some(text) => {
                // A fault is on its way to the person already.
                let _ = files::put_back(self.file, text);
            }
            None => {
                let _ = std::fs::remove_file(self.file);
            }
            Some(_) => {}
        }
    }
}
