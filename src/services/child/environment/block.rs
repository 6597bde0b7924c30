//! An environment in the form that `execve` takes.

use std::ffi::{CString, OsStr};
use std::io;
use std::os::unix::ffi::OsStrExt;

use zeroize::{Zeroize, Zeroizing};

/// Entries of `NAME=value`, each terminated by a NUL. Wiped on drop.
#[derive(Default)]
pub struct Block(Vec<CString>);

impl Block {
    /// Sets or replaces a variable. Fails on a NUL, without showing the value.
    pub fn set(&mut self, name: &str, value: &OsStr) -> io::Result<()> {
        self.0.retain(|entry| {
            let rest = entry.as_bytes().strip_prefix(name.as_bytes());
            !rest.is_some_and(|rest| rest.starts_with(b"="))
        });
        self.push(name.as_bytes(), value.as_bytes())
    }

    /// Adds a variable that is not set yet.
    pub(super) fn push(&mut self, name: &[u8], value: &[u8]) -> io::Result<()> {
        // Room for the NUL too: a buffer that grows leaves an unwiped copy behind.
        let mut entry = Zeroizing::new(Vec::with_capacity(name.len() + value.len() + 2));
        entry.extend_from_slice(name);
        entry.push(b'=');
        entry.extend_from_slice(value);
        if entry.contains(&0) {
            let name = String::from_utf8_lossy(name);
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!("the value of {name} contains a NUL"),
            ));
        }
        let entry = CString::new(std::mem::take(&mut *entry))?;
        self.0.push(entry);
        Ok(())
    }

    /// The entries, as `posix_spawn` takes them.
    pub fn entries(&self) -> &[CString] {
        &self.0
    }

    /// The entries, split into name and value.
    pub fn variables(&self) -> impl Iterator<Item = (&OsStr, &OsStr)> {
        self.0.iter().filter_map(|entry| {
            let mut parts = entry.as_bytes().splitn(2, |byte| *byte == b'=');
            Some((OsStr::from_bytes(parts.next()?), OsStr::from_bytes(parts.next()?)))
        })
    }

    /// The value of a variable.
    pub fn get(&self, name: &str) -> Option<&OsStr> {
        self.variables().find(|(known, _)| *known == name).map(|(_, value)| value)
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        for entry in self.0.drain(..) {
            entry.into_bytes_with_nul().zeroize();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nul_is_refused_without_its_value() {
        let mut block = Block::default();
        let error = block.push(b"NAME", b"canary\0").unwrap_err().to_string();
        assert_eq!(error, "the value of NAME contains a NUL");
        block.set("ZDOTDIR", OsStr::new("a")).unwrap();
        block.set("ZDOTDIR", OsStr::new("b")).unwrap();
        assert_eq!(block.variables().count(), 1);
        assert_eq!(block.get("ZDOTDIR"), Some(OsStr::new("b")));
    }
}
