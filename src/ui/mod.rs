//! The switcher. Knows nothing of AWS: a request goes out, a pass or a refusal comes back.
