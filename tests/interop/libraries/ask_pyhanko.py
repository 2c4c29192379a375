"""pyhanko-certvalidator judges: ask_pyhanko.py CA.pem CERT.pem ANSWER.der... prints `CERT.pem good|revoked|error`."""

import asyncio
import sys

from asn1crypto import ocsp, pem, x509
from pyhanko_certvalidator import CertificateValidator, ValidationContext
from pyhanko_certvalidator.errors import RevokedError


def read(path, kind):
    with open(path, "rb") as file:
        octets = file.read()
    return kind.load(pem.unarmor(octets)[2] if pem.detect(octets) else octets)


async def judge(authority, certificate, answer):
    context = ValidationContext(trust_roots=[read(authority, x509.Certificate)], allow_fetching=False,
                                ocsps=[read(answer, ocsp.OCSPResponse)], revocation_mode="require")
    validator = CertificateValidator(read(certificate, x509.Certificate), validation_context=context)
    try:
        await validator.async_validate_usage(set())
        return "good"
    except RevokedError as error:
        return f"revoked {error.reason.human_friendly if error.reason else ''}"
    except Exception as error:  # whatever it is, it is what this library says
        return f"{type(error).__name__}: {error}"


arguments = iter(sys.argv[2:])
for certificate, answer in zip(arguments, arguments):
    print(f"{certificate}\t{asyncio.run(judge(sys.argv[1], certificate, answer))}")
