//! The content octets of the object identifiers that are compared on the hot path. Each is taken
//! from `const-oid` at compile time, so that no octet of them is written by hand.

use const_oid::ObjectIdentifier;
use const_oid::db::{rfc5280, rfc5912, rfc6960, rfc8410};

macro_rules! oids {
    ($($(#[$doc:meta])* $name:ident = $oid:expr;)*) => {$(
        $(#[$doc])*
        pub const $name: &[u8] = {
            const OID: ObjectIdentifier = $oid;
            OID.as_bytes()
        };
    )*};
}

oids! {
    /// id-sha1
    SHA1 = rfc5912::ID_SHA_1;
    /// id-sha256
    SHA256 = rfc5912::ID_SHA_256;
    /// id-sha384
    SHA384 = rfc5912::ID_SHA_384;
    /// id-sha512
    SHA512 = rfc5912::ID_SHA_512;

    /// sha256WithRSAEncryption
    SHA256_WITH_RSA = rfc5912::SHA_256_WITH_RSA_ENCRYPTION;
    /// sha384WithRSAEncryption
    SHA384_WITH_RSA = rfc5912::SHA_384_WITH_RSA_ENCRYPTION;
    /// sha512WithRSAEncryption
    SHA512_WITH_RSA = rfc5912::SHA_512_WITH_RSA_ENCRYPTION;
    /// ecdsa-with-SHA256
    ECDSA_WITH_SHA256 = rfc5912::ECDSA_WITH_SHA_256;
    /// ecdsa-with-SHA384
    ECDSA_WITH_SHA384 = rfc5912::ECDSA_WITH_SHA_384;
    /// ecdsa-with-SHA512
    ECDSA_WITH_SHA512 = rfc5912::ECDSA_WITH_SHA_512;
    /// id-Ed25519
    ED25519 = rfc8410::ID_ED_25519;
    /// rsaEncryption
    RSA_ENCRYPTION = rfc5912::RSA_ENCRYPTION;
    /// id-ecPublicKey
    EC_PUBLIC_KEY = rfc5912::ID_EC_PUBLIC_KEY;
    /// secp256r1
    SECP256R1 = rfc5912::SECP_256_R_1;
    /// secp384r1
    SECP384R1 = rfc5912::SECP_384_R_1;

    /// id-pkix-ocsp-basic (RFC 6960 4.2.1)
    OCSP_BASIC = rfc6960::ID_PKIX_OCSP_BASIC;
    /// id-pkix-ocsp-nonce (RFC 9654 2.1)
    OCSP_NONCE = rfc6960::ID_PKIX_OCSP_NONCE;
    /// id-pkix-ocsp-crl (RFC 6960 4.4.2)
    OCSP_CRL = rfc6960::ID_PKIX_OCSP_CRL;
    /// id-pkix-ocsp-response (RFC 6960 4.4.3)
    OCSP_RESPONSE = rfc6960::ID_PKIX_OCSP_RESPONSE;
    /// id-pkix-ocsp-archive-cutoff (RFC 6960 4.4.4)
    OCSP_ARCHIVE_CUTOFF = rfc6960::ID_PKIX_OCSP_ARCHIVE_CUTOFF;
    /// id-pkix-ocsp-service-locator (RFC 6960 4.4.6)
    OCSP_SERVICE_LOCATOR = rfc6960::ID_PKIX_OCSP_SERVICE_LOCATOR;
    /// id-pkix-ocsp-pref-sig-algs (RFC 6960 4.4.7)
    OCSP_PREF_SIG_ALGS = rfc6960::ID_PKIX_OCSP_PREF_SIG_ALGS;
    /// id-pkix-ocsp-extended-revoke (RFC 6960 4.4.8)
    OCSP_EXTENDED_REVOKE = rfc6960::ID_PKIX_OCSP_EXTENDED_REVOKE;

    /// id-ce-authorityKeyIdentifier
    AUTHORITY_KEY_IDENTIFIER = rfc5280::ID_CE_AUTHORITY_KEY_IDENTIFIER;
    /// id-ce-cRLNumber (RFC 5280 5.2.3)
    CRL_NUMBER = rfc5280::ID_CE_CRL_NUMBER;
    /// id-ce-deltaCRLIndicator (RFC 5280 5.2.4)
    DELTA_CRL_INDICATOR = rfc5280::ID_CE_DELTA_CRL_INDICATOR;
    /// id-ce-issuingDistributionPoint (RFC 5280 5.2.5)
    ISSUING_DISTRIBUTION_POINT = rfc5280::ID_CE_ISSUING_DISTRIBUTION_POINT;
    /// id-ce-cRLReasons (RFC 5280 5.3.1)
    REASON_CODE = rfc5280::ID_CE_CRL_REASONS;
    /// id-ce-invalidityDate (RFC 5280 5.3.2)
    INVALIDITY_DATE = rfc5280::ID_CE_INVALIDITY_DATE;
    /// id-ce-certificateIssuer (RFC 5280 5.3.3)
    CERTIFICATE_ISSUER = rfc5280::ID_CE_CERTIFICATE_ISSUER;
}
