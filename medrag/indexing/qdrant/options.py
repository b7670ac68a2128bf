"""What a recipe may say about Qdrant, checked in one place."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import urlsplit

from medrag.errors import RecipeError
from medrag.indexing.backends import backend_options
from medrag.indexing.manifest import ChannelEntry

EDGE, MEMORY = "edge", ":memory:"
Quantization = Literal["scalar", "binary", "turbo"]
Consistency = Literal["all", "majority", "quorum"]

_HNSW = ("m", "ef_construct", "full_scan_threshold", "payload_m")
# What only a server has.
_SERVERS = (
    "collection", "prefer_grpc", "grpc_port", "by_domain", "shards", "replicas",
    "write_consistency", "read_consistency",
)  # fmt: skip
# What only vectors of numbers have.
_VECTORS = ("quantization", "oversampling", "hnsw", "ef")
# What every channel of an index must agree on, since they share one collection.
_SHARED = ("url", "location", *_SERVERS, "timeout", "parallel")


@dataclass(frozen=True, slots=True)
class Options:
    """Where the points of a channel lie and how they are searched; see `QdrantSearch`."""

    url: str | None = None
    location: str = EDGE
    collection: str | None = None
    prefer_grpc: bool = False
    grpc_port: int = 6334
    timeout: int = 30
    parallel: int = 2
    by_domain: bool = False
    shards: int | None = None
    replicas: int | None = None
    write_consistency: int | None = None
    read_consistency: int | Consistency | None = None
    quantization: Quantization | None = None
    oversampling: float = 3.0
    hnsw: Mapping[str, int] | None = None
    ef: int | None = None
    exact: bool = False

    @property
    def place(self) -> str:
        """Name the kind of place: "server", "edge" or ":memory:"."""
        return "server" if self.url else self.location


def check_options(options: Options, kind: str = "dense") -> None:
    """Refuse what does not go together, or not with the kind of a channel.

    Raises:
        ValueError: if it does not.
    """
    if options.location not in (EDGE, MEMORY):
        raise ValueError(
            f"location must be {EDGE!r} or {MEMORY!r}, got {options.location!r}; a folder of "
            "qdrant-client's local mode holds pickles, which run code when they are read, so none "
            "is opened: leave location out, and the shard is made below the index"
        )
    if options.url is not None:
        _check_url(options.url)
        if options.location != EDGE:
            raise ValueError(f"url and location {options.location!r} exclude each other")
    else:
        said = [n for n in _SERVERS if getattr(options, n) != getattr(_PLAIN, n)]
        if said:
            raise ValueError(f"{said[0]} is an option of a server; give its url as well")
    said = [n for n in _VECTORS if getattr(options, n) != getattr(_PLAIN, n)]
    if said and kind != "dense":
        raise ValueError(
            f"{said[0]} is an option of dense channels; lists of terms are searched exactly and "
            f"kept whole, so leave it out of this {kind} one"
        )
    _check_numbers(options)


def shared_options(channels: Mapping[str, ChannelEntry]) -> Options:
    """Give the options of channels that share one collection.

    Raises:
        RecipeError: if they disagree about what belongs to the collection.
    """
    options = {name: options_of(entry) for name, entry in channels.items()}
    (first, one), *rest = options.items()
    for name, other in rest:
        for key in _SHARED:
            if getattr(one, key) != getattr(other, key):
                raise RecipeError(
                    f"channels {first!r} and {name!r} share one Qdrant collection, but say "
                    f"different {key}: {getattr(one, key)!r} and {getattr(other, key)!r}; give "
                    "both the same"
                )
    return one


def options_of(entry: ChannelEntry) -> Options:
    """Read the options of a channel from what its recipe says."""
    said: dict[str, Any] = backend_options(entry)
    options = Options(**said)
    check_options(options, entry.kind)
    return options


def _check_url(url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"url must be such as https://host:6333, got {url!r}")
    if parts.username or parts.password or parts.query:
        raise ValueError(
            "url must not hold a name, a password or a key, since an index keeps it; set "
            "QDRANT_API_KEY in the environment instead"
        )


def _check_numbers(options: Options) -> None:
    for name in (
        "timeout",
        "grpc_port",
        "parallel",
        "shards",
        "replicas",
        "write_consistency",
        "ef",
    ):
        value = getattr(options, name)
        if value is not None and value < 1:
            raise ValueError(f"{name} must be at least 1, got {value}")
    if isinstance(options.read_consistency, int) and options.read_consistency < 1:
        raise ValueError(f"read_consistency must be at least 1, got {options.read_consistency}")
    if options.oversampling < 1:
        raise ValueError(f"oversampling must be at least 1, got {options.oversampling}")
    for key, value in (options.hnsw or {}).items():
        if key not in _HNSW or value < 0:
            raise ValueError(
                f"hnsw takes whole numbers for {', '.join(_HNSW)}, got {key!r}: {value!r}"
            )


_PLAIN = Options()
