"""The questions that every library is asked, and what each should hear.

A question is (case, CA file, serial numbers, with a nonce?, by GET?, expected statuses); a status is `good`,
`unknown` or `revoked:REASON`, with `-` for no reason. Serial numbers of every reason come from the CRLs.
"""

import glob
import os
import re
import subprocess

KINDS = ("good", "revoked", "hold", "unissued")
REASONS = {"Key Compromise": 1, "CA Compromise": 2, "Affiliation Changed": 3, "Superseded": 4,
           "Cessation Of Operation": 5, "Certificate Hold": 6}
NAMES = {1: "keyCompromise", 2: "cACompromise", 3: "affiliationChanged", 4: "superseded",
         5: "cessationOfOperation", 6: "certificateHold", None: "no reason"}


def openssl(*arguments, cwd):
    done = subprocess.run(("openssl", *arguments), cwd=cwd, stdin=subprocess.DEVNULL, capture_output=True, check=True)
    return done.stdout.decode()


def revoked(folder, ca):
    """The reason of every serial number on the CRLs of a CA, as openssl reads them."""
    found = {}
    for crl in sorted(glob.glob(os.path.join(folder, "crl", ca, "*.crl"))):
        text = openssl("crl", "-in", crl, "-inform", "DER", "-noout", "-text", cwd=folder)
        for entry in text.split("Serial Number: ")[1:]:
            serial = entry.split("\n", 1)[0].strip()
            reason = re.search(r"CRL Reason Code:\s*\n\s*(.+)", entry)
            found[serial] = REASONS[reason.group(1).strip()] if reason else None
    return found


def questions(folder):
    asked = []
    for ca in ("auth", "sign"):
        reasons = revoked(folder, ca)
        serials = {}
        for kind in KINDS:
            text = openssl("x509", "-in", f"{ca}-{kind}.pem", "-noout", "-serial", cwd=folder)
            serials[kind] = text.strip().split("=")[1]

        def expected(kind, serials=serials, reasons=reasons):
            reason = reasons.get(serials[kind])
            return {"good": "good", "unissued": "unknown"}.get(kind, f"revoked:{reason or '-'}")

        asked += [(f"{ca} {kind}", f"{ca}-ca.pem", [serials[kind]], False, False, [expected(kind)]) for kind in KINDS]
        for reason, serial in sorted({why: serial for serial, why in reversed(reasons.items())}.items(),
                                     key=lambda item: item[0] or 0):
            if all(case != NAMES[reason] for case, *_ in asked):
                asked.append((NAMES[reason], f"{ca}-ca.pem", [serial], False, False, [f"revoked:{reason or '-'}"]))
        if ca == "auth":
            asked += [("several", "auth-ca.pem", [serials[kind] for kind in KINDS], False, False,
                       [expected(kind) for kind in KINDS]),
                      ("nonce", "auth-ca.pem", [serials["hold"]], True, False, [expected("hold")]),
                      ("GET", "auth-ca.pem", [serials["revoked"]], False, True, [expected("revoked")])]
    return asked


CASES = [*NAMES.values(), "several", "nonce", "GET"]


def put(asked, command, cwd, unspecified="-"):
    """Asks all of them of one program; yields (case, None or what was wrong)."""
    lines = "".join(f"{case}\t{ca}\t{','.join(serials)}\t{int(nonce)}\t{int(get)}\n"
                    for case, ca, serials, nonce, get, _ in asked)
    done = subprocess.run(command, cwd=cwd, input=lines.encode(), capture_output=True, timeout=600, check=False)
    said = dict(line.split("\t", 1) for line in done.stdout.decode(errors="replace").splitlines() if "\t" in line)
    for case, _, _, _, _, expected in asked:
        heard = said.get(case, done.stderr.decode(errors="replace"))
        wanted = ",".join(status.replace(":-", f":{unspecified}") for status in expected)
        yield case, None if heard == wanted else f"expected {wanted}, heard {heard}"
