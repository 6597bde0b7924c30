//! Console sign-in as the source of sessions: a browser signs in, and what it brings back is exchanged for keys that live a
//! quarter of an hour and can be renewed for half a day.
//!
//! The browser is started with a link to this process that works once (`console::Link`), so that the challenge is in no
//! argument list, and comes back to a port of this process. Both answer this user's programs alone.
//!
//! ```text
//! protocol   what is sent and read     record   what is kept, sealed
//! cli_cache  what AWS's own client keeps
//! ```

pub mod cli_cache;
pub mod protocol;
pub mod record;

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::request::Parts;
use http::{HeaderName, HeaderValue, StatusCode, header};
use http_body_util::Full;
use jiff::Timestamp;
use tokio::sync::Notify;

use crate::domain::config::Auth;
use crate::domain::fault::{Exit, Fault};
use crate::domain::ids::{Region, UserArn, UserName};
use crate::domain::secret::{Credentials, Secret};
use crate::domain::text::sanitize;
use crate::services::aws::{Aws, Doing, Failure, Granted, Signer, Tries};
use crate::services::child::loopback::{self, HttpResponse, Port};
use crate::services::console::browser::Launcher;
use crate::services::console::{Fetched, Link};

use protocol::{Attempt, CALLBACK, NoCode, ProofKey};
use record::Login;

/// How long a person may take in the browser.
const LIMIT: Duration = Duration::from_mins(10);
/// How long the page that says so may take to reach the browser.
const LAST_PAGE: Duration = Duration::from_secs(2);

/// A sign-in that nobody has looked at yet: whose it is has to be checked before anything of it is kept.
pub struct Unchecked {
    login: Grant,
    keys: Credentials,
    subject: String,
}

/// A sign-in without the name of whoever signed in.
struct Grant {
    refresh: Secret,
    key: ProofKey,
    client: protocol::Client,
    region: Region,
    since: Timestamp,
}

/// Signs in through a browser on this machine. Dropping the future gives it up.
pub async fn through_browser(
    aws: &Aws,
    auth: &Auth,
    launcher: &Launcher,
    notify: &dyn Fn(&str),
) -> Result<Unchecked, Fault> {
    let site = aws.sign_in_site(&auth.region)?;
    let callback = Callback::open(&site).await.map_err(|error| no_port(&error))?;
    let link = Link::to(Secret::new(callback.shared.attempt.url()))
        .await
        .map_err(|error| no_port(&error))?;
    let address = link.address();
    let user = auth.user.as_ref().map_or_else(|| "your IAM user".to_owned(), ToString::to_string);
    let mut opened = launcher
        .open(&address, &auth.account.to_string(), "console sign-in")
        .map_err(|fault| Fault { fix: without_a_browser(), ..fault })?;
    notify(&format!("where no browser opens, open this on this machine: {address}"));
    notify(&format!("sign in to account {} as {user} in the browser", auth.account));
    let never_fetched = async {
        match link.wait(LIMIT).await {
            Fetched::Yes => std::future::pending().await,
            Fetched::TooLate => {}
        }
    };
    let code = tokio::select! {
        code = callback.wait() => code,
        status = opened.failure() => {
            let fault = Fault::new(Exit::Fault, "the browser did not open")
                .because(format!("it ended with {status}"));
            return Err(Fault { fix: without_a_browser(), ..fault });
        }
        () = never_fetched => return Err(too_late()),
        () = tokio::time::sleep(LIMIT) => return Err(too_late()),
    };
    let code = code.map_err(refused)?;
    exchange(aws, &site, &callback.shared.attempt, &code, &auth.region).await
}

/// A sign-in by a browser on another machine, which shows a code to paste here.
pub struct Elsewhere {
    attempt: Attempt,
    site: String,
    region: Region,
}

impl Elsewhere {
    /// Begins one.
    pub fn begin(aws: &Aws, auth: &Auth) -> Result<Self, Fault> {
        let site = aws.sign_in_site(&auth.region)?;
        let random = || loopback::token().map_err(|error| no_random(&error));
        let attempt = Attempt::elsewhere(&site, random()?, random()?);
        Ok(Self { attempt, site, region: auth.region.clone() })
    }

    /// What to open there.
    pub fn url(&self) -> String {
        self.attempt.url()
    }

    /// Signs in with what was pasted.
    pub async fn finish(self, aws: &Aws, pasted: &Secret) -> Result<Unchecked, Fault> {
        let code = self.attempt.pasted(pasted).map_err(|no_code| match no_code {
            NoCode::Foreign => Fault::new(Exit::Usage, "this is not the code of this sign-in")
                .because("it was cut off, or it is of an earlier sign-in")
                .because("it comes from a page that somebody else sent: such a code signs in for them")
                .fix("copy the whole code from the page that the URL above leads to: `sekisho login --remote`"),
            refusal @ NoCode::Refused(_) => refused(refusal),
        })?;
        exchange(aws, &self.site, &self.attempt, &code, &self.region).await
    }
}

async fn exchange(
    aws: &Aws,
    site: &str,
    attempt: &Attempt,
    code: &Secret,
    region: &Region,
) -> Result<Unchecked, Fault> {
    let key = ProofKey::generate().map_err(|error| no_random(&error))?;
    let since = Timestamp::now();
    let granted = aws
        .token(site, &attempt.exchange(code), |url, at| key.proof(url, at), Tries::Once)
        .await
        .map_err(|failure| failure.fault(Doing::ConsoleSignIn))?;
    let Granted { keys, refresh, subject } = granted;
    let keys =
        keys.checked(Timestamp::now()).map_err(|failure| failure.fault(Doing::ConsoleSignIn))?;
    let subject = subject.ok_or_else(|| {
        Fault::new(Exit::Fault, "AWS does not say who signed in")
            .because("its answer has no identity token")
            .fix("sign in again: `sekisho login`")
    })?;
    let client = attempt.client();
    Ok(Unchecked {
        login: Grant { refresh, key, client, region: region.clone(), since },
        keys,
        subject,
    })
}

impl Unchecked {
    /// The sign-in, if it is of the right user: by the token that came with it, and by what AWS says about its keys.
    pub async fn checked(
        self,
        aws: &Aws,
        auth: &Auth,
        before: Option<&UserName>,
    ) -> Result<(Login, Credentials), Fault> {
        let user = owner(auth, before, &self.subject)?;
        let caller = aws
            .caller_identity(Signer::Session(&self.keys))
            .await
            .map_err(|failure| failure.fault(Doing::Asking))?;
        if caller.arn != user.as_str() {
            let (keys, token) = (sanitize(&caller.arn), user.as_str());
            return Err(Fault::new(Exit::Refused, "AWS's responses disagree about who signed in")
                .because(format!("the keys belong to {keys}, the token to {token}"))
                .because("something between here and AWS answered instead: a proxy, an emulator")
                .fix("sign in again: `sekisho login`"));
        }
        let Grant { refresh, key, client, region, since } = self.login;
        Ok((Login { refresh, key, client, region, user, since }, self.keys))
    }
}

/// Checks who signed in: an IAM user of the auth account, and the one that the config names, else the one `before`.
///
/// Another local user may have answered the browser's redirect, and a browser may hold five console sessions.
pub fn owner(auth: &Auth, before: Option<&UserName>, subject: &str) -> Result<UserArn, Fault> {
    let other_session =
        "choose the right session in the browser, or sign in there again; then `sekisho login`";
    let user: UserArn = subject.parse().map_err(|_| {
        Fault::new(Exit::Usage, "the browser is not signed in as an IAM user")
            .because(format!("it is signed in as {}", sanitize(subject)))
            .because(format!(
                "roles are entered from an IAM user of {}, the config's auth account",
                auth.account
            ))
            .fix(other_session)
    })?;
    if user.account() != auth.account {
        return Err(Fault::new(
            Exit::Usage,
            format!("the browser is signed in as {} of account {}", user.user(), user.account()),
        )
        .because(format!("the config's auth account is {}", auth.account))
        .fix(other_session)
        .fix("or correct `auth.account`"));
    }
    let (wanted, why) = match (&auth.user, before) {
        (Some(named), _) => (named, "the config's `auth.user` is"),
        (None, Some(before)) => (before, "this machine was signed in as"),
        (None, None) => return Ok(user),
    };
    if user.user() == wanted {
        return Ok(user);
    }
    Err(Fault::new(
        Exit::Usage,
        format!("the browser is signed in as {}, not as {wanted}", user.user()),
    )
    .because(format!("{why} {wanted}; nothing of this sign-in was kept"))
    .fix(other_session)
    .fix(format!("or say whom you mean: `auth: {{user: {}}}`", user.user())))
}

/// Gets the next keys of a sign-in at a site, that of its own region; with them comes what the ones after are asked for with.
pub async fn renew(aws: &Aws, site: &str, login: &Login) -> Result<(Secret, Credentials), Failure> {
    let body = protocol::renewal(login.client, &login.refresh);
    let prove = |url: &str, at| login.key.proof(url, at);
    let Granted { keys, refresh, .. } = aws.token(site, &body, prove, Tries::Several).await?;
    Ok((refresh, keys.checked(Timestamp::now())?))
}

/// The port that the browser comes back to.
struct Callback {
    port: Port,
    shared: Arc<Shared>,
}

struct Shared {
    attempt: Attempt,
    /// What the browser brought; the first that belongs to this sign-in counts.
    brought: Mutex<Option<Result<Secret, NoCode>>>,
    arrived: Notify,
    written: Notify,
}

impl Callback {
    async fn open(site: &str) -> io::Result<Self> {
        let port = Port::open().await?;
        let number = port.address().port();
        let attempt = Attempt::here(site, number, loopback::token()?, loopback::token()?);
        let shared = Shared {
            attempt,
            brought: Mutex::default(),
            arrived: Notify::new(),
            written: Notify::new(),
        };
        Ok(Self { port, shared: Arc::new(shared) })
    }

    /// Waits for the browser.
    async fn wait(&self) -> Result<Secret, NoCode> {
        let arrives = async {
            self.shared.arrived.notified().await;
            let _ = tokio::time::timeout(LAST_PAGE, self.shared.written.notified()).await;
        };
        tokio::select! {
            never = self.port.run(&self.shared) => match never {},
            () = arrives => {}
        }
        let brought = self.shared.brought.lock().unwrap_or_else(PoisonError::into_inner).take();
        brought.unwrap_or(Err(NoCode::Foreign))
    }
}

impl loopback::Service for Shared {
    fn refusal(&self, parts: &Parts) -> Option<StatusCode> {
        if parts.uri.path() != CALLBACK {
            return Some(StatusCode::NOT_FOUND);
        }
        let brought = self.attempt.code(parts.uri.query().unwrap_or_default());
        if brought.is_err_and(|no_code| no_code == NoCode::Foreign) {
            return Some(StatusCode::FORBIDDEN);
        }
        let known = self.brought.lock().unwrap_or_else(PoisonError::into_inner);
        known.is_some().then_some(StatusCode::GONE)
    }

    async fn respond(&self, parts: &Parts) -> HttpResponse {
        let brought = self.attempt.code(parts.uri.query().unwrap_or_default());
        let text = match &brought {
            Ok(_) => "Signed in. Close this page, and go on in the terminal.",
            Err(_) => "AWS did not sign you in. Close this page: the terminal says more.",
        };
        {
            let mut known = self.brought.lock().unwrap_or_else(PoisonError::into_inner);
            if known.is_some() {
                return loopback::status(StatusCode::GONE);
            }
            *known = Some(brought);
        }
        self.arrived.notify_one();
        let mut answer = loopback::status(StatusCode::OK);
        let page =
            format!("<!doctype html><meta charset=utf-8><title>sekisho</title><p>{text}</p>");
        *answer.body_mut() = Full::new(page.into());
        let headers = answer.headers_mut();
        for (name, value) in [
            (header::CONTENT_TYPE, "text/html; charset=utf-8"),
            (header::CONTENT_SECURITY_POLICY, "default-src 'none'"),
            (HeaderName::from_static("referrer-policy"), "no-referrer"),
        ] {
            headers.insert(name, HeaderValue::from_static(value));
        }
        answer
    }

    fn responded(&self) {
        self.written.notify_one();
    }
}

fn refused(no_code: NoCode) -> Fault {
    let fault = Fault::new(Exit::Refused, "AWS did not sign you in");
    let fault = match no_code {
        NoCode::Refused(why) => fault.because(format!("it says {why}")),
        NoCode::Foreign => fault,
    };
    fault.fix("sign in again: `sekisho login`")
}

fn too_late() -> Fault {
    Fault::new(Exit::Fault, "the browser did not come back within 10 minutes")
        .because("AWS showed an error there: with stale cookies it shows a bare 400 page. Sign in to the console first, then try again")
        .because("it runs on another machine, or in a sandbox that cannot reach 127.0.0.1")
        .fix("sekisho login --remote     (shows a URL, and takes the code that the page there shows)")
}

fn without_a_browser() -> Vec<String> {
    vec![
        "sekisho login --remote     (shows a URL for a browser anywhere, and takes the code that the page there shows)".into(),
        "set `browser` in the config: [firefox, \"{url}\"]".into(),
    ]
}

fn no_port(error: &io::Error) -> Fault {
    Fault::new(Exit::Fault, "cannot open a local port for the browser").because(error.to_string())
}

fn no_random(error: &io::Error) -> Fault {
    Fault::new(Exit::Fault, "the system's random number generator does not work")
        .because(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::config::KeySource;

    #[test]
    fn only_the_right_user_of_the_auth_account_is_taken_and_both_names_are_said() {
        let mut auth = Auth::sample(KeySource::Login);
        let alice: UserName = "alice".parse().unwrap();
        let arn = |user: &str| format!("arn:aws:iam::111111111111:user/staff/{user}");
        assert!(owner(&auth, None, &arn("bob")).is_ok(), "the first one");
        assert!(owner(&auth, Some(&alice), &arn("alice")).is_ok());
        let told = |auth: &Auth, before, subject: &str| {
            let fault = owner(auth, before, subject).unwrap_err();
            format!("{} {}", fault.what, fault.why.join(" "))
        };
        let remembered = told(&auth, Some(&alice), &arn("bob"));
        assert!(remembered.contains("as bob, not as alice"), "{remembered}");
        auth.user = Some(alice.clone());
        let bob = "bob".parse().unwrap();
        let configured = told(&auth, Some(&bob), &arn("bob"));
        assert!(configured.contains("as bob, not as alice"), "{configured}");
        let elsewhere = told(&auth, None, "arn:aws:iam::222222222222:user/alice");
        assert!(elsewhere.contains("222222222222") && elsewhere.contains("111111111111"));
        for subject in [
            "arn:aws:iam::111111111111:root",
            "arn:aws:sts::111111111111:assumed-role/Admin/alice",
            "",
        ] {
            let told = told(&auth, None, subject);
            assert!(told.contains("not signed in as an IAM user"), "{told}");
            assert!(told.contains(subject) && told.contains("111111111111"), "{told}");
        }
    }
}
