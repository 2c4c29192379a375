"""pyca cryptography asks: ask_pyca.py URL, questions on standard input as questions.py writes them.

It knows no request for several certificates; those are not asked here.
"""

import base64
import os
import sys
import urllib.parse
import urllib.request

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding
from cryptography.x509 import ocsp

REASONS = {"unspecified": 0, "keyCompromise": 1, "cACompromise": 2, "affiliationChanged": 3, "superseded": 4,
           "cessationOfOperation": 5, "certificateHold": 6, "privilegeWithdrawn": 9, "aACompromise": 10}


def digest(data, algorithm):
    state = hashes.Hash(algorithm)
    state.update(data)
    return state.finalize()


def verify(response, issuer):
    """By the delegate that is sent, which the CA issued for this (RFC 6960 4.2.2.2)."""
    signer = response.certificates[0]
    signer.verify_directly_issued_by(issuer)
    usage = signer.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert x509.ExtendedKeyUsageOID.OCSP_SIGNING in usage
    key, signed = signer.public_key(), response.tbs_response_bytes
    if isinstance(key, ec.EllipticCurvePublicKey):
        key.verify(response.signature, signed, ec.ECDSA(response.signature_hash_algorithm))
    elif isinstance(key, ed25519.Ed25519PublicKey):
        key.verify(response.signature, signed)
    else:
        key.verify(response.signature, signed, padding.PKCS1v15(), response.signature_hash_algorithm)


def ask(url, authority, serial, nonce, get):
    with open(authority, "rb") as file:
        issuer = x509.load_pem_x509_certificate(file.read())
    key = x509.SubjectKeyIdentifier.from_public_key(issuer.public_key()).digest
    name = issuer.subject.public_bytes()
    builder = ocsp.OCSPRequestBuilder().add_certificate_by_hash(digest(name, hashes.SHA1()), key, serial,
                                                                hashes.SHA1())
    octets = os.urandom(32)
    if nonce:
        builder = builder.add_extension(x509.OCSPNonce(octets), critical=False)
    from cryptography.hazmat.primitives.serialization import Encoding
    request = builder.build().public_bytes(Encoding.DER)
    if get:
        asked = url + urllib.parse.quote(base64.b64encode(request).decode(), safe="")
    else:
        asked = urllib.request.Request(url, request, {"Content-Type": "application/ocsp-request"})
    with urllib.request.urlopen(asked, timeout=60) as page:
        response = ocsp.load_der_ocsp_response(page.read())
    if response.response_status != ocsp.OCSPResponseStatus.SUCCESSFUL:
        return f"status {response.response_status}"
    verify(response, issuer)
    assert response.serial_number == serial
    if nonce:
        assert response.extensions.get_extension_for_class(x509.OCSPNonce).value.nonce == octets
    if response.certificate_status == ocsp.OCSPCertStatus.REVOKED:
        reason = response.revocation_reason
        return f"revoked:{'-' if reason is None else REASONS[reason.value]}"
    return response.certificate_status.name.lower()


for line in sys.stdin:
    case, authority, serial, nonce, get = line.rstrip("\n").split("\t")
    try:
        said = ask(sys.argv[1], authority, int(serial, 16), nonce == "1", get == "1")
    except Exception as error:  # whatever it is, it is what this library says
        said = f"{type(error).__name__}: {error}"
    print(f"{case}\t{said}")
