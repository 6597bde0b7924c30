//! Doors: whom else than the auth account's users a trust policy lets in, by kind.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::domain::ids::AccountId;
use crate::domain::text::sanitize;

use super::caller::{COGNITO, Caller, CallerKind, Home};
use super::condition::Holds;
use super::document::{Principal, PrincipalKind, Statement};
use super::{Setting, denied};

/// A principal that a statement lets in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Door {
    /// Who they are.
    #[serde(rename = "door")]
    pub kind: DoorKind,
    /// The statement's `Sid`, or `#2` for the second.
    pub statement: String,
    /// The principal as the document has it.
    pub principal: String,
    /// What it takes.
    #[serde(flatten)]
    pub needs: Needs,
}

/// Who may come in by a door.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DoorKind {
    /// Roles of the auth account, whose sessions carry no MFA.
    AuthRole,
    /// Users and roles of the account itself.
    OwnAccount,
    /// People who sign in with IAM Identity Center.
    IdentityCenter,
    /// Other accounts of the organization.
    Organization,
    /// An account outside it that `guardrails.trusted_accounts` lists.
    ListedAccount,
    /// An account outside it, or any account.
    ForeignAccount,
    /// Holders of an issuer's tokens.
    Oidc,
    /// Holders of a provider's assertions.
    Saml,
    /// Whoever a service hands the role's credentials to.
    Service,
}

/// What a door takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "needs", rename_all = "snake_case")]
pub enum Needs {
    /// MFA.
    Mfa,
    /// What a condition names: a subject, an audience, an external id, an organization.
    Condition,
    /// An assertion that the provider made for AWS, for whomever.
    Issuer,
    /// Nothing that binds it.
    Nothing,
    /// It cannot be fully interpreted.
    Unclear {
        /// What is not understood.
        why: String,
    },
}

/// What a door means to the account behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum DoorStanding {
    /// A condition binds it.
    Bound,
    /// Others than the auth account's users pass it; `verify` cannot see what they need.
    ForOthers,
    /// Anybody outside passes it.
    Open,
}

/// Services that hand a role's credentials to a machine or person outside their own computing.
const HAND_OUT: [&str; 5] = [
    "rolesanywhere.amazonaws.com",
    "credentials.iot.amazonaws.com",
    "ssm.amazonaws.com",
    "lakeformation.amazonaws.com",
    "access-grants.s3.amazonaws.com",
];

impl Door {
    /// What it means to the account.
    pub fn standing(&self) -> DoorStanding {
        match (&self.needs, self.kind) {
            // Whose device that is, the foreign account decides.
            (Needs::Mfa, DoorKind::ForeignAccount) => DoorStanding::ForOthers,
            (Needs::Mfa | Needs::Condition, kind) if kind != DoorKind::IdentityCenter => {
                DoorStanding::Bound
            }
            (Needs::Nothing, DoorKind::ForeignAccount | DoorKind::Oidc | DoorKind::Saml) => {
                DoorStanding::Open
            }
            _ => DoorStanding::ForOthers,
        }
    }
}

impl DoorKind {
    /// Every kind.
    pub const ALL: [Self; 9] = [
        Self::AuthRole,
        Self::OwnAccount,
        Self::IdentityCenter,
        Self::Organization,
        Self::ListedAccount,
        Self::ForeignAccount,
        Self::Oidc,
        Self::Saml,
        Self::Service,
    ];

    /// What reports call it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::AuthRole => "role of the auth account",
            Self::OwnAccount => "the account's own principals",
            Self::IdentityCenter => "Identity Center",
            Self::Organization => "account of the organization",
            Self::ListedAccount => "listed account",
            Self::ForeignAccount => "foreign account",
            Self::Oidc => "OIDC issuer",
            Self::Saml => "SAML provider",
            Self::Service => "service that hands out credentials",
        }
    }
}

impl fmt::Display for Needs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mfa => f.write_str("only with MFA"),
            Self::Condition => f.write_str("bound by a condition"),
            Self::Issuer => f.write_str("whoever the provider lets in"),
            Self::Nothing => f.write_str("no condition binds it"),
            Self::Unclear { why } => write!(f, "not understood: {why}"),
        }
    }
}

/// The doors of all statements.
pub(super) fn doors(statements: &[Statement], setting: Setting<'_>) -> Vec<Door> {
    let mut doors: Vec<Door> = Vec::new();
    for statement in statements.iter().filter(|statement| statement.allows) {
        for principal in &statement.principals {
            let entry = Entry { statements, statement, principal, setting };
            for door in entry.doors() {
                if !doors.contains(&door) {
                    doors.push(door);
                }
            }
        }
    }
    doors
}

/// One principal of one statement that allows something.
struct Entry<'a> {
    statements: &'a [Statement],
    statement: &'a Statement,
    principal: &'a Principal,
    setting: Setting<'a>,
}

impl Entry<'_> {
    fn doors(&self) -> Vec<Door> {
        match &self.principal.kind {
            PrincipalKind::Anyone => self.wildcard(),
            PrincipalKind::Account(id) => self.of_account(*id, true, true),
            PrincipalKind::User(id) => self.of_account(*id, true, false),
            PrincipalKind::Role(id) => self.of_account(*id, false, true),
            PrincipalKind::Oidc(issuer) => self.oidc(issuer).into_iter().collect(),
            PrincipalKind::Saml(provider) => {
                // The provider that Identity Center makes in every account.
                let kind = if provider.starts_with("AWSSSO_") {
                    DoorKind::IdentityCenter
                } else {
                    DoorKind::Saml
                };
                self.saml(kind).into_iter().collect()
            }
            PrincipalKind::Service => self.service().into_iter().collect(),
            PrincipalKind::Nobody => Vec::new(),
        }
    }

    /// `*`: the widest door that it opens; the narrower ones follow from it.
    fn wildcard(&self) -> Vec<Door> {
        let principals = |home| self.principals(home, None, true, true);
        let wide = [
            (DoorKind::ForeignAccount, principals(Home::Foreign)),
            (DoorKind::Organization, principals(Home::Member)),
        ];
        let tokens = [self.oidc("*"), self.saml(DoorKind::Saml)];
        let narrow = [
            (DoorKind::OwnAccount, self.principals(Home::Own, Some(self.setting.own), true, true)),
            (DoorKind::AuthRole, self.auth_roles()),
        ];
        let mut doors: Vec<Door> = Vec::new();
        let widest = wide.into_iter().find_map(|(kind, needs)| Some(self.door(kind, needs?)));
        match widest {
            Some(door) => doors.push(door),
            None => doors.extend(
                narrow.into_iter().filter_map(|(kind, needs)| Some(self.door(kind, needs?))),
            ),
        }
        if doors.iter().all(|door| door.needs != Needs::Nothing) {
            doors.extend(tokens.into_iter().flatten());
        }
        doors
    }

    fn of_account(&self, id: AccountId, users: bool, roles: bool) -> Vec<Door> {
        let known = self.setting.known;
        let of = |home| self.principals(home, Some(id), users, roles);
        let door = if id == known.auth {
            (DoorKind::AuthRole, self.auth_roles().filter(|_| roles))
        } else if id == self.setting.own {
            (DoorKind::OwnAccount, of(Home::Own))
        } else if known.members.contains(&id) {
            (DoorKind::Organization, of(Home::Member))
        } else if known.trusted.contains(&id) {
            (DoorKind::ListedAccount, of(Home::Foreign))
        } else if let Some(needs) = of(Home::Foreign) {
            (DoorKind::ForeignAccount, Some(needs))
        } else {
            // The config need not name every account of the organization.
            (DoorKind::Organization, of(Home::Member))
        };
        door.1.map(|needs| self.door(door.0, needs)).into_iter().collect()
    }

    fn auth_roles(&self) -> Option<Needs> {
        let auth = self.setting.known.auth;
        // Where the users themselves get in without MFA, that is said of them, and is the worse.
        let user = |kind| Caller { kind, home: Home::Auth, account: Some(auth), stranger: false };
        let users =
            matches!(self.principal.kind, PrincipalKind::Anyone | PrincipalKind::Account(_));
        if users && self.passes(&user(CallerKind::Key)) == Pass::Yes {
            return None;
        }
        self.principals(Home::Auth, Some(auth), false, true)
    }

    /// What a principal of an account needs; `None` where none of that account gets in.
    fn principals(
        &self,
        home: Home,
        account: Option<AccountId>,
        users: bool,
        roles: bool,
    ) -> Option<Needs> {
        let mut kinds = Vec::new();
        if roles {
            kinds.push(CallerKind::Role);
        }
        if users {
            kinds.extend([CallerKind::Key, CallerKind::SessionWithoutMfa]);
        }
        let mut strangers = kinds.clone();
        if users && home == Home::Foreign && account.is_none() {
            // Anybody can have an account, and a device in it.
            strangers.push(CallerKind::SessionWithMfa);
        }
        let callers = |kinds: &[CallerKind<'static>], stranger| -> Vec<Caller<'static>> {
            kinds.iter().map(move |kind| Caller { kind: *kind, home, account, stranger }).collect()
        };
        let with_mfa = Caller { kind: CallerKind::SessionWithMfa, home, account, stranger: false };
        self.first([
            (Needs::Nothing, callers(&strangers, true)),
            (Needs::Condition, callers(&kinds, false)),
            (Needs::Mfa, if users { vec![with_mfa] } else { Vec::new() }),
        ])
    }

    fn oidc(&self, issuer: &str) -> Option<Door> {
        let of = |kind, stranger| Caller { kind, home: Home::Foreign, account: None, stranger };
        let kind = CallerKind::Oidc(issuer);
        let mut needs = self.first([
            (Needs::Nothing, vec![of(kind, true)]),
            (Needs::Condition, vec![of(kind, false)]),
        ])?;
        let guest = of(CallerKind::CognitoGuest, false);
        if issuer == COGNITO && needs == Needs::Condition && self.passes(&guest) == Pass::Yes {
            needs = Needs::Unclear {
                why: "guests of the identity pool get in, if the pool admits any".into(),
            };
        }
        Some(self.door(DoorKind::Oidc, needs))
    }

    fn saml(&self, kind: DoorKind) -> Option<Door> {
        let of = |for_aws, stranger| Caller {
            kind: CallerKind::Saml { for_aws },
            home: Home::Foreign,
            account: None,
            stranger,
        };
        let needs = self.first([
            (Needs::Nothing, vec![of(false, true)]),
            (Needs::Issuer, vec![of(true, true)]),
            (Needs::Condition, vec![of(true, false)]),
        ])?;
        Some(self.door(kind, needs))
    }

    fn service(&self) -> Option<Door> {
        let name = self.principal.text.as_str();
        if !HAND_OUT.contains(&name) {
            return None;
        }
        let of = |stranger| Caller {
            kind: CallerKind::Service(name),
            home: Home::Foreign,
            account: None,
            stranger,
        };
        let needs =
            self.first([(Needs::Nothing, vec![of(true)]), (Needs::Condition, vec![of(false)])])?;
        Some(self.door(DoorKind::Service, needs))
    }

    /// The first of several needs whose callers get in; what is unclear about one outweighs the later ones.
    fn first<const N: usize>(&self, tries: [(Needs, Vec<Caller<'_>>); N]) -> Option<Needs> {
        for (needs, callers) in tries {
            let passes: Vec<Pass> = callers.iter().map(|caller| self.passes(caller)).collect();
            if passes.contains(&Pass::Yes) {
                return Some(needs);
            }
            let unclear = passes.into_iter().find_map(|pass| match pass {
                Pass::Unclear(why) => Some(why),
                _ => None,
            });
            if let Some(why) = unclear {
                return Some(Needs::Unclear { why: sanitize(&why) });
            }
        }
        None
    }

    fn passes(&self, caller: &Caller<'_>) -> Pass {
        let text = Some(self.principal.text.as_str());
        if !self.statement.covers(caller.action())
            || denied(self.statements, caller, text, self.setting)
        {
            return Pass::No;
        }
        match self.statement.holds(caller, self.setting) {
            Holds::Always | Holds::Perhaps => Pass::Yes,
            Holds::Never => Pass::No,
            Holds::Unclear(why) => Pass::Unclear(why),
        }
    }

    fn door(&self, kind: DoorKind, needs: Needs) -> Door {
        Door {
            kind,
            statement: sanitize(&self.statement.name),
            principal: sanitize(&self.principal.text),
            needs,
        }
    }
}

/// Whether a caller gets in by the statement.
#[derive(PartialEq, Eq)]
enum Pass {
    Yes,
    No,
    Unclear(String),
}
