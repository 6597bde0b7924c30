//! What people paste in place of an access key, and what to say about it. No part of the text is repeated but ids.

use super::forms::{is_key_id, is_secret};
use super::{Other, clean, is_masked};
use crate::domain::fault::{Exit, Fault};
use crate::domain::ids::{AccessKeyId, Malformed};

/// Why a text is no access key: what it looks like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotKey {
    /// Empty, or blanks.
    Nothing,
    /// Not UTF-8.
    NotText,
    /// Nothing that is known.
    Unknown,
    /// An id without its secret.
    IdAlone(AccessKeyId),
    /// A secret without its id.
    SecretAlone,
    /// Temporary credentials, or a part of them.
    Session,
    /// Keys with different ids.
    Several(Vec<AccessKeyId>),
    /// Not the grammar of an id.
    BadId(Malformed),
    /// An invisible character inside the id or the secret.
    HiddenCharacters,
    /// A part is replaced by dots or stars.
    Masked,
    /// The id of something else in IAM: a user, a role.
    OtherId(&'static str),
    /// Credentials of another kind, told by their labels.
    Other(Other),
    /// A token, told by its first characters.
    Token(&'static str),
    /// A page to sign in on.
    SignInLink,
    /// An ARN.
    Arn,
    /// The account's number.
    AccountId,
    /// Six digits.
    MfaCode,
    /// What an authenticator app is set up with.
    MfaSeed,
    /// A private key or a certificate.
    Pem,
    /// One word that could be a password.
    Password,
}

/// The first four letters of IAM's ids, but those of access keys.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html#identifiers-unique-ids>
const ID_PREFIXES: &[(&str, &str)] = &[
    ("ABIA", "of a service's bearer token"),
    ("ACCA", "of a service-specific credential"),
    ("AGPA", "of a user group"),
    ("AIDA", "of an IAM user"),
    ("AIPA", "of an instance profile"),
    ("ANPA", "of a managed policy"),
    ("ANVA", "of a policy version"),
    ("APKA", "of a public key"),
    ("AROA", "of a role"),
    ("ASCA", "of a certificate"),
];

/// The first characters of tokens that are no AWS access key.
const TOKEN_PREFIXES: &[(&str, &str)] = &[
    ("ABSK", "an Amazon Bedrock API key"),
    ("bedrock-api-key-", "an Amazon Bedrock API key"),
    ("aoa", "an IAM Identity Center token"),
    ("aor", "an IAM Identity Center token"),
    ("eyJ", "a signed token (JWT)"),
    ("ghp_", "a GitHub token"),
    ("gho_", "a GitHub token"),
    ("github_pat_", "a GitHub token"),
    ("glpat-", "a GitLab token"),
    ("xox", "a Slack token"),
    ("sk-", "an API key of an AI service"),
    ("AIza", "a Google API key"),
    ("Bearer", "a bearer token"),
];

/// What an id that is no access key's belongs to.
pub fn look_of_id(text: &str) -> Option<NotKey> {
    let is_upper = |b: u8| b.is_ascii_uppercase() || b.is_ascii_digit();
    let is_id = (16..=128).contains(&text.len()) && text.bytes().all(is_upper);
    let known = ID_PREFIXES.iter().find(|(prefix, _)| is_id && text.starts_with(prefix));
    known.map(|(_, of)| NotKey::OtherId(of))
}

/// What a word looks like that is neither the id nor the secret of a key.
pub fn look_of(word: &str) -> Option<NotKey> {
    let is_long = word.len() >= 20;
    let digits = word.bytes().all(|b| b.is_ascii_digit()).then_some(word.len());
    let token = TOKEN_PREFIXES.iter().find(|(prefix, _)| is_long && word.starts_with(prefix));
    let is_seed = (word.len() == 32 || word.len() == 64)
        && word.bytes().all(|b| b.is_ascii_uppercase() || (b'2'..=b'7').contains(&b));
    // The session tokens of STS, in base64.
    let is_session =
        word.len() > 100 && ["IQoJ", "FwoG", "FQoG"].iter().any(|p| word.starts_with(p));
    Some(match digits {
        Some(6) => NotKey::MfaCode,
        Some(12) => NotKey::AccountId,
        _ if word.starts_with("https://") => NotKey::SignInLink,
        _ if word.starts_with("arn:aws") => NotKey::Arn,
        _ if word.starts_with("otpauth://") || is_seed => NotKey::MfaSeed,
        _ if word.starts_with("-----BEGIN") => NotKey::Pem,
        _ if is_session => NotKey::Session,
        _ => match token {
            Some((_, what)) => NotKey::Token(what),
            None => return look_of_id(word),
        },
    })
}

/// What a text without any label looks like.
pub fn look(text: &str) -> Option<NotKey> {
    let words = || text.split_whitespace().map(clean).filter(|word| !word.is_empty());
    let assigned =
        |word: &'_ str| word.split_once('=').and_then(|(_, value)| look_of(clean(value)));
    if let Some(look) = words().find_map(|word| look_of(word).or_else(|| assigned(word))) {
        return Some(look);
    }
    let mut all = words();
    let (Some(word), None) = (all.next(), all.next()) else { return None };
    Some(match word.parse::<AccessKeyId>() {
        Ok(id) if id.is_temporary() => NotKey::Session,
        Ok(id) if is_key_id(word) => NotKey::IdAlone(id),
        _ if is_secret(word) => NotKey::SecretAlone,
        _ if is_masked(word) => NotKey::Masked,
        _ => NotKey::Password,
    })
}

impl NotKey {
    /// The three lines for a person; `origin` is the subject of the first, e.g. `stdin`.
    pub fn fault(&self, origin: &str) -> Fault {
        let fault = |what: String| Fault::new(Exit::Usage, what);
        let not = |what: &str| fault(format!("{origin} contains {what}, not an access key"));
        let make =
            "make one in the IAM console: your user, Security credentials, Create access key";
        let forms = "paste AWS's CSV or JSON, lines of ~/.aws/credentials, `export` lines, or the id and the secret";
        match self {
            Self::Nothing => fault(format!("there is no access key on {origin}"))
                .because("nothing was entered")
                .fix("aws iam create-access-key | sekisho key add")
                .fix("or run `sekisho key add` in a terminal and paste the key"),
            Self::Unknown => fault(format!("{origin} contains no access key"))
                .because("an access key is an id (AKIA…) and a secret of 40 characters")
                .fix(forms),
            Self::NotText => fault(format!("{origin} contains no access key"))
                .because("it is not text in UTF-8 or UTF-16")
                .fix(forms),
            Self::IdAlone(id) => fault(format!("{origin} contains the id of an access key, without its secret"))
                .because(format!("{} is only half of the key; AWS shows the secret once, when the key is made", shown(id)))
                .fix("enter both, or make a new key in the IAM console"),
            Self::SecretAlone => fault(format!("{origin} contains a secret access key without its id"))
                .because("the id is the other half of the key; it begins with AKIA, and the IAM console lists it")
                .fix("enter both: the id, then the secret"),
            Self::Session => not("a session")
                .because("its key id begins with ASIA, or it has a session token: it is temporary")
                .because("signing in with a code needs an IAM user's long-term key")
                .fix("use the IAM user's key, whose id begins with AKIA"),
            Self::Several(ids) => {
                let ids: Vec<&str> = ids.iter().map(shown).collect();
                fault(format!("{origin} contains {} access keys", ids.len()))
                    .because(format!("their ids are {}", ids.join(", ")))
                    .fix("enter one of them, or take one from ~/.aws/credentials: sekisho key import --profile NAME")
            }
            Self::BadId(why) => fault(format!("{origin} contains no access key"))
                .because(why.to_string())
                .fix("check that the id is complete; it begins with AKIA"),
            Self::HiddenCharacters => fault(format!("{origin} contains an access key with hidden characters"))
                .because("they came along when it was copied, for instance from a chat or a PDF")
                .fix("copy the key from the IAM console or its CSV file"),
            Self::Masked => fault(format!("{origin} contains an access key of which a part is hidden"))
                .because("dots or stars stand where a page or a program does not show the rest")
                .fix("show the key before you copy it, or take it from the CSV file"),
            Self::OtherId(of) => not(&format!("the id {of}"))
                .because("the ids of access keys begin with AKIA")
                .fix(make),
            Self::Other(other) => other.fault(&not, make),
            Self::Token(what) => not(what)
                .because("sekisho signs in with the access key of an IAM user (AKIA…)")
                .fix(make),
            Self::SignInLink => not("a link")
                .because("a sign-in page is for people; programs need an access key")
                .fix(make),
            Self::Arn => not("an ARN")
                .because("an ARN is only a name, not a secret")
                .fix(make),
            Self::AccountId => not("an account id")
                .because("twelve digits name an account and open nothing")
                .fix(make),
            Self::MfaCode => not("an MFA code")
                .because("the access key comes first; sekisho asks for the code when it signs in")
                .fix(make),
            Self::MfaSeed => not("the secret of an authenticator app")
                .because("codes are made from it; keep it where the codes are made, and out of sekisho")
                .fix(make),
            Self::Pem => not("a private key or a certificate")
                .because("IAM users sign in with an access key (AKIA…)")
                .fix(make),
            Self::Password => fault(format!("{origin} contains no access key"))
                .because("it looks like a password: a console password signs in people, not programs")
                .because("or it is only a part of the key")
                .fix(make),
        }
    }
}

/// An id as it may be shown: another text in its place may be a secret.
fn shown(id: &AccessKeyId) -> &str {
    if is_key_id(id.as_str()) { id.as_str() } else { "an id that does not begin with AKIA" }
}

impl Other {
    fn fault(self, not: &dyn Fn(&str) -> Fault, make: &str) -> Fault {
        match self {
            Self::ConsolePassword => not("a console password")
                .because("a console password signs in people; programs need an access key")
                .fix(make),
            Self::ServicePassword => not("a password of one service")
                .because("it is for git, SMTP or another single service; IAM does not accept it")
                .fix(make),
            Self::Bedrock => not("an Amazon Bedrock API key")
                .because("it calls models and nothing else: no role can be assumed with it")
                .fix(make),
            Self::IdentityCenter => not("a token of IAM Identity Center")
                .because("its sessions never meet the MFA condition of a role's trust policy")
                .fix("use an IAM user's key, whose id begins with AKIA"),
            Self::ConsoleLogin => not("a session of `aws login`")
                .because("its keys are temporary, and the AWS CLI renews them")
                .fix("use an IAM user's key, whose id begins with AKIA"),
            Self::Role => not("a profile that assumes a role")
                .because("the key is in its source_profile")
                .fix("enter the key of that profile, or: sekisho key import --profile NAME"),
            Self::Process => not("a profile that runs a credential_process")
                .because("the program prints the key each time")
                .fix("leave the key there: set `auth.key: profile:NAME` in the config"),
        }
    }
}
