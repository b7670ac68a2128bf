"""Compiled loops over copies of vectors. Importing this module imports Numba.

A loop stays on one thread and lets others run. It is compiled when it is first called, and kept on
the disk where that is possible: beside this file, or in the user's cache.

What a loop writes to comes as one array each, and every loop keeps what it finds itself: arrays in
a tuple, or handed on to a helper, have their references counted in every round, which made searches
take up to twice as long.
"""

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from medrag.extras import require

numba = require("numba")
_extending = require("numba.extending")
_cgutils = require("numba.core.cgutils")
_ir = require("llvmlite.ir")

Function = TypeVar("Function", bound=Callable[..., Any])
Floats = NDArray[np.float32]
Whole = NDArray[np.int64]
Words = NDArray[np.uint64]

# Numbers in one vector register of 512 bits, and registers that sum side by side.
_LANES, _SUMS = 16, 4
# How many bytes ahead memory is asked for. It doubles what one core reads per second: left to
# itself it asks for the next lines only, and stops at the end of each page.
_AHEAD = 4096
_LINE = 64

_HALVES = np.uint64(0x5555555555555555)
_QUARTERS = np.uint64(0x3333333333333333)
_EIGHTHS = np.uint64(0x0F0F0F0F0F0F0F0F)
_SUM = np.uint64(0x0101010101010101)
_1, _2, _4, _56 = np.uint64(1), np.uint64(2), np.uint64(4), np.uint64(56)


def compiled(function: Function) -> Function:
    """Compile a function when it is first called."""
    try:
        made: Function = numba.njit(function, nogil=True, cache=True, error_model="numpy")
    except RuntimeError:
        # No folder to keep it in: a read-only installation and no home.
        made = numba.njit(function, nogil=True, error_model="numpy")
    return made


def _dot_of_codes(_: Any, codes: Any, i: Any, questions: Any, j: Any, later: Any) -> Any:  # noqa: ARG001
    """Multiply row i of int8 codes with row j of float32 questions, and ask for row `later`.

    Written for the compiler's vector types, since of plain loops it makes half registers only. The
    row that is asked for may lie behind the end.
    """
    types = numba.types
    signature = types.float32(codes, types.intp, questions, types.intp, types.intp)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        tables = [
            context.make_array(signature.args[at])(context, builder, arguments[at]) for at in (0, 2)
        ]
        d = _cgutils.unpack_tuple(builder, tables[0].shape)[1]
        rows = [
            builder.gep(table.data, [builder.mul(arguments[at], d)])
            for table, at in zip((*tables, tables[0]), (1, 3, 4), strict=True)
        ]
        return _emit_dot(builder, rows, d)

    return signature, generate


def _emit_dot(builder: Any, rows: list[Any], d: Any) -> Any:
    count = _ir.IntType(64)
    at = _cgutils.alloca_once_value(builder, _ir.Constant(count, 0))
    whole = _ir.VectorType(_ir.FloatType(), _LANES)
    sums = [
        _cgutils.alloca_once_value(builder, _ir.Constant(whole, [0.0] * _LANES))
        for _ in range(_SUMS)
    ]
    last = _cgutils.alloca_once_value(builder, _ir.Constant(_ir.FloatType(), 0.0))
    _emit_loop(builder, rows, at, d, sums, _LANES)
    _emit_loop(builder, rows, at, d, sums[:1], _LANES)
    _emit_loop(builder, rows, at, d, [last], 1)
    total = builder.load(sums[0])
    for each in sums[1:]:
        total = builder.fadd(total, builder.load(each))
    kind = _ir.FunctionType(_ir.FloatType(), [_ir.FloatType(), whole])
    reduce = _cgutils.get_or_insert_function(
        builder.module, kind, f"llvm.vector.reduce.fadd.v{_LANES}f32"
    )
    return builder.call(reduce, [builder.load(last), total], fastmath=("reassoc",))


def _emit_loop(builder: Any, rows: list[Any], at: Any, d: Any, sums: list[Any], lanes: int) -> None:
    """Go on while a whole step is left, a step being `lanes` numbers for each of the sums."""
    step = _ir.Constant(d.type, lanes * len(sums))
    head, body, end = (builder.append_basic_block(name) for name in ("head", "body", "end"))
    builder.branch(head)
    builder.position_at_end(head)
    here = builder.load(at)
    builder.cbranch(builder.icmp_signed("<=", builder.add(here, step), d), body, end)
    builder.position_at_end(body)
    codes, questions, later = rows
    # A step of less than a line asks for nothing: there is at most one line of those in a row.
    for line in range(0, lanes * len(sums) // _LINE * _LINE, _LINE):
        _ask(builder, builder.gep(later, [builder.add(here, _ir.Constant(d.type, line))]))
    for number, total in enumerate(sums):
        offset = builder.add(here, _ir.Constant(d.type, number * lanes))
        code, asked = (_load(builder, row, offset, lanes) for row in (codes, questions))
        wide = _of(_ir.IntType(32), lanes)
        near = builder.sitofp(builder.sext(code, wide), _of(_ir.FloatType(), lanes))
        product = builder.fmul(near, asked, flags=("contract",))
        builder.store(builder.fadd(product, builder.load(total), flags=("contract",)), total)
    builder.store(builder.add(here, step), at)
    builder.branch(head)
    builder.position_at_end(end)


def _ask(builder: Any, address: Any) -> None:
    """Ask for a line of memory, to be read and kept near."""
    flag = _ir.IntType(32)
    kind = _ir.FunctionType(_ir.VoidType(), [address.type, flag, flag, flag])
    prefetch = _cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0i8")
    builder.call(prefetch, [address, *(_ir.Constant(flag, each) for each in (0, 3, 1))])


def _load(builder: Any, row: Any, offset: Any, lanes: int) -> Any:
    address = builder.gep(row, [offset])
    if lanes == 1:
        return builder.load(address)
    kind = _of(row.type.pointee, lanes)
    loaded = builder.load(builder.bitcast(address, kind.as_pointer()))
    loaded.align = 1 if row.type.pointee == _ir.IntType(8) else 4
    return loaded


def _of(kind: Any, lanes: int) -> Any:
    return kind if lanes == 1 else _ir.VectorType(kind, lanes)


dot: Any = _extending.intrinsic(_dot_of_codes)


@compiled
def replace_least(heap: Floats, value: np.float32) -> None:
    """Put a value in the place of the least of a heap, whose least stands first."""
    at = 0
    while True:
        child = 2 * at + 1
        if child >= len(heap):
            break
        if child + 1 < len(heap) and heap[child + 1] < heap[child]:
            child += 1
        if heap[child] >= value:
            break
        heap[at] = heap[child]
        at = child
    heap[at] = value


@compiled
def scan_codes(
    codes: NDArray[np.int8],
    facts: tuple[Floats, Floats, Whole],
    asked: tuple[Floats, Floats, np.float32],
    chosen: tuple[NDArray[np.bool_], Whole],
    first: int,
    stop: int,
    base: int,
    heaps: Floats,
    places: Whole,
    uppers: Floats,
    counts: Whole,
) -> None:
    """Scan passages for those that could be among the best k of each question.

    Args:
        codes: (n, d).
        facts: scales and errors, (n,); where the vectors of each passage begin, and the end, or
            nothing where each passage has one.
        asked: questions (m, d), their lengths (m,), and what underflow may take.
        chosen: for each passage whether it counts, or nothing if all do; and the passages to scan,
            or nothing for all.
        first: of the passages, or of those listed.
        stop: likewise, behind the last.
        base: added to the places that are found.
        heaps: see `medrag.indexing.scanning.candidates.Arrays`, as for the others; brought up
            to date.
    """
    scales, errors, starts = facts
    questions, lengths, least = asked
    allowed, listed = chosen
    ahead = max(1, _AHEAD // max(1, codes.shape[1]))
    for number in range(first, stop):
        place = listed[number] if len(listed) else number
        if len(allowed) and not allowed[place]:
            continue
        begin = starts[place] if len(starts) else place
        end = starts[place + 1] if len(starts) else place + 1
        away = ahead
        if len(listed):
            next_place = listed[min(number + ahead, stop - 1)]
            away = (starts[next_place] if len(starts) else next_place) - begin
        for j in range(len(questions)):
            upper, lower = np.float32(-np.inf), np.float32(-np.inf)
            for i in range(begin, end):
                score = scales[i] * dot(codes, i, questions, j, i + away if j == 0 else i)
                error = errors[i] * lengths[j] + least
                upper = max(upper, score + error)
                lower = max(lower, score - error)
            if upper >= heaps[j, 0]:
                places[j, counts[j]] = base + place
                uppers[j, counts[j]] = upper
                counts[j] += 1
                if lower > heaps[j, 0]:
                    replace_least(heaps[j], lower)


@compiled
def pick(
    products: NDArray[np.int32],
    facts: tuple[Floats, Floats, Floats],
    asked: tuple[Floats, Floats, Floats, np.float32],
    chosen: tuple[Whole, NDArray[np.bool_], Whole],
    base: int,
    heaps: Floats,
    places: Whole,
    uppers: Floats,
    counts: Whole,
) -> None:
    """Pick from products of codes with codes what could be among the best k of each question.

    Args:
        products: (vectors, m) of a tile.
        facts: scales, errors and lengths of its vectors, (vectors,).
        asked: scales, lengths and errors of the questions, (m,), and what underflow may take.
        chosen: where the vectors of each passage of the tile begin, and the end, or nothing; for
            each passage whether it counts, or nothing if all do; and its place, or nothing.
        base: added to the places that are found.
        heaps: see `medrag.indexing.scanning.candidates.Arrays`, as for the others; brought up
            to date.
    """
    scales, errors, lengths = facts
    q_scales, q_lengths, q_errors, least = asked
    starts, allowed, listed = chosen
    m = products.shape[1]
    bars = heaps[:, 0].copy()
    for number in range(len(starts) - 1 if len(starts) else len(products)):
        if len(allowed) and not allowed[number]:
            continue
        begin = starts[number] if len(starts) else number
        end = starts[number + 1] if len(starts) else number + 1
        near = 0
        for i in range(begin, end):
            scale, error, length = scales[i], errors[i], lengths[i] + errors[i]
            for j in range(m):
                off = error * q_lengths[j] + length * q_errors[j] + least
                near += scale * q_scales[j] * np.float32(products[i, j]) + off >= bars[j]
        if not near:
            continue
        place = base + (listed[number] if len(listed) else number)
        for j in range(m):
            upper, lower = np.float32(-np.inf), np.float32(-np.inf)
            for i in range(begin, end):
                off = errors[i] * q_lengths[j] + (lengths[i] + errors[i]) * q_errors[j] + least
                score = scales[i] * q_scales[j] * np.float32(products[i, j])
                upper, lower = max(upper, score + off), max(lower, score - off)
            if upper >= bars[j]:
                places[j, counts[j]] = place
                uppers[j, counts[j]] = upper
                counts[j] += 1
                if lower > bars[j]:
                    replace_least(heaps[j], lower)
                    bars[j] = heaps[j, 0]


@compiled
def ones(word: np.uint64) -> np.uint64:
    """Count the bits that are set, in the way that compilers know as one instruction."""
    word = word - ((word >> _1) & _HALVES)
    word = (word & _QUARTERS) + ((word >> _2) & _QUARTERS)
    word = (word + (word >> _4)) & _EIGHTHS
    return (word * _SUM) >> _56


@compiled
def scan_bits(
    codes: Words,
    facts: tuple[Floats, Whole],
    planes: Words,
    asked: tuple[np.float32, np.float32, np.float32, np.float32],
    allowed: NDArray[np.bool_],
    first: int,
    stop: int,
    base: int,
    heaps: Floats,
    places: Whole,
    uppers: Floats,
    counts: Whole,
) -> None:
    """Scan passages [first, stop) for the best guesses.

    Args:
        codes: (n, words).
        facts: scales, (n,); where the vectors of each passage begin, and the end, or nothing.
        planes: (4, words), the bits of the question's levels, the lowest first.
        asked: what `medrag.indexing.scanning.bits` computes a guess with.
        allowed: for each passage whether it counts, or nothing if all do.
        base: added to the places that are found.
        heaps: see `medrag.indexing.scanning.candidates.Arrays`, as for the others; brought up
            to date.
    """
    scales, starts = facts
    shift, low, step, total = asked
    words = codes.shape[1]
    for place in range(first, stop):
        if len(allowed) and not allowed[place]:
            continue
        begin = starts[place] if len(starts) else place
        end = starts[place + 1] if len(starts) else place + 1
        best = np.float32(-np.inf)
        for i in range(begin, end):
            here, weighted = np.uint64(0), np.uint64(0)
            for w in range(words):
                word = codes[i, w]
                here += ones(word)
                weighted += ones(word & planes[0, w])
                weighted += ones(word & planes[1, w]) * np.uint64(2)
                weighted += ones(word & planes[2, w]) * np.uint64(4)
                weighted += ones(word & planes[3, w]) * np.uint64(8)
            signed = low * np.float32(here) + step * np.float32(weighted) - total
            best = max(best, shift + scales[i] * signed)
        if best >= heaps[0, 0]:
            places[0, counts[0]] = base + place
            uppers[0, counts[0]] = best
            counts[0] += 1
            if best > heaps[0, 0]:
                replace_least(heaps[0], best)
