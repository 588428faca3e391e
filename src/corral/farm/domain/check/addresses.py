"""Whether two are told to be in one place: of two, only one can be reached there."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from corral.farm.domain.check.finding import Finding, Kind
from corral.farm.domain.estate.certificate import is_loopback

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from corral.farm.domain.check.inventory import SeenListener
    from corral.farm.domain.estate.address import Address


def shared_addresses(listeners: Sequence[SeenListener]) -> Iterator[Finding]:
    """Give a finding for each address that has more than one listener.

    A loopback address is every machine's own: two servers that name one are on two machines, or the
    second does not start at all. Of one server's own listeners it is one place like any other.
    """
    at: defaultdict[Address, list[SeenListener]] = defaultdict(list)
    for one in listeners:
        for address in dict.fromkeys(one.advertised):
            at[address].append(one)
    for address in sorted(at):
        for sharers in _sharers(address, at[address]):
            yield _finding(address, sharers, "are said to be reached at it")
    for number, one in enumerate(listeners):
        for other in listeners[number + 1 :]:
            for address in _both_listen(one, other):
                yield _finding(address, (one, other), "listen there on one machine")


def _sharers(
    address: Address, listeners: Sequence[SeenListener]
) -> Iterator[Sequence[SeenListener]]:
    if not is_loopback(address.host):
        if len(listeners) > 1:
            yield listeners
        return
    of_server: defaultdict[str, list[SeenListener]] = defaultdict(list)
    for one in listeners:
        of_server[one.server].append(one)
    yield from (ones for ones in of_server.values() if len(ones) > 1)


def _both_listen(one: SeenListener, other: SeenListener) -> Iterator[Address]:
    """Give where two of one server would listen both, if not told already where they advertise."""
    if one.server != other.server:
        return
    told = set(one.advertised) & set(other.advertised)
    for mine in one.listen:
        for theirs in other.listen:
            clash = mine if theirs.is_wildcard else theirs
            if mine.overlaps(theirs) and clash not in told:
                yield clash


def _finding(address: Address, sharers: Sequence[SeenListener], how: str) -> Finding:
    names = " and ".join(f"{one.server} ({one.use})" for one in sharers)
    return Finding(Kind.ADDRESSES_SHARED, f"address {address}", f"{names} {how}")
