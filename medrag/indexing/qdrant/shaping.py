"""Options and vectors of a channel in the words of qdrant-edge, and in those of qdrant-client."""

from typing import Any

from medrag.extras import Library
from medrag.indexing.qdrant.options import Options
from medrag.indexing.qdrant.points import Shape
from medrag.indexing.qdrant.terms import Sparse


def written(library: Library, vector: Any) -> Any:
    """Write a vector, vectors, or weighted terms, as both libraries take them."""
    if isinstance(vector, Sparse):
        terms, weights = vector.terms.tolist(), vector.weights.tolist()
        return library.SparseVector(indices=terms, values=weights)
    return vector.tolist()


def hnsw_of(shape: Shape, options: Options) -> dict[str, int]:
    """Give the parameters of the graph of a named vector, Qdrant's own unless said.

    Passages of many vectors get none: to compare two of them costs as much as all their pairs, and
    a scan then is the better search.
    """
    plain = {"m": 0 if shape.many else 16, "ef_construct": 100, "full_scan_threshold": 10_000}
    return {**plain, **(options.hnsw or {})}


def edge_vector(edge: Library, shape: Shape, options: Options) -> Any:
    several = edge.MultiVectorConfig(edge.MultiVectorComparator.MaxSim) if shape.many else None
    return edge.EdgeVectorParams(
        size=shape.d,
        distance=edge.Distance.Dot,
        multivector_config=several,
        quantization_config=_edge_quantization(edge, options),
        hnsw_config=edge.HnswIndexConfig(**hnsw_of(shape, options)),
    )


def _edge_quantization(edge: Library, options: Options) -> Any:
    pinned = edge.Memory.Pinned
    if options.quantization == "scalar":
        return edge.ScalarQuantizationConfig(type=edge.ScalarType.Int8, memory=pinned)
    if options.quantization == "binary":
        return edge.BinaryQuantizationConfig(memory=pinned)
    if options.quantization == "turbo":
        return edge.TurboQuantQuantizationConfig(memory=pinned)
    return None


def edge_search(edge: Library, options: Options) -> Any:
    quantized = None
    if options.quantization:
        quantized = edge.QuantizationSearchParams(
            rescore=True, oversampling=float(options.oversampling)
        )
    return edge.SearchParams(hnsw_ef=options.ef, exact=options.exact, quantization=quantized)


def client_vector(models: Library, shape: Shape, options: Options, *, bulk: bool) -> Any:
    several = None
    if shape.many:
        comparator = models.MultiVectorComparator.MAX_SIM
        several = models.MultiVectorConfig(comparator=comparator)
    graph = {**hnsw_of(shape, options), **({"m": 0} if bulk else {})}
    return models.VectorParams(
        size=shape.d,
        distance=models.Distance.DOT,
        multivector_config=several,
        hnsw_config=models.HnswConfigDiff(**graph),
        quantization_config=_client_quantization(models, options),
        # Codes are searched in memory, and the vectors themselves only looked at for a few.
        on_disk=True if options.quantization else None,
    )


def client_search(models: Library, options: Options) -> Any:
    quantized = None
    if options.quantization:
        quantized = models.QuantizationSearchParams(rescore=True, oversampling=options.oversampling)
    return models.SearchParams(hnsw_ef=options.ef, exact=options.exact, quantization=quantized)


def _client_quantization(models: Library, options: Options) -> Any:
    if options.quantization == "scalar":
        kind = models.ScalarQuantizationConfig(type=models.ScalarType.INT8, always_ram=True)
        return models.ScalarQuantization(scalar=kind)
    if options.quantization == "binary":
        return models.BinaryQuantization(binary=models.BinaryQuantizationConfig(always_ram=True))
    if options.quantization == "turbo":
        kind = models.TurboQuantQuantizationConfig(always_ram=True)
        return models.TurboQuantization(turbo=kind)
    return None
