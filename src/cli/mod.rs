//! The command line: joins the switcher and the services, one file a verb.
