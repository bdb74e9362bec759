"""What every test may ask for."""

import signal
import threading
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import pytest

from inspector.kernels import plain_gossip, plain_known, plain_oddities, plain_owners

# a shell that runs the tests in the background, or nohup, lets them ignore these, and so would what they start
if threading.current_thread() is threading.main_thread():
    for number, handler in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, handler)


@dataclass(frozen=True, slots=True)
class Kernel:
    """One of the two kernels; `which` is the one that really runs."""

    which: str
    GossipWalker: Any
    GossipOwners: Any
    GossipKnown: Any
    oddities: Any


def kernels() -> dict[str, Kernel]:
    """The kernels that exist here: always the plain one, the compiled one where the extension was built."""
    plain = plain_gossip.GossipWalker, plain_owners.GossipOwners, plain_known.GossipKnown, plain_oddities.oddities
    found = {"plain": Kernel("plain", *plain)}
    try:
        walker = import_module("inspector.kernels._gossip").GossipWalker
        owners = import_module("inspector.kernels._gossip_owners").GossipOwners
        known = import_module("inspector.kernels._gossip_known").GossipKnown
        oddities = import_module("inspector.kernels._gossip_oddities").oddities
    except ImportError:
        return found
    return found | {"compiled": Kernel("compiled", walker, owners, known, oddities)}


@pytest.fixture(params=["plain", "compiled"])
def kernel(request: pytest.FixtureRequest) -> Kernel:
    found = kernels().get(request.param)
    if found is None:
        pytest.skip("the extension was not built here")
    module = "_gossip" if request.param == "compiled" else "plain_gossip"
    assert found.GossipWalker.__module__ == f"inspector.kernels.{module}"
    return found
