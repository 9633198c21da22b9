//! One validated `Config` out of flags, environment, files and defaults.
