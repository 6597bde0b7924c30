//! Which browser opens a link. It is started with an argument list, never through a shell.

use std::process::{ExitStatus, Stdio};

use tokio::process::{Child, Command};

use crate::domain::fault::{Exit, Fault};
use crate::domain::text::{percent_encoded, sanitize};
use crate::services::child::environment::{Environment, Inherited};
use crate::services::child::process;
use crate::services::config::paths::{Ids, home, with_home};

/// Opens links in the browser of Windows, from WSL too; but none with a `=` in it, which the link to this process has not.
/// <https://github.com/microsoft/WSL/issues/3832>
const EXPLORER: &str = "explorer.exe";

/// An argument list with `{url}`, `{account}` and `{name}` in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Browser(Vec<String>);

impl Browser {
    /// The config's, otherwise `$BROWSER`, otherwise the desktop's default.
    ///
    /// Fails over ssh, where a browser would open on the wrong machine, and where there is none.
    pub fn choose(configured: Option<&[String]>, inherited: &Inherited) -> Result<Self, Fault> {
        if let Some(argv) = configured {
            return Ok(Self(argv.to_vec()));
        }
        let set = |name: &str| inherited.get(name).filter(|value| !value.is_empty());
        let is_there =
            |program: &str| process::find(program.as_ref(), inherited.get("PATH")).is_ok();
        if let Some(argv) = set("BROWSER").and_then(|text| of_variable(text.to_str()?, is_there)) {
            return Ok(Self(argv));
        }
        if set("SSH_CONNECTION").is_some() || set("SSH_TTY").is_some() {
            return Err(no_browser(
                "this is an ssh session: the browser would open on this machine, not on yours",
            ));
        }
        let path = inherited.get("PATH");
        let programs: &[&str] = if cfg!(target_os = "macos") {
            &["open"]
        } else if set("WSL_DISTRO_NAME").is_some() {
            &["wslview", EXPLORER, "xdg-open"]
        } else {
            &["xdg-open"]
        };
        let found = programs.iter().find(|name| process::find(name.as_ref(), path).is_ok());
        found.map(|name| Self(vec![(*name).to_owned(), "{url}".to_owned()])).ok_or_else(|| {
            no_browser(&format!("{} was not found, and BROWSER is not set", programs.join(" or ")))
        })
    }

    /// Starts it, without credentials in its environment. `account` and `name` say what the link is for.
    pub fn open(
        &self,
        url: &str,
        account: &str,
        name: &str,
        environment: &Environment,
        inherited: &Inherited,
    ) -> Result<Opened, Fault> {
        let argv = self.arguments(url, account, name);
        let Some((program, arguments)) = argv.split_first() else {
            return Err(no_browser("the config's `browser` is empty"));
        };
        let cannot = |error: std::io::Error| {
            let program = sanitize(program);
            no_browser(&format!("{program} cannot be started: {error}"))
        };
        let block = environment.block(inherited).map_err(cannot)?;
        let home = home(|name| inherited.get(name).map(Into::into), Ids::current().effective.0);
        let named = with_home(program, home.as_deref()).map_err(|why| no_browser(&why))?;
        let program = process::find(named.as_os_str(), block.get("PATH"))?;
        let tells_failure = program.file_name() != Some(EXPLORER.as_ref());
        let child = Command::new(program)
            .args(arguments)
            .env_clear()
            .envs(block.variables())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0) // Ctrl-C here must not reach it
            .spawn()
            .map_err(cannot)?;
        Ok(Opened { child, tells_failure })
    }

    fn arguments(&self, url: &str, account: &str, name: &str) -> Vec<String> {
        let fill = |word: &String| {
            let is_url = is_url(word);
            let value = |text: &str| {
                if is_url { percent_encoded(text).to_string() } else { text.to_owned() }
            };
            // The name last: it is free text and may contain a placeholder.
            word.replace("{url}", &value(url))
                .replace("{account}", &value(account))
                .replace("{name}", &value(name))
        };
        self.0.iter().map(fill).collect()
    }
}

/// Starts the browser with a link, as the config and this process's environment say.
pub struct Launcher {
    /// The config's `browser`.
    pub configured: Option<Vec<String>>,
    /// Variables to leave alone in its environment (the demo's).
    pub kept: Vec<(String, String)>,
}

impl Launcher {
    /// Starts it; see [`Browser::open`].
    pub fn open(&self, url: &str, account: &str, name: &str) -> Result<Opened, Fault> {
        let inherited = Inherited::current();
        let environment = Environment::cleared(&self.kept, &inherited);
        let browser = Browser::choose(self.configured.as_deref(), &inherited)?;
        browser.open(url, account, name, &environment, &inherited)
    }
}

/// A browser that was started, or what passes the link to one.
pub struct Opened {
    child: Child,
    /// `explorer.exe` ends with 1 whatever it did. <https://github.com/microsoft/WSL/issues/6565>
    tells_failure: bool,
}

impl Opened {
    /// How the program ended, if it failed. Most launchers pass the link to a running browser and exit: that is never told.
    pub async fn failure(&mut self) -> ExitStatus {
        match self.child.wait().await {
            Ok(status) if !status.success() && self.tells_failure => status,
            _ => std::future::pending().await,
        }
    }
}

/// Whether an argument is a URL around its placeholders: `ext+container:name={name}&url={url}`.
fn is_url(word: &str) -> bool {
    let (scheme, _) = word.split_once(':').unwrap_or_default();
    let is_of_scheme = |b: u8| b.is_ascii_alphanumeric() || b"+-.".contains(&b);
    scheme.starts_with(|c: char| c.is_ascii_alphabetic()) && scheme.bytes().all(is_of_scheme)
}

/// `$BROWSER`: a colon-separated list of commands, split into words like a shell's, with `%s` for the URL. The first whose
/// program is there, else the first.
fn of_variable(text: &str, is_there: impl Fn(&str) -> bool) -> Option<Vec<String>> {
    let commands = text.split(':').filter_map(shlex::split);
    let mut all: Vec<Vec<String>> = commands.filter(|argv| !argv.is_empty()).collect();
    let there = all.iter().position(|argv| argv.first().is_some_and(|name| is_there(name)));
    let mut argv = all.drain(..).nth(there.unwrap_or(0))?;
    if argv.iter().any(|word| word.contains("%s")) {
        for word in &mut argv {
            *word = word.replace("%s", "{url}");
        }
    } else {
        argv.push("{url}".to_owned());
    }
    Some(argv)
}

fn no_browser(why: &str) -> Fault {
    Fault::new(Exit::Fault, "cannot open a browser")
        .because(why)
        .fix("sekisho console TARGET --print    (for 15 minutes, anyone with the URL can sign in)")
        .fix("sekisho console TARGET --copy     (the same, into your terminal's clipboard)")
        .fix("set `browser` in the config: [firefox, \"{url}\"]")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inherited(vars: &[(&str, &str)]) -> Inherited {
        let owned = |(name, value): &(&str, &str)| ((*name).into(), (*value).into());
        vars.iter().map(owned).collect()
    }

    #[test]
    fn the_configured_browser_wins_and_ssh_has_none() {
        let ssh = [("SSH_CONNECTION", "1.2.3.4 5 6.7.8.9 22"), ("PATH", "/usr/bin")];
        let fault = Browser::choose(None, &inherited(&ssh)).unwrap_err();
        assert!(fault.fix[0].contains("--print"));
        let own = ["my-browser".to_owned(), "{url}".to_owned()];
        assert_eq!(Browser::choose(Some(&own), &inherited(&ssh)).unwrap().0, own);
        for (variable, words) in [
            ("firefox", vec!["firefox", "{url}"]),
            ("firefox --new-window %s:lynx", vec!["firefox", "--new-window", "{url}"]),
            ("'my browser' -p", vec!["my browser", "-p", "{url}"]),
            ("no-such-browser %s::sh -c:true", vec!["sh", "-c", "{url}"]),
        ] {
            let chosen = Browser::choose(
                None,
                &inherited(&[("BROWSER", variable), ("PATH", "/bin:/usr/bin")]),
            )
            .unwrap();
            assert_eq!(chosen.0, words);
        }
    }

    #[test]
    fn a_url_around_placeholders_is_told_from_other_words() {
        for (word, expected) in [
            ("ext+container:name={name}&url={url}", true),
            ("microsoft-edge:{url}", true),
            ("--profile-directory={account}", false),
            ("{url}", false),
            ("{name}: {url}", false),
        ] {
            assert_eq!(is_url(word), expected, "{word}");
        }
    }
}
