"""What a recipe may say about Qdrant, checked in one place."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import urlsplit

from medrag.errors import RecipeError
from medrag.extras import Library
from medrag.indexing.backends import backend_options
from medrag.indexing.manifest import ChannelEntry

EDGE, MEMORY = "edge", ":memory:"
Quantization = Literal["scalar", "binary", "turbo"]
Consistency = Literal["all", "majority", "quorum"]

# What only a server has.
_SERVERS = (
    "collection", "prefer_grpc", "grpc_port", "by_domain", "shards", "replicas",
    "write_consistency", "read_consistency",
)  # fmt: skip
# What only vectors of numbers have.
_VECTORS = ("quantization", "oversampling", "hnsw", "ef")
# What every channel of an index must agree on, since they share one collection.
_SHARED = ("url", "location", *_SERVERS, "timeout", "parallel")
# The lower ends are Qdrant's own. It has no upper ones, but sets memory aside for whatever it is
# told: these lie beyond all use.
_RANGES: Mapping[str, tuple[int, int]] = {
    "grpc_port": (1, 65_535),
    "timeout": (1, 86_400),
    "parallel": (1, 256),
    "shards": (1, 10_000),
    "replicas": (1, 10_000),
    "write_consistency": (1, 10_000),
    "read_consistency": (1, 10_000),
    "oversampling": (1, 1_000),
    "ef": (1, 1_000_000),
}
_HNSW: Mapping[str, tuple[int, int]] = {
    "m": (0, 1_000),
    "ef_construct": (4, 100_000),
    "full_scan_threshold": (0, 10**12),
    "payload_m": (0, 1_000),
}
# What the name of a collection may not hold, since a server makes folders of it.
_UNNAMEABLE = '<>:"/\\|?*\0\x1f'


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
        return "server" if self.url is not None else self.location


def check_options(options: Options, kind: str = "dense") -> None:
    """Refuse what does not go together, or not with the kind of a channel.

    Raises:
        ValueError: if it does not, or a value is out of its range.
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
    elif name := _said(options, _SERVERS):
        raise ValueError(f"{name} is an option of a server; give its url as well")
    if kind != "dense" and (name := _said(options, _VECTORS)):
        raise ValueError(
            f"{name} is an option of dense channels; lists of terms are searched exactly and "
            f"kept whole, so leave it out of this {kind} one"
        )
    _check_collection(options.collection)
    _check_numbers(options)


def options_of(channels: Mapping[str, ChannelEntry]) -> dict[str, Options]:
    """Read the options of channels that share one collection from what their recipe says.

    Raises:
        RecipeError: if they disagree about what belongs to the collection.
    """
    options: dict[str, Options] = {}
    for name, entry in channels.items():
        said: dict[str, Any] = backend_options(entry)
        options[name] = Options(**said)
        check_options(options[name], entry.kind)
    (first, one), *rest = options.items()
    for name, other in rest:
        for key in _SHARED:
            if getattr(one, key) != getattr(other, key):
                raise RecipeError(
                    f"channels {first!r} and {name!r} share one Qdrant collection, but say "
                    f"different {key}: {getattr(one, key)!r} and {getattr(other, key)!r}; give "
                    "both the same"
                )
    return options


def graph_of(options: Options, *, many: bool) -> dict[str, int]:
    """Give the parameters of the graph of a named vector, Qdrant's own unless said.

    Passages of many vectors get none: to compare two of them costs as much as all their pairs, and
    a scan then is the better search.
    """
    plain = {"m": 0 if many else 16, "ef_construct": 100, "full_scan_threshold": 10_000}
    return {**plain, **(options.hnsw or {})}


def search_params(options: Options, library: Library) -> Any:
    """Say how to search, in the words of `qdrant_client.models` or `qdrant_edge`."""
    quantized = None
    if options.quantization:
        quantized = library.QuantizationSearchParams(
            rescore=True, oversampling=float(options.oversampling)
        )
    return library.SearchParams(hnsw_ef=options.ef, exact=options.exact, quantization=quantized)


def _said(options: Options, names: tuple[str, ...]) -> str | None:
    """Name the first of some options that is said."""
    return next((n for n in names if getattr(options, n) != getattr(_PLAIN, n)), None)


def _check_url(url: str) -> None:
    # Also in what is no url: the message would tell the password.
    if "@" in url or "?" in url:
        raise ValueError(
            "url must not hold a name, a password or a key, since an index keeps it; set "
            "QDRANT_API_KEY in the environment instead"
        )
    try:
        parts = urlsplit(url)
        known = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:  # a port beyond the last one, or half an address
        known = False
    if not known or url.split() != [url]:
        raise ValueError(
            f"url must be such as https://host:6333, with a port from 1 to 65,535, got {url!r}"
        )


def _check_collection(name: str | None) -> None:
    if name is not None and not (1 <= len(name) <= 255 and set(name).isdisjoint(_UNNAMEABLE)):
        raise ValueError(
            f"collection must be a name of 1 to 255 characters, none of {_UNNAMEABLE!r}, "
            f"got {name!r}"
        )


def _check_numbers(options: Options) -> None:
    for name, (least, most) in _RANGES.items():
        _check_number(name, getattr(options, name), least, most)
    for key, value in (options.hnsw or {}).items():
        if key not in _HNSW:
            raise ValueError(
                f"hnsw takes whole numbers for {', '.join(_HNSW)}, got {key!r}: {value!r}"
            )
        _check_number(f"{key} of hnsw", value, *_HNSW[key])


def _check_number(name: str, value: float | str | None, least: int, most: int) -> None:
    # Not "< least or > most", which nan is neither of.
    if isinstance(value, int | float) and not least <= value <= most:
        raise ValueError(f"{name} must be at least {least} and at most {most:,}, got {value}")


_PLAIN = Options()
