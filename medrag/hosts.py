"""Which hosts are this machine: nothing that is sent to them crosses a network."""

import ipaddress


def is_this_machine(host: str | None) -> bool:
    """Tell whether a host, as the `hostname` of an address, is "localhost" or a loopback address.

    Names such as "x.localhost" are not: many a resolver asks the network for them.
    """
    if not host or host == "localhost":
        return bool(host)
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
