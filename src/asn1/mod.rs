//! DER, read in place and written forward: the few lines of X.690 that the hot path needs.
//!
//! Everywhere else `x509-cert` and `der` do this work. What stands here is what they cannot
//! do without allocating: borrow, skip, and take the raw bytes of an element as they stand.
//! Strictness: definite and minimal lengths only (X.690 10.1), no high tag numbers, and at most
//! [`MAX_LENGTH`] octets an element. Every failure is one [`DerError`]; no function here panics.

mod oid;
mod reader;
#[cfg(test)]
mod tests;
mod writer;

pub use oid::*;
pub use reader::{DerError, Element, Reader, parse_header};
pub use writer::{header_len, len_of, tlv, write_header, write_tlv};

/// Tags of the universal and context-specific types in use here (X.690 8.1.2).
pub mod tag {
    pub const BOOLEAN: u8 = 0x01;
    pub const INTEGER: u8 = 0x02;
    pub const BIT_STRING: u8 = 0x03;
    pub const OCTET_STRING: u8 = 0x04;
    pub const NULL: u8 = 0x05;
    pub const OBJECT_IDENTIFIER: u8 = 0x06;
    pub const ENUMERATED: u8 = 0x0a;
    pub const UTF8_STRING: u8 = 0x0c;
    pub const PRINTABLE_STRING: u8 = 0x13;
    pub const TELETEX_STRING: u8 = 0x14;
    pub const IA5_STRING: u8 = 0x16;
    pub const UTC_TIME: u8 = 0x17;
    pub const GENERALIZED_TIME: u8 = 0x18;
    pub const UNIVERSAL_STRING: u8 = 0x1c;
    pub const BMP_STRING: u8 = 0x1e;
    pub const SEQUENCE: u8 = 0x30;
    pub const SET: u8 = 0x31;

    /// `[number]`, primitive (an IMPLICIT tag over a primitive type).
    pub const fn context(number: u8) -> u8 {
        0x80 | number
    }

    /// `[number]`, constructed (an EXPLICIT tag, or an IMPLICIT one over a constructed type).
    pub const fn context_constructed(number: u8) -> u8 {
        0xa0 | number
    }
}

/// The longest element that is accepted, in octets: 4 GiB less one, what four length octets say.
pub const MAX_LENGTH: u64 = u32::MAX as u64;
