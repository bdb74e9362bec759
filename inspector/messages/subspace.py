"""Subspace's networking and farmer, rust-libp2p's Kademlia: persistent_parameters.rs, node_runner.rs, disk_piece_cache.rs."""

from __future__ import annotations

from inspector.messages.message import Message, family

_PEERS = "inspector scan {store}"
_said = family("peers", frozenset({"known-peers"}), "autonomys/subspace", (_PEERS,))
_kad = family("kad", frozenset({"kad-trace"}), "libp2p/rust-libp2p", ("inspector scan LOG", "inspector items LOG"))
_piece = family("piece", frozenset({"piece-cache"}), "autonomys/subspace", ("inspector scan piece_cache.bin",))
_N = r"\d{1,19}"
_HEX = r"[0-9a-f]{64}"

MESSAGES: tuple[Message, ...] = (
    _said(
        "decode",
        "Subspace known peers",
        "Failed to decode encodable known peers",
        r"Failed to decode encodable known peers",
        "A slot of known_addresses.bin does not decode as a list of peers: torn, damaged, or of another generation.",
        "The other slot is taken; without one the node starts with an empty list, silently at the usual log level.",
    ),
    _said(
        "bytes-left",
        "Subspace known peers",
        "Not enough bytes to decode checksum",
        rf"Not enough bytes to decode checksum, file was likely corrupted(?:.{{0,40}}?remaining_bytes=(?P<left>{_N}))?",
        "The list of a slot ends so close to the slot's end ({left} bytes) that its 32-byte BLAKE3 digest is not there.",
        "The other slot is taken.",
    ),
    _said(
        "hash",
        "Subspace known peers",
        "possible disk corruption or file was just created",
        rf"Hash doesn't match, possible disk corruption or file was just created, ignoring"
        rf"(?:.{{0,40}}?encoded_bytes_len=(?P<length>{_N}))?(?:.{{0,40}}?actual_checksum=\"?(?P<actual>{_HEX}))?"
        rf"(?:.{{0,40}}?expected_checksum=\"?(?P<expected>{_HEX}))?",
        "The first {length} bytes of a slot of known_addresses.bin do not have the BLAKE3 digest that follows them. A slot "
        "of 9 or 13 bytes was never written; anything longer was torn or changed.",
        "The other slot is taken; without one the node starts with an empty list.",
    ),
    _said(
        "peer-id",
        "Subspace known peers",
        "Failed to decode known peer",
        r"Failed to decode known peer (?P<what>ID|multiaddress), skipping peer entry",
        "One peer of a slot whose digest holds has a {what} that does not parse: the program that wrote it knew more kinds, "
        "or wrote it wrong.",
        "That peer is left out; the others load.",
    ),
    _said(
        "flush",
        "Subspace known peers",
        "Failed to flush known peers",
        r"Failed to flush known peers to disk",
        "A write of known_addresses.bin did not reach the disk: the slot may be torn.",
        "The node goes on; the next save goes to the other slot.",
    ),
    _said(
        "write",
        "Subspace known peers",
        "Failed to write known peers",
        r"Failed to write known peers\b",
        "known_addresses.bin could not be written.",
        "The node goes on without it.",
    ),
    _said(
        "preallocate",
        "Subspace known peers",
        "Can't preallocate known peers file",
        r"Can't preallocate known peers file, probably not enough space on disk(?:: (?P<why>.{1,120}))?",
        "The file of known peers could not get its full length: the disk is full. Its slots may have no digest yet.",
        "The node does not start.",
        whole=False,
    ),
    _piece(
        "read-element",
        "Subspace piece cache",
        "Failed to read cache element",
        rf"Failed to read cache element error=Disk piece cache I/O error: (?P<why>.{{1,120}}?) offset=(?P<element>{_N})",
        "The medium did not give element {element} of piece_cache.bin (counted from 0; each has 1,048,712 bytes): {why}.",
        "The piece counts as missing; after more than three such elements in a row the rest of the file is not looked at.",
        issues=("3045",),
        next_=("dmesg | tail   # what the kernel says of the disk", "inspector scan piece_cache.bin"),
    ),
    _piece(
        "hash",
        "Subspace farmer",
        "corrupted piece in cache",
        r"Hash doesn't match, corrupted piece in cache",
        "An element of piece_cache.bin (1,048,712 bytes each) does not have the BLAKE3 digest that ends it.",
        "The piece is fetched again.",
    ),
    _kad(
        "timeout-kind",
        "Subspace node",
        "Bootstrap query failed",
        r"Bootstrap query failed\.(?:.{0,40}?error=(?P<error>.{1,200}))?",
        "One step of a Kademlia bootstrap timed out; the bootstrap goes on with the next bucket unless it was step 1.",
        "The step leaves no bootstrap_step line.",
    ),
    _kad(
        "step",
        "Subspace node",
        "Kademlia bootstrapping...",
        r"Kademlia bootstrapping\.\.\.(?:.{0,40}?bootstrap_step=(?P<step>\d{1,6}))?",
        "A step of a Kademlia bootstrap succeeded; bootstrap_step={step} counts from 0 and only steps that succeeded.",
        "The bootstrap goes on. When this is the last line about it for minutes, it stalled.",
        issues=("5432",),
    ),
    _kad(
        "no-peers",
        "Subspace node",
        "Bootstrap error.",
        r"Bootstrap error\.(?:.{0,40}?err=(?P<error>\w{1,40}))?",
        "The bootstrap could not begin ({error}): no peer is known.",
        "The node has only its reserved peers and bootstrap nodes.",
    ),
    _kad(
        "moved-on",
        "Subspace node",
        "Bootstrapping timed out",
        r"Bootstrapping timed out, moving on regardless",
        "The bootstrap did not end within five minutes: the stall of the issue below, with the workaround of 2024-05-31.",
        "The node goes on without it.",
        releases="Subspace from 2024-05-31 to 2024-08-12",
        issues=("5432", "autonomys/subspace#2729"),
    ),
    _kad(
        "yamux-eof",
        "yamux 0.10",
        "socket error: ",
        r"[0-9a-f]{8}: socket error: (?:decode error: )?i/o error: (?P<why>unexpected end of file|Broken pipe|Connection reset)",
        "One connection of the process ended ({why}). This line comes from the other network stack of a Subspace node "
        "(Substrate's) and is common in healthy runs.",
        "Nothing: it is near a stall by coincidence, and is not its cause.",
        issues=("autonomys/subspace#1248",),
    ),
    _kad(
        "unhandled",
        "rust-libp2p",
        "Bootstrap(",
        r".{0,80}?Bootstrap\((?P<result>Ok\(BootstrapOk|Err\(Timeout) \{ peer: PeerId\(\"(?P<peer>[^\"]{1,80})\"\), "
        r"num_remaining: (?P<left>\d{1,6}|Some\(\d{1,6}\)|None)",
        "A step of a Kademlia bootstrap ended ({result}), {left} buckets are left.",
        "The bootstrap goes on until none is left.",
        issues=("5432",),
        whole=False,
    ),
)
