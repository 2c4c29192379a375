"""What is measured, and how it is asked: read by `run`, judged by `table`."""
from dataclasses import dataclass


@dataclass(frozen=True)
class Case:
    name: str
    # ocsprey, bare (repeats what ocsprey answered in this case), bare signing (and makes a signature for each),
    # openssl, go memory, go live
    server: str
    # Lists of serial numbers: the one that counts, and the one that warms up.
    serials: str = "unique"
    warm: str = "warm"
    # Whose keys sign: p256, rsa, stored (P-256, everything signed beforehand), or many (as many of these as a nation has).
    pki: str = "p256"
    load: tuple = ()
    # The OCSPResponseStatus that every answer has to have.
    status: str = "successful"
    # Signed on the spot: what the key alone takes is measured right before and right after.
    live: bool = False
    # Asked about a CA that is not served.
    stranger: bool = False
    # Nobody is asked about twice: the run ends with the list.
    once: bool = False
    # Also in an open loop at 70 % of what it gave in the closed one.
    open_loop: bool = False
    # The generator sleeps while no answer is there, and the server pays for waking it.
    asleep: bool = False


GET = ("--get-share", "1")
MALFORMED = ("--malformed-share", "1")
NEW_CONNECTIONS = ("--no-keep-alive",)

ALL = (
    # The floor comes first in each round, right before what is measured against it.
    Case("bare post", "bare", "one", "one", open_loop=True),
    Case("cached post", "ocsprey", "cached", "cached", open_loop=True),
    Case("bare get", "bare", "one", "one", load=GET),
    Case("cached get", "ocsprey", "cached", "cached", load=GET),
    Case("presigned", "ocsprey", pki="stored", once=True, open_loop=True),
    Case("presigned many", "ocsprey", pki="many", once=True),
    Case("bare signing", "bare signing", "one", "one", live=True),
    Case("p256", "ocsprey", once=True, live=True, open_loop=True),
    Case("bare post rsa", "bare", "one", "one", pki="rsa"),
    Case("rsa", "ocsprey", pki="rsa", once=True, live=True, open_loop=True),
    Case("bare unknown issuer", "bare", "one", "one", load=(), status="unauthorized", stranger=True),
    Case("unknown issuer", "ocsprey", status="unauthorized", stranger=True),
    Case("bare malformed", "bare", "one", "one", load=MALFORMED, status="malformedRequest"),
    Case("malformed", "ocsprey", load=MALFORMED, status="malformedRequest"),
    # What of this a client adds that has to be woken.
    Case("bare post asleep", "bare", "one", "one", asleep=True),
    Case("cached post asleep", "ocsprey", "cached", "cached", asleep=True),
    Case("presigned asleep", "ocsprey", pki="stored", once=True, asleep=True),
    Case("p256 asleep", "ocsprey", once=True, asleep=True),
    # Peers.
    Case("go memory", "go memory", "peer", "peer", open_loop=True),
    Case("go live", "go live", "peer", "peer", open_loop=True),
    # openssl closes every connection: beside it, ourselves and the floor under the same condition.
    Case("openssl", "openssl", "peer", "peer", load=NEW_CONNECTIONS),
    Case("bare new connections", "bare", "one", "one", load=NEW_CONNECTIONS),
    Case("p256 new connections", "ocsprey", once=True, load=NEW_CONNECTIONS),
)
