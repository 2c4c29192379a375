"""A client of OCSP that asks quickly, and has openssl verify what counts."""
import hashlib, http.client, re, subprocess


def tlv(tag, *content):
    body = b"".join(content)
    size = bytes([len(body)]) if len(body) < 128 else b"\x82" + len(body).to_bytes(2, "big")
    return bytes([tag]) + size + body


class Client:
    """Asks about the certificates of one CA over one connection."""

    def __init__(self, place, ca, port):
        self.place, self.ca = place, place.folder / f"{ca}-ca.pem"
        ask = place.folder / f"{ca}-ask.der"
        if not ask.exists():
            place.openssl("ocsp", "-issuer", self.ca, "-serial", "0x1", "-no_nonce", "-reqout", ask)
        # OCTET STRING of 20 octets, twice: the hashes of the CA's name and of its key (SHA-1).
        found = re.search(b"\x04\x14(.{20})\x04\x14(.{20})", ask.read_bytes(), re.DOTALL)
        sha1 = tlv(0x30, tlv(6, bytes.fromhex("2b0e03021a")), b"\x05\x00")
        self.head = sha1 + tlv(4, found[1]) + tlv(4, found[2])
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)

    def request(self, serials):
        entries = [tlv(0x30, tlv(0x30, self.head, tlv(2, bytes.fromhex(serial)))) for serial in serials]
        return tlv(0x30, tlv(0x30, tlv(0x30, *entries)))

    def send(self, request):
        try:
            self.connection.request("POST", "/", request, {"Content-Type": "application/ocsp-request"})
            return self.connection.getresponse().read()
        except (OSError, http.client.HTTPException):
            self.connection.close()
            raise

    def ask(self, *serials):
        """One word for each serial: good, revoked, unknown; or one for all: the error status."""
        return self.words(self.send(self.request(serials)), serials)

    @staticmethod
    def words(answer, serials):
        if len(answer) == 5:
            return [f"error status {answer[4]}"] * len(serials)
        words = []
        for serial in serials:
            at = answer.find(tlv(2, bytes.fromhex(serial)))
            after = answer[at + 2 + len(serial) // 2]
            words.append({0x80: "good", 0xA1: "revoked", 0x82: "unknown"}[after])
        return words

    def verify(self, answer, serial):
        """What openssl, which checks the signature, makes of an answer."""
        path = self.place.folder / "answer.der"
        path.write_bytes(answer)
        said = subprocess.run(["openssl", "ocsp", "-respin", path, "-issuer", self.ca, "-CAfile", self.ca,
                               "-serial", f"0x{serial}"], capture_output=True, text=True)
        if "Response verify OK" not in said.stderr:
            return f"not verified: {said.stdout}{said.stderr}"
        return re.search(r": (\w+)$", said.stdout, re.MULTILINE)[1]
