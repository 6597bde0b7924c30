//! The sign-in of AWS's own client (`aws login`): its keys are used while they live, and never renewed: a refresh token that
//! two tools use is lost to one of them.

use std::io::{ErrorKind, Read};
use std::path::PathBuf;

use jiff::Timestamp;
use serde::Deserialize;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::domain::fault::{Exit, Fault};
use crate::domain::secret::{Credentials, Secret};
use crate::domain::text::sanitize;

/// Far more than such a file has.
const MAX_BYTES: u64 = 64 * 1024;

/// Names the folder of the files, else they are below the home.
const FOLDER: &str = "AWS_LOGIN_CACHE_DIRECTORY";

/// A sign-in of AWS's own client, as a profile names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CliLogin {
    /// The profile's name.
    pub profile: String,
    /// Its `login_session`: the ARN of whoever signed in, as written.
    pub session: String,
    /// The home, where no variable names the folder.
    pub home: PathBuf,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Cached {
    access_token: Keys,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Keys {
    access_key_id: String,
    secret_access_key: String,
    session_token: String,
    expires_at: Timestamp,
}

impl CliLogin {
    /// Its keys, while they live.
    pub fn keys(&self, now: Timestamp) -> Result<Credentials, Fault> {
        let shown = sanitize(&self.profile);
        let quoted = crate::domain::text::shell_quoted(&self.profile);
        let file = self.file();
        let unusable = |why: String| {
            Fault::new(Exit::NeedsPerson, format!("profile {shown} is not signed in"))
                .because(why)
                .fix(format!("aws login --profile {quoted}"))
                .fix("or let sekisho sign in itself, sealed and renewed: `auth.key: login`")
        };
        let at = sanitize(&file.to_string_lossy());
        let text = read(&file).map_err(|error| match error.kind() {
            ErrorKind::NotFound => unusable(format!("{at} does not exist")),
            _ => unusable(format!("{at}: {error}")),
        })?;
        let cached: Cached = serde_json::from_slice(&text)
            .map_err(|_| unusable(format!("{at} is not what AWS's client writes")))?;
        let keys = cached.access_token;
        let credentials = Credentials {
            id: keys.access_key_id.parse().map_err(|_| unusable(format!("{at} holds no key")))?,
            secret: Secret::new(keys.secret_access_key),
            token: Secret::new(keys.session_token),
            expires: keys.expires_at,
        };
        if !credentials.secret.is_printable() || !credentials.token.is_printable() {
            return Err(unusable(format!("{at} holds no key")));
        }
        if credentials.expires <= now {
            // A fault that says how to renew: AWS's client does at its next call.
            return Err(Fault::new(
                Exit::NeedsPerson,
                format!("the keys of profile {shown} have expired"),
            )
            .because("AWS's client makes new ones every 15 minutes, and sekisho never renews another tool's")
            .fix(format!("aws sts get-caller-identity --profile {quoted}     (renews them)"))
            .fix(format!("where that fails: aws login --profile {quoted}"))
            .fix("or let sekisho sign in itself, sealed and renewed: `auth.key: login`"));
        }
        Ok(credentials)
    }

    /// The file, named as AWS's clients do.
    fn file(&self) -> PathBuf {
        let folder = std::env::var_os(FOLDER).filter(|folder| !folder.is_empty());
        let folder = folder.map_or_else(|| self.home.join(".aws/login/cache"), PathBuf::from);
        folder.join(file_name(&self.session))
    }
}

fn file_name(session: &str) -> String {
    format!("{}.json", hex::encode(Sha256::digest(session.trim())))
}

fn read(file: &PathBuf) -> std::io::Result<Zeroizing<Vec<u8>>> {
    let mut bytes = Zeroizing::new(Vec::new());
    std::fs::File::open(file)?.take(MAX_BYTES).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_named_as_awss_clients_name_them() {
        for (session, name) in [
            (
                "arn:aws:sts::012345678910:assumed-role/Admin/admin",
                "4b0ba8f99f075c0633e122fd73346ce203a3faf18ea0310eb2d29df1bab2e255.json",
            ),
            (
                " arn:aws:iam::0123456789012:user/Admin\n",
                "36db1d138ff460920374e4c3d8e01f53f9f73537e89c88d639f68393df0e2726.json",
            ),
        ] {
            assert_eq!(file_name(session), name);
        }
    }
}
