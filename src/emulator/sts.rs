//! The Security Token Service, API version 2011-06-15.

use jiff::Timestamp;

use super::authenticator;
use super::caller::{Caller, assumed_role_arn};
use super::encoding::{element, nest};
use super::error::AwsError;
use super::organization::EmulatedDevice;
use super::parameters::{Check, FEDERATED_NAME, RoleRequest, SessionPolicies, invalid};
use super::pattern::Keys;
use super::rules::{Grant, RequestedAction};
use super::state::{Holder, IssuedSession, RoleSession, State, unique_id};
use super::wire::{Fields, Inbound};

const HOUR: u32 = 3600;

impl State {
    pub(super) fn sts(&mut self, inbound: &Inbound, caller: &Caller) -> Result<String, AwsError> {
        self.region_is_on(&caller.account(&self.organization), &caller.region)?;
        match inbound.action.as_str() {
            "GetCallerIdentity" => Ok(self.get_caller_identity(caller)),
            "GetSessionToken" => self.get_session_token(&inbound.fields, caller),
            "AssumeRole" => self.assume_role(&inbound.fields, caller),
            "GetFederationToken" => self.get_federation_token(&inbound.fields, caller),
            _ => Err(AwsError::unknown_action(inbound)),
        }
    }

    /// Needs no permission, and no policy can deny it.
    fn get_caller_identity(&self, caller: &Caller) -> String {
        let organization = &self.organization;
        element("Arn", caller.arn(organization))
            + &element("UserId", caller.user_id(organization))
            + &element("Account", caller.account(organization))
    }

    fn get_session_token(&mut self, fields: &Fields, caller: &Caller) -> Result<String, AwsError> {
        let mut check = Check::default();
        let seconds = check.seconds(fields, 129_600)?.unwrap_or(43_200);
        let code = check.mfa(fields);
        check.done()?;
        if caller.session.is_some() {
            return Err(AwsError::denied("Cannot call GetSessionToken with session credentials"));
        }
        let passed = self.pass_mfa(caller, code)?;
        self.authorise(
            caller,
            &RequestedAction {
                action: "sts:GetSessionToken",
                resource: "*",
                grant: Grant::Nobody,
                keys: Keys::new(),
                code_passed: passed,
            },
        )?;
        let seconds = match caller.holder {
            Holder::Root => seconds.min(HOUR),
            _ => seconds,
        };
        let mfa = passed.then(|| self.now());
        let session = self.issue(caller.holder.clone(), seconds, mfa, None)?;
        Ok(credentials(&session))
    }

    fn assume_role(&mut self, fields: &Fields, caller: &Caller) -> Result<String, AwsError> {
        let request = RoleRequest::read(fields)?;
        let RoleRequest { arn, name, tags, source, .. } = &request;
        let policies = request.policies.parse()?;
        if let Holder::Root = caller.holder {
            return Err(AwsError::denied("Roles may not be assumed by root accounts."));
        }
        let code_passed = self.pass_mfa(caller, request.mfa)?;
        self.region_is_on(arn.split(':').nth(4).unwrap_or_default(), &caller.region)?;

        // A federated user may call nothing here but GetCallerIdentity: for it, no role exists.
        let federated = matches!(caller.holder, Holder::Federated { .. });
        let role = self.organization.find_role(arn).filter(|_| !federated).cloned();
        let needed = [
            Some("sts:AssumeRole"),
            (!tags.is_empty()).then_some("sts:TagSession"),
            source.map(|_| "sts:SetSourceIdentity"),
        ];
        for action in needed.into_iter().flatten() {
            let grant = role.as_ref().map_or(Grant::NoSuchRole, Grant::Trust);
            let keys = request.keys();
            self.authorise(
                caller,
                &RequestedAction { action, resource: arn, grant, keys, code_passed },
            )?;
        }

        let chained = caller.session.is_some();
        let seconds = request.seconds.unwrap_or(HOUR);
        let beyond = |limit| invalid(format!("The requested DurationSeconds exceeds the {limit}."));
        if chained && seconds > HOUR {
            return Err(beyond("1 hour session limit for roles assumed by role chaining"));
        }
        if role.is_some_and(|role| seconds > role.max_session) {
            return Err(beyond("MaxSessionDuration set for this role"));
        }
        let packed = request.policies.packed(tags)?;
        // Once set, a source identity goes from session to session, and so do transitive tags.
        let (inherited, passed_on) = match &caller.holder {
            Holder::Role(session) => {
                (session.source_identity.clone(), session.tags.transitive.as_slice())
            }
            _ => (None, [].as_slice()),
        };
        let holder = Holder::Role(RoleSession {
            arn: (*arn).to_owned(),
            name: (*name).to_owned(),
            chained,
            source_identity: inherited.or(source.map(Into::into)),
            tags: request.tags_after(passed_on)?,
        });
        let session = self.issue(holder, seconds, None, policies)?;
        let id = format!("{}:{name}", unique_id("AROA", arn));
        let user = element("AssumedRoleId", id) + &element("Arn", assumed_role_arn(arn, name));
        Ok(credentials(&session)
            + &nest("AssumedRoleUser", &user)
            + &packed.map_or_else(String::new, |percent| element("PackedPolicySize", percent))
            + &source.map_or_else(String::new, |source| element("SourceIdentity", source)))
    }

    fn get_federation_token(
        &mut self,
        fields: &Fields,
        caller: &Caller,
    ) -> Result<String, AwsError> {
        let mut check = Check::default();
        let seconds = check.seconds(fields, 129_600)?.unwrap_or(43_200);
        let name = check.text(fields, "Name", FEDERATED_NAME);
        check.required(name, "name");
        let policies = SessionPolicies::read(fields, &mut check);
        check.done()?;
        let (Holder::User(user), None) = (&caller.holder, &caller.session) else {
            return Err(AwsError::denied(
                "Cannot call GetFederationToken with session credentials",
            ));
        };
        let (name, organization) = (name.unwrap_or_default().to_owned(), &self.organization);
        let arn = format!(
            "arn:{}:sts::{}:federated-user/{name}",
            organization.partition, organization.auth
        );
        self.authorise(
            caller,
            &RequestedAction {
                action: "sts:GetFederationToken",
                resource: &arn,
                grant: Grant::Identity,
                keys: Keys::new(),
                code_passed: false,
            },
        )?;
        let federated = element("FederatedUserId", format!("{}:{name}", self.organization.auth))
            + &element("Arn", &arn);
        // Without a session policy, a federated user may do nothing.
        let policies = Some(policies.parse()?.unwrap_or_default());
        let session =
            self.issue(Holder::Federated { user: user.clone(), name }, seconds, None, policies)?;
        Ok(credentials(&session) + &nest("FederatedUser", &federated))
    }

    /// Checks serial and code; a code that is right is spent, whatever becomes of the call.
    fn pass_mfa(
        &mut self,
        caller: &Caller,
        mfa: (Option<&str>, Option<&str>),
    ) -> Result<bool, AwsError> {
        let denied =
            |what| Err(AwsError::denied(format!("MultiFactorAuthentication failed, {what}")));
        let (serial, code) = match mfa {
            (None, None) => return Ok(false),
            (Some(serial), Some(code)) => (serial, code),
            _ => return denied("must provide both MFA serial number and one time pass code."),
        };
        let devices = match &caller.holder {
            Holder::User(name) => {
                self.organization.find_user(name).map(|user| user.devices.as_slice())
            }
            _ => None,
        };
        let device = devices.unwrap_or_default().iter().find(|device| device.serial() == serial);
        let Some(EmulatedDevice::Totp { seed, .. }) = device else {
            return denied(
                "unable to validate MFA code.  Please verify your MFA serial number is valid and associated with this user.",
            );
        };
        let now = self.now();
        if self.spent.take(serial, seed, code, now) {
            return Ok(true);
        }
        Err(AwsError::denied(
            "MultiFactorAuthentication failed with invalid MFA one time pass code.",
        ))
    }

    fn region_is_on(&self, account: &str, region: &str) -> Result<(), AwsError> {
        let off = self
            .organization
            .find_account(account)
            .is_some_and(|account| account.sts_off.iter().any(|off| off == region));
        if !off {
            return Ok(());
        }
        let text = format!(
            "STS is not activated in this region for account:{account}. Your account administrator can activate \
             STS in this region using the IAM Console."
        );
        Err(AwsError::new(403, "RegionDisabledException", text))
    }

    /// The code a device shows now.
    pub(super) fn code(&self, serial: &str) -> Option<String> {
        let now: Timestamp = self.now();
        self.organization.users.iter().flat_map(|user| &user.devices).find_map(
            |device| match device {
                EmulatedDevice::Totp { serial: own, seed } if own == serial => {
                    Some(authenticator::code(seed, now))
                }
                _ => None,
            },
        )
    }
}

fn credentials(session: &IssuedSession) -> String {
    nest(
        "Credentials",
        &(element("AccessKeyId", &session.id)
            + &element("SecretAccessKey", &session.secret)
            + &element("SessionToken", &session.token)
            + &element("Expiration", session.expires.strftime("%Y-%m-%dT%H:%M:%SZ"))),
    )
}
