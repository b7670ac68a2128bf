"""Which hosts are this machine."""

import pytest

from medrag.config.place import Place
from medrag.config.trust import refuse_foreign_hosts
from medrag.endpoint import Endpoint
from medrag.errors import RecipeError
from medrag.hosts import is_this_machine


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.8.0.2", "::1"])
def test_localhost_and_loopback_addresses_are_this_machine(host: str) -> None:
    assert is_this_machine(host)
    url = f"http://[{host}]:6333" if ":" in host else f"http://{host}:6333"
    refuse_foreign_hosts({"store": {"url": url}}, Place("recipe"))
    assert Endpoint(url=url).url == url


@pytest.mark.parametrize("host", ["10.0.0.1", "192.168.0.1", "127.1.evil.example", "far.localhost"])
def test_other_hosts_are_not(host: str) -> None:
    assert not is_this_machine(host)
    with pytest.raises(RecipeError, match="MEDRAG_ALLOW_HOSTS"):
        refuse_foreign_hosts({"store": {"url": f"http://{host}"}}, Place("recipe"))
    with pytest.raises(RecipeError, match="another machine"):
        Endpoint(url=f"http://{host}")


def test_no_host_is_not_this_machine() -> None:
    assert not is_this_machine(None)
    assert not is_this_machine("")
