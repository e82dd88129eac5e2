/// The errors of accounts.
pub mod codes {
    use authkit_core::{Class, ErrorCode};

    /// An identifier leads to another account already.
    pub static IDENTIFIER_TAKEN: ErrorCode =
        ErrorCode::new("account.identifier_taken", Class::Conflict, "There is an account with this address already.");
    /// The invitation is unknown, used, expired or for somebody else.
    pub static INVITATION_INVALID: ErrorCode = ErrorCode::new(
        "account.invitation_invalid",
        Class::Forbidden,
        "This invitation is not valid, has expired or was already used.",
    );
    /// Nobody can sign up.
    pub static SIGN_UP_CLOSED: ErrorCode =
        ErrorCode::new("account.sign_up_closed", Class::Forbidden, "New accounts cannot be created here.");
    /// The account's present status does not permit the change.
    pub static WRONG_STATUS: ErrorCode =
        ErrorCode::new("account.wrong_status", Class::Conflict, "The account's status does not permit this.");

    pub(crate) static ALL: [&ErrorCode; 4] = [&IDENTIFIER_TAKEN, &INVITATION_INVALID, &SIGN_UP_CLOSED, &WRONG_STATUS];
}

#[cfg(test)]
mod tests {
    use super::codes;

    #[test]
    fn errors_have_the_status_that_clients_are_promised() {
        let statuses = codes::ALL.map(|error| (error.code, error.class.status()));
        let promised = [
            ("account.identifier_taken", 409),
            ("account.invitation_invalid", 403),
            ("account.sign_up_closed", 403),
            ("account.wrong_status", 409),
        ];
        assert_eq!(statuses, promised);
    }
}
