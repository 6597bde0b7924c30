//! AWS's errors, before a service's protocol words them.

/// A request that failed. Codes are those of STS; `wire` translates them for the other services.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct AwsError {
    pub status: u16,
    pub code: &'static str,
    pub message: String,
}

impl AwsError {
    pub(super) fn new(status: u16, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into() }
    }

    pub(super) fn denied(message: impl Into<String>) -> Self {
        Self::new(403, "AccessDenied", message)
    }

    pub(super) fn invalid_token() -> Self {
        Self::new(
            403,
            "InvalidClientTokenId",
            "The security token included in the request is invalid",
        )
    }

    /// An error of the token endpoint of the console's sign-in.
    pub(super) fn of_token(code: &'static str, message: &str) -> Self {
        let status = match code {
            "TOKEN_EXPIRED" | "AUTHCODE_EXPIRED" => 401,
            "USER_CREDENTIALS_CHANGED" | "INSUFFICIENT_PERMISSIONS" => 403,
            "server_error" => 500,
            _ => 400,
        };
        Self::new(status, code, message)
    }

    /// The header beside such an error's body, without which AWS's own clients do not tell what it is.
    pub(super) fn type_of_token(&self) -> &'static str {
        match self.status {
            401 | 403 => "AccessDeniedException",
            429 => "TooManyRequestsError",
            500.. => "InternalServerException",
            _ => "ValidationException",
        }
    }

    pub(super) fn throttled() -> Self {
        Self::new(400, "Throttling", "Rate exceeded")
    }
}
