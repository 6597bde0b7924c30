//! What `init` and `import aws-config` write at the top of a new config.

/// The comment at the top of a new config, line by line.
pub const HEADING: [&str; 3] = [
    "The config of sekisho. It holds no secrets: `sekisho key add` stores the access key.",
    "`sekisho config check` reports errors in it, `sekisho config show` prints every value and its source.",
    "`sekisho config example` explains every key.",
];

/// The first line where the browser signs in.
pub const FIRST_WITHOUT_KEY: &str = "The config of sekisho. It holds no secrets, and needs no access key: `sekisho login` signs in.";

/// The same where AWS's own client does.
pub const FIRST_WITH_AWS_LOGIN: &str =
    "The config of sekisho. It holds no secrets, and needs no access key: `aws login` signs in.";
