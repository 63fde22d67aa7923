"""How often one address may do what costs something, in a table that strangers cannot fill."""

import ipaddress
from collections import OrderedDict
from typing import Final

from st_auth.clock import Clock

__all__ = ["Rate"]

_ADDRESSES_AT_MOST: Final = 4096
_MINUTE: Final = 60.0


class Rate:
    """So many a minute for each address, all at once or spread; of 4096 addresses the one that was heard of longest ago is forgotten.

    An IPv6 address counts as its /64, which is what one customer gets. For each address one time is kept: when all that it took
    would have been used up at an even pace (the generic cell rate algorithm). For the event loop only.
    """

    def __init__(self, a_minute: int, clock: Clock) -> None:
        self._pace = _MINUTE / a_minute
        self._now = clock.monotonic
        self._even_at: OrderedDict[str, float] = OrderedDict()

    def __len__(self) -> int:
        """How many addresses are known."""
        return len(self._even_at)

    def take(self, address: str) -> float:
        """Count one and return 0; where it is one too many return the seconds until the next one may come, and count nothing."""
        key, now = _network(address), self._now()
        even_at = max(self._even_at.pop(key, now), now)
        wait = even_at + self._pace - now - _MINUTE
        self._even_at[key] = even_at if wait > 0 else even_at + self._pace
        if len(self._even_at) > _ADDRESSES_AT_MOST:
            self._even_at.popitem(last=False)
        return max(wait, 0.0)

    def is_used_up(self, address: str) -> bool:
        """Whether the next one would be one too many; counts nothing."""
        return self._even_at.get(_network(address), 0.0) + self._pace - self._now() > _MINUTE

    def give_back(self, address: str, count: int) -> None:
        """Take so many out of the count again: they were what the limit is not for."""
        key = _network(address)
        if key in self._even_at:
            self._even_at[key] -= count * self._pace


def _network(address: str) -> str:
    """What an address counts as. What is no address (a UNIX socket's peer has none) counts as itself."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address[:64]
    if isinstance(parsed, ipaddress.IPv4Address):
        return str(parsed)
    return str(parsed.ipv4_mapped) if parsed.ipv4_mapped else parsed.packed[:8].hex()
