//! The environment of a child: which variables are set and removed, from one table.
//!
//! Static variables: <https://docs.aws.amazon.com/sdkref/latest/guide/environment-variables.html>.

mod block;
mod inherited;
mod names;
mod render;

use std::collections::HashSet;
use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use crate::domain::account::Target;
use crate::domain::config::PromptCompat;
use crate::domain::pass::Pass;
use crate::domain::secret::Secret;

use super::shared_config::SharedConfig;
use crate::services::aws::shared_files::{CONFIG_FILE, ORIGINAL_CONFIG};

pub use block::Block;
pub use inherited::Inherited;
pub use names::{IDENTITY, around_proxy, watched};
pub use render::{Form, Masking, Syntax};

use names::{DIRENV, ENDPOINT_URL, OUR_ENDPOINT_URL, OUR_REGION, REGIONS, is_identity};

/// What the environment contains besides the pass.
#[derive(Debug, Clone, Default)]
pub struct Context {
    /// The absolute path of the config that was named (`--config`, `$SEKISHO_CONFIG`).
    pub config_path: Option<PathBuf>,
    /// The child's `SEKISHO_DEPTH`.
    pub depth: u32,
    /// Whether `AWS_VAULT` is set for prompts that know it; `Auto` is decided in the child, by its prompt.
    pub compat: PromptCompat,
    /// An emulator on this machine that the config signs in to: without it, the child's tools would call AWS.
    pub endpoint_url: Option<String>,
    /// Further variables (the demo's endpoint); they override all others.
    pub extra: Vec<(String, String)>,
}

/// A container-credentials endpoint: <https://docs.aws.amazon.com/sdkref/latest/guide/feature-container-credentials.html>.
pub struct Endpoint {
    /// The value of [`VARIABLE`](Self::VARIABLE).
    pub uri: String,
    /// `AWS_CONTAINER_AUTHORIZATION_TOKEN`
    pub token: Secret,
}

impl Endpoint {
    /// The variable with its address.
    pub const VARIABLE: &str = "AWS_CONTAINER_CREDENTIALS_FULL_URI";
}

/// The changes to a child's environment. Contains secrets; wiped on drop.
pub struct Environment {
    set: Vec<Variable>,
    remove: Vec<String>,
}

struct Variable {
    name: String,
    value: Value,
}

enum Value {
    Open(String),
    Hidden(Secret),
}

impl Value {
    fn expose(&self) -> &str {
        match self {
            Self::Open(text) => text,
            Self::Hidden(secret) => secret.expose(),
        }
    }
}

impl Environment {
    /// An environment with a pass's credentials.
    pub fn of(pass: Pass, context: &Context, inherited: &Inherited) -> Self {
        let Pass { target, credentials, .. } = pass;
        let expires = credentials.expires.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
        let mut set = vec![
            open("AWS_ACCESS_KEY_ID", credentials.id.as_str()),
            hidden("AWS_SECRET_ACCESS_KEY", credentials.secret),
            hidden("AWS_SESSION_TOKEN", credentials.token),
            open("AWS_CREDENTIAL_EXPIRATION", &expires),
            open("AWS_SESSION_EXPIRATION", &expires),
            open("SEKISHO_EXPIRATION", expires),
        ];
        set.extend(describe(&target, context, inherited));
        Self::plan(set, context, inherited)
    }

    /// An environment that names an endpoint to fetch credentials from.
    pub fn served(
        target: &Target,
        endpoint: Endpoint,
        shared: &SharedConfig,
        context: &Context,
        inherited: &Inherited,
    ) -> Self {
        let original = inherited.aws_config_file().unwrap_or_default();
        let mut set = vec![
            open(Endpoint::VARIABLE, endpoint.uri),
            hidden("AWS_CONTAINER_AUTHORIZATION_TOKEN", endpoint.token),
            open(CONFIG_FILE, shared.path().to_string_lossy()),
            open("AWS_PROFILE", shared.profile()),
            open(ORIGINAL_CONFIG, original.to_string_lossy()),
        ];
        // Where the endpoint has no answer, an EC2 instance's own role must not be the next source.
        if inherited.get("AWS_EC2_METADATA_DISABLED").is_none() {
            set.push(open("AWS_EC2_METADATA_DISABLED", "true"));
        }
        // A proxy must not see the token.
        for name in ["NO_PROXY", "no_proxy"] {
            let given = inherited.get(name).map(OsStr::to_string_lossy).unwrap_or_default();
            set.push(open(name, around_proxy(&given)));
        }
        set.extend(describe(target, context, inherited));
        Self::plan(set, context, inherited)
    }

    /// An environment without credentials, with the variables in `extra`.
    pub fn without_pass(extra: Vec<(String, String)>, inherited: &Inherited) -> Self {
        let context = Context { extra, ..Context::default() };
        Self::plan(Vec::new(), &context, inherited)
    }

    /// An environment without any identity (`env --unset`); `kept` are names to leave alone (the demo's).
    pub fn cleared(kept: &[(String, String)], inherited: &Inherited) -> Self {
        let mut plan = Self::plan(Vec::new(), &Context::default(), inherited);
        plan.remove.retain(|name| kept.iter().all(|(kept, _)| kept != name));
        plan
    }

    fn plan(mut set: Vec<Variable>, context: &Context, inherited: &Inherited) -> Self {
        for (name, value) in &context.extra {
            set.retain(|variable| variable.name != *name);
            set.push(open(name, value));
        }
        let mut remove: Vec<String> = IDENTITY
            .iter()
            .filter(|pattern| !pattern.ends_with('*'))
            .map(ToString::to_string)
            .collect();
        let inherited_names = inherited.0.iter().filter_map(|(name, _)| name.to_str());
        for name in inherited_names {
            let goes = is_identity(name)
                || name == ENDPOINT_URL && inherited.is_ours(ENDPOINT_URL, OUR_ENDPOINT_URL);
            if goes && !remove.iter().any(|known| known == name) {
                remove.push(name.to_owned());
            }
        }
        // In a served child the file is sekisho's: whatever is started from it gets the user's own back.
        let replaced = inherited.get(ORIGINAL_CONFIG).is_some();
        if replaced && set.iter().all(|variable| variable.name != CONFIG_FILE) {
            match inherited.aws_config_file() {
                Some(path) => set.push(open(CONFIG_FILE, path.to_string_lossy())),
                None => remove.push(CONFIG_FILE.to_owned()),
            }
        }
        for (name, before) in REGIONS {
            let own = inherited.own((name, before)).map(OsStr::to_string_lossy);
            let replaced = set.iter().any(|variable| variable.name == name);
            match own {
                Some(own) if replaced => set.push(open(before, own)),
                Some(own) if inherited.is_ours(name, OUR_REGION) => set.push(open(name, own)),
                None if !replaced && inherited.is_ours(name, OUR_REGION) => {
                    remove.push(name.to_owned());
                }
                _ => {}
            }
        }
        remove.retain(|name| set.iter().all(|variable| variable.name != *name));
        Self { set, remove }
    }

    /// The names that are set, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.set.iter().map(|variable| variable.name.as_str())
    }

    /// The whole environment of a child: what it inherits, then what is set.
    ///
    /// Fails where a value contains a NUL, without showing the value.
    pub fn block(&self, inherited: &Inherited) -> io::Result<Block> {
        let mut block = Block::default();
        let mut seen: HashSet<&[u8]> = self.names().map(str::as_bytes).collect();
        for (name, value) in &inherited.0 {
            let gone = is_identity(&name.to_string_lossy())
                || name.as_bytes().starts_with(DIRENV.as_bytes())
                || name.to_str().is_some_and(|name| self.remove.iter().any(|r| r == name));
            if !gone && seen.insert(name.as_bytes()) {
                block.push(name.as_bytes(), value.as_bytes())?;
            }
        }
        for variable in &self.set {
            block.push(variable.name.as_bytes(), variable.value.expose().as_bytes())?;
        }
        Ok(block)
    }

    /// Adds a second copy of everything that is set, for a snippet to restore after the user's rc files.
    pub(in crate::services) fn add_copies(
        &self,
        prefix: &str,
        block: &mut Block,
    ) -> io::Result<()> {
        self.set.iter().try_for_each(|variable| {
            let name = format!("{prefix}{}", variable.name);
            block.push(name.as_bytes(), variable.value.expose().as_bytes())
        })
    }
}

/// The variables that describe the target; none of them is secret.
fn describe(target: &Target, context: &Context, inherited: &Inherited) -> Vec<Variable> {
    let mut set = Vec::new();
    let is_theirs =
        inherited.get(ENDPOINT_URL).is_some() && !inherited.is_ours(ENDPOINT_URL, OUR_ENDPOINT_URL);
    if let Some(url) = context.endpoint_url.as_ref().filter(|_| !is_theirs) {
        set.extend([ENDPOINT_URL, OUR_ENDPOINT_URL].map(|name| open(name, url)));
    }
    if let Some(region) = &target.region {
        set.extend(REGIONS.map(|(name, _)| open(name, region.as_str())));
    }
    set.extend([
        open("AWS_ACCOUNT_ID", target.id.to_string()),
        open("SEKISHO_TARGET", target.name()),
        open("SEKISHO_ACCOUNT", target.account.as_str()),
        open("SEKISHO_ACCOUNT_ID", target.id.to_string()),
        open("SEKISHO_ROLE", target.role.name()),
        open("SEKISHO_SCOPE", target.session.scope.name()),
        open("SEKISHO_GUARD", target.guard.name()),
    ]);
    if let Some(color) = target.color {
        set.push(open("SEKISHO_COLOR", color.name()));
    }
    if let Some(region) = &target.region {
        set.push(open(OUR_REGION, region.as_str()));
    }
    set.push(open("SEKISHO_DEPTH", context.depth.to_string()));
    if let Some(path) = &context.config_path {
        set.push(open("SEKISHO_CONFIG", path.to_string_lossy()));
    }
    if context.compat == PromptCompat::AwsVault {
        set.push(open("AWS_VAULT", target.name()));
    }
    set
}

fn open(name: &str, value: impl Into<String>) -> Variable {
    Variable { name: name.to_owned(), value: Value::Open(value.into()) }
}

fn hidden(name: &str, secret: Secret) -> Variable {
    Variable { name: name.to_owned(), value: Value::Hidden(secret) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inherited(vars: &[(&str, &str)]) -> Inherited {
        vars.iter().map(|(name, value)| (name.into(), value.into())).collect()
    }

    fn plan(context: &Context, inherited: &Inherited) -> Environment {
        Environment::plan(vec![open("AWS_ACCESS_KEY_ID", "ASIA")], context, inherited)
    }

    fn child(environment: &Environment, inherited: &Inherited) -> Vec<String> {
        let block = environment.block(inherited).unwrap();
        let entries = block.entries().iter();
        entries.map(|entry| entry.to_str().unwrap().to_owned()).collect()
    }

    #[test]
    fn every_spelling_and_duplicate_is_removed_and_settings_stay() {
        let inherited = inherited(&[
            ("PATH", "/bin"),
            ("AWS_PROFILE", "a"),
            ("AWS_PROFILE", "b"),
            ("aws_profile", "c"),
            ("AWS_ACCESS_KEY_ID", "AKIA"),
            ("Aws_Access_Key_Id", "AKIA"),
            ("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/x"),
            ("AWSUME_PROFILE", "x"),
            ("SEKISHO_STALE", "x"),
            ("AWS_CA_BUNDLE", "/ca.pem"),
            ("AWS_ENDPOINT_URL_S3", "http://localhost"),
            ("AWS_RETRY_MODE", "adaptive"),
            ("AWS_SHARED_CREDENTIALS_FILE", "/c"),
            ("AWS_VAULT_BACKEND", "pass"),
            ("https_proxy", "http://proxy"),
            ("DIRENV_DIFF", "eJw="),
            ("PATH", "/second"),
        ]);
        assert_eq!(
            child(&plan(&Context::default(), &inherited), &inherited),
            [
                "PATH=/bin",
                "AWS_CA_BUNDLE=/ca.pem",
                "AWS_ENDPOINT_URL_S3=http://localhost",
                "AWS_RETRY_MODE=adaptive",
                "AWS_SHARED_CREDENTIALS_FILE=/c",
                "AWS_VAULT_BACKEND=pass",
                "https_proxy=http://proxy",
                "AWS_ACCESS_KEY_ID=ASIA",
            ]
        );
    }

    /// What a shell has after it has evaluated an environment.
    fn after(environment: &Environment, inherited: &Inherited) -> Inherited {
        let block = environment.block(inherited).unwrap();
        block.variables().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    }

    fn enter(region: Option<&str>, inherited: &Inherited) -> Inherited {
        let mut set = vec![open("AWS_ACCESS_KEY_ID", "ASIA")];
        if let Some(region) = region {
            set.extend(REGIONS.map(|(name, _)| open(name, region)));
            set.push(open(OUR_REGION, region));
        }
        after(&Environment::plan(set, &Context::default(), inherited), inherited)
    }

    fn leave(inherited: &Inherited) -> Inherited {
        after(&Environment::cleared(&[], inherited), inherited)
    }

    /// `AWS_REGION` and `AWS_DEFAULT_REGION`.
    fn regions(inherited: &Inherited) -> [Option<&str>; 2] {
        REGIONS.map(|(name, _)| inherited.get(name)?.to_str())
    }

    #[test]
    fn the_users_own_region_outlives_any_number_of_accounts() {
        for own in [
            &[("AWS_REGION", "eu-west-1")][..],
            &[("AWS_DEFAULT_REGION", "eu-west-1")],
            &[("AWS_REGION", "eu-west-1"), ("AWS_DEFAULT_REGION", "us-east-1")],
        ] {
            let before = inherited(own);
            let mut now = inherited(own);
            // Without a region of its own a target gets the user's; then one with a region, one of a config without any.
            for region in [Some("eu-west-1"), Some("us-west-2"), None, Some("us-east-1")] {
                now = enter(region, &now);
                assert_eq!(now.own_region().unwrap().as_str(), "eu-west-1", "{own:?}");
                let expected = region.map_or(regions(&before), |region| [Some(region); 2]);
                assert_eq!(regions(&now), expected, "{own:?}");
            }
            now = leave(&now);
            assert_eq!(regions(&now), regions(&before), "{own:?}");
            assert!(now.0.iter().all(|(name, _)| !name.to_string_lossy().starts_with("SEKISHO")));
        }
    }

    #[test]
    fn a_region_that_the_user_changes_is_the_users_from_then_on() {
        let now = enter(Some("us-west-2"), &inherited(&[("AWS_REGION", "eu-west-1")]));
        let changed: Inherited = now
            .0
            .into_iter()
            .map(|(name, value)| match name.to_str() {
                Some("AWS_REGION") => (name, "ap-northeast-1".into()),
                _ => (name, value),
            })
            .collect();
        assert_eq!(changed.own_region().unwrap().as_str(), "ap-northeast-1");
        let now = enter(Some("us-east-1"), &changed);
        assert_eq!(now.own_region().unwrap().as_str(), "ap-northeast-1");
        assert_eq!(regions(&leave(&now)), [Some("ap-northeast-1"), None]);
    }

    #[test]
    fn a_region_of_sekishos_is_nobodys_own() {
        let now = enter(Some("us-west-2"), &inherited(&[]));
        assert!(now.own_region().is_none());
        assert_eq!(regions(&enter(None, &now)), [None, None]);
        assert_eq!(regions(&leave(&now)), [None, None]);
    }

    #[test]
    fn an_emulators_endpoint_is_given_and_taken_away_again() {
        let target = crate::domain::account::Target {
            account: "dev".parse().unwrap(),
            aliases: Vec::new(),
            id: "222222222222".parse().unwrap(),
            role: "arn:aws:iam::222222222222:role/Developer".parse().unwrap(),
            region: None,
            duration: std::time::Duration::from_hours(1),
            guard: crate::domain::guard::Guard::None,
            agents: crate::domain::agents::Allowance::Full,
            change: None,
            color: None,
            session: crate::domain::account::SessionOptions::default(),
        };
        let here = Some("http://127.0.0.1:5000".to_owned());
        let urls = |endpoint_url: &Option<String>, vars: &[(&str, &str)]| -> Vec<String> {
            let inherited = inherited(vars);
            let context = Context { endpoint_url: endpoint_url.clone(), ..Context::default() };
            let set = describe(&target, &context, &inherited);
            let all = child(&Environment::plan(set, &context, &inherited), &inherited);
            all.into_iter().filter(|entry| entry.contains("ENDPOINT_URL")).collect()
        };
        let ours = [
            "AWS_ENDPOINT_URL=http://127.0.0.1:5000",
            "SEKISHO_ENDPOINT_URL=http://127.0.0.1:5000",
        ];
        assert_eq!(urls(&here, &[]), ours);
        let theirs = [("AWS_ENDPOINT_URL", "http://localhost:4566")];
        assert_eq!(urls(&here, &theirs), ["AWS_ENDPOINT_URL=http://localhost:4566"]);
        assert_eq!(urls(&None, &theirs), ["AWS_ENDPOINT_URL=http://localhost:4566"]);
        let before = [
            ("AWS_ENDPOINT_URL", "http://127.0.0.1:4000"),
            ("SEKISHO_ENDPOINT_URL", "http://127.0.0.1:4000"),
        ];
        assert_eq!(urls(&here, &before), ours, "that of another emulator's config");
        assert_eq!(urls(&None, &before), [""; 0], "a target of AWS");
        let unset = Environment::cleared(&[], &inherited(&before));
        assert!(unset.remove.iter().any(|name| name == "AWS_ENDPOINT_URL"));
        let unset = Environment::cleared(&[], &inherited(&theirs));
        assert!(unset.remove.iter().all(|name| name != "AWS_ENDPOINT_URL"));
    }

    #[test]
    fn extras_win_and_are_left_alone_by_unset() {
        let extra = vec![
            ("NO_PROXY".to_owned(), "127.0.0.1".to_owned()),
            ("SEKISHO_DEMO".to_owned(), "1".to_owned()),
        ];
        let inherited = inherited(&[("NO_PROXY", "corp"), ("SEKISHO_DEMO", "1")]);
        let context = Context { extra: extra.clone(), ..Context::default() };
        let entries = child(&plan(&context, &inherited), &inherited);
        assert_eq!(entries[1..], ["NO_PROXY=127.0.0.1", "SEKISHO_DEMO=1"]);
        let cleared = Environment::cleared(&extra, &inherited);
        assert!(cleared.remove.iter().all(|name| name != "SEKISHO_DEMO"));
        assert!(cleared.remove.iter().any(|name| name == "AWS_SESSION_TOKEN"));
    }
}
