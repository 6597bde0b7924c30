//! The AWS config file of a served child: its own profile, and no other, is the default.
//!
//! SDKs look for credentials in profiles before they ask an endpoint, so a `[default]` profile would act instead of the
//! target. The child's `AWS_PROFILE` names a profile with nothing but a region; it is in a copy of the user's file, so that
//! the other profiles stay usable.

use std::fs::Permissions;
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use crate::domain::fault::{Exit, Fault};
use crate::domain::ids::Region;
use crate::domain::ini::{self, Content};
use crate::domain::text::sanitize;
use crate::services::aws::shared_files::is_credential;
use crate::services::store::files::Dir;

/// The largest file that is copied, in bytes.
const MAX_BYTES: u64 = 16 << 20;

/// How the copies are called: then follow the process id and random digits.
const PREFIX: &str = "aws-config-";

/// A config file that lives as long as this value.
pub struct SharedConfig {
    dir: Dir,
    name: String,
    profile: String,
}

impl SharedConfig {
    /// Writes the copy of `original` into `dir`, and removes copies of processes that are gone.
    pub fn create(dir: Dir, original: &Path, region: Option<&Region>) -> Result<Self, Fault> {
        let failed = |why: String| {
            Fault::new(
                Exit::Fault,
                "cannot keep the user's AWS profiles from acting instead of the target",
            )
            .because(why)
            .fix("use `sekisho exec`, whose credentials come before any profile")
        };
        let unreadable =
            |why: String| failed(format!("{}: {why}", sanitize(&original.to_string_lossy())));
        let text = match std::fs::metadata(original) {
            Err(error) if error.kind() == ErrorKind::NotFound => String::new(),
            Err(error) => return Err(unreadable(error.to_string())),
            Ok(metadata) if !metadata.is_file() => String::new(), // /dev/null, say
            Ok(metadata) if metadata.len() > MAX_BYTES => {
                return Err(unreadable("it is larger than 16 MiB".into()));
            }
            Ok(_) => {
                let bytes =
                    std::fs::read(original).map_err(|error| unreadable(error.to_string()))?;
                String::from_utf8(bytes).map_err(|error| {
                    let before = &error.as_bytes()[..error.utf8_error().valid_up_to()];
                    let line = before.split(|byte| *byte == b'\n').count();
                    unreadable(format!("line {line} is not UTF-8"))
                })?
            }
        };
        let mut random = [0; 8];
        getrandom::fill(&mut random).map_err(|error| failed(error.to_string()))?;
        let random = hex::encode(random);
        let shared = Self {
            name: format!("{PREFIX}{}-{random}", std::process::id()),
            profile: format!("sekisho-{random}"),
            dir,
        };
        shared.remove_leftovers();
        let copy = copy(&text, &shared.profile, region);
        shared
            .dir
            .write(&shared.name, copy.as_bytes())
            .map_err(|error| failed(error.to_string()))?;
        // `aws configure` in the child fails then, instead of writing into a file that goes with it.
        std::fs::set_permissions(shared.path(), Permissions::from_mode(0o400))
            .map_err(|error| failed(error.to_string()))?;
        Ok(shared)
    }

    /// The file, for `AWS_CONFIG_FILE`.
    pub fn path(&self) -> PathBuf {
        self.dir.path().join(&self.name)
    }

    /// The profile, for `AWS_PROFILE`.
    pub fn profile(&self) -> &str {
        &self.profile
    }

    fn remove_leftovers(&self) {
        for name in self.dir.names().unwrap_or_default() {
            let pid =
                name.strip_prefix(PREFIX).and_then(|rest| rest.split('-').next()?.parse().ok());
            let Some(pid) = pid.and_then(rustix::process::Pid::from_raw) else { continue };
            if rustix::process::test_kill_process(pid) == Err(rustix::io::Errno::SRCH) {
                let _ = self.dir.remove(&name);
            }
        }
    }
}

impl Drop for SharedConfig {
    fn drop(&mut self) {
        let _ = self.dir.remove(&self.name);
    }
}

/// The text without its secrets, and with one more profile.
fn copy(text: &str, profile: &str, region: Option<&Region>) -> String {
    let holds_secret = |content: &Content<'_>| match content {
        Content::Setting { key, .. } | Content::Continuation { key, .. } => is_credential(key),
        _ => false,
    };
    let mut copy: String = ini::lines(text)
        .filter(|line| !holds_secret(&line.content))
        .map(|line| &text[line.range])
        .collect();
    if !copy.is_empty() && !copy.ends_with('\n') {
        copy.push('\n');
    }
    copy.push_str(&format!("[profile {profile}]\n"));
    if let Some(region) = region {
        copy.push_str(&format!("region = {region}\n"));
    }
    copy
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_copy_has_every_profile_and_no_secret() {
        let text = "[default]\nregion = eu-west-1\naws_access_key_id = AKIA\nAWS_Secret_Access_Key: s\n  more\n\n\
            [profile team]\nrole_arn = arn\nsource_profile = default\naws_session_token=t";
        let region: Region = "us-west-2".parse().unwrap();
        assert_eq!(
            copy(text, "sekisho-x", Some(&region)),
            "[default]\nregion = eu-west-1\n\n[profile team]\nrole_arn = arn\nsource_profile = default\n\
            [profile sekisho-x]\nregion = us-west-2\n"
        );
        assert_eq!(copy("", "sekisho-x", None), "[profile sekisho-x]\n");
    }
}
