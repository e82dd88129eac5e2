/// The errors of accounts.
pub mod codes {
    use authkit_core::{Class, ErrorCode};

    /// An identifier leads to another account already.
    pub static IDENTIFIER_TAKEN: ErrorCode =
        ErrorCode::new("account.identifier_taken", Class::Conflict, "There is an account with this address already.");
    /// The id of a record is that of an account which was taken over with other identifiers.
    pub static IMPORTED_OTHERWISE: ErrorCode = ErrorCode::new(
        "account.imported_otherwise",
        Class::Conflict,
        "An account with this id was imported before, and it has other identifiers.",
    );
    /// The invitation is unknown, used, expired or for somebody else.
    pub static INVITATION_INVALID: ErrorCode = ErrorCode::new(
        "account.invitation_invalid",
        Class::Forbidden,
        "This invitation is not valid, has expired or was already used.",
    );
    /// Some records of an import were refused; the others were taken over.
    pub static ROWS_REFUSED: ErrorCode =
        ErrorCode::new("account.rows_refused", Class::Conflict, "Some rows were refused. Mend them and import again.");
    /// Nobody can sign up.
    pub static SIGN_UP_CLOSED: ErrorCode =
        ErrorCode::new("account.sign_up_closed", Class::Forbidden, "New accounts cannot be created here.");
    /// The account's present status does not permit the change.
    pub static WRONG_STATUS: ErrorCode =
        ErrorCode::new("account.wrong_status", Class::Conflict, "The account's status does not permit this.");

    pub(crate) static ALL: [&ErrorCode; 6] =
        [&IDENTIFIER_TAKEN, &IMPORTED_OTHERWISE, &INVITATION_INVALID, &ROWS_REFUSED, &SIGN_UP_CLOSED, &WRONG_STATUS];
}

#[cfg(test)]
mod tests {
    use super::codes;

    #[test]
    fn errors_have_the_status_that_clients_are_promised() {
        let statuses = codes::ALL.map(|error| (error.code, error.class.status()));
        let promised = [
            ("account.identifier_taken", 409),
            ("account.imported_otherwise", 409),
            ("account.invitation_invalid", 403),
            ("account.rows_refused", 409),
            ("account.sign_up_closed", 403),
            ("account.wrong_status", 409),
        ];
        assert_eq!(statuses, promised);
    }
}
