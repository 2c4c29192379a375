//! Who may ask: registered verifiers, their rights, and how much they may ask.
//!
//! Called by `http` for each request where a registry is configured; an open responder has none.
