"""What one field of a config alone cannot say: does the artifact make sense as a whole?

Writing and reading check the same, so what this program writes it reads. All raise ``PackageError`` with ``where``.
"""

from collections.abc import Iterable

from mainstream.basednn import INPUT, BaseDnn, BaseDnnConfig
from mainstream.errors import PackageError
from mainstream.packages.mpackage import Candidate, MPackageConfig

OTHER_BASE = (
    "A branch fits only the base DNN that it was trained on, and the int8 base DNN of the same weights is another one: train "
    "the app on this one (training.baseDnn in its manifest, then mainstream train)."
)


def check_base_dnn(config: BaseDnnConfig, *, where: str) -> None:
    """The branchpoints have different names; an int8 base DNN, and only such a one, says how it was quantised."""
    _distinct("branchpoints", config.branchpoints, where=where)
    if (config.precision == "int8") != (config.quantization is not None):
        told = "says how it was quantised" if config.quantization else "does not say how it was quantised"
        raise PackageError(f"quantization: the precision is {config.precision}, but the config {told}", where=where)


def check_mpackage(config: MPackageConfig, *, where: str) -> None:
    """Candidates branch where the chain of segments ends, classes hold events and background, tables fit the classes."""
    cuts = (INPUT, *(segment.end for segment in config.segments))
    _distinct("branchpoints", cuts, where=where)
    _distinct("classes", config.classes, where=where)
    _distinct("events", config.events, where=where)
    _distinct("candidates", (_branch(one) for one in config.candidates), where=where)
    for event in config.events:
        if event not in config.classes:
            raise PackageError(f"events: {event!r} is none of the classes {_listed(config.classes)}", where=where)
    if len(config.events) == len(config.classes):
        raise PackageError("events: every class is an event, so nothing is background", where=where)
    for candidate in config.candidates:
        if candidate.branchpoint not in cuts:
            raise PackageError(
                f"candidate {candidate.branchpoint!r} branches at none of the chain's branchpoints {_listed(cuts)}",
                where=where,
            )
        side = len(config.classes)
        if len(candidate.confusion) != side or any(len(row) != side for row in candidate.confusion):
            raise PackageError(
                f"candidate {candidate.branchpoint!r}: confusion: expected {side} rows and columns, one for each class",
                where=where,
            )
    deepest = max(cuts.index(candidate.branchpoint) for candidate in config.candidates)
    if deepest != len(config.segments):
        raise PackageError(
            f"segments: the chain goes on to {cuts[-1]!r}, but the deepest candidate branches at {cuts[deepest]!r}",
            where=where,
        )


def _branch(candidate: Candidate) -> str:
    """A cut has one candidate in each precision at most."""
    return (
        candidate.branchpoint if candidate.precision == "f32" else f"{candidate.branchpoint} in {candidate.precision}"
    )


def check_stem(config: MPackageConfig, base: BaseDnn, *, where: str) -> None:
    """An M-Package's chain is the beginning of its base DNN's, blob by blob, and takes the same pictures."""
    if config.base_dnn != base.digest:
        raise PackageError(
            f"baseDnn: it was trained on {config.base_dnn}, not on {base.digest} ({base.config.precision})",
            where=where,
            remedy=OTHER_BASE,
        )
    for candidate in config.candidates:
        if candidate.precision == "int8" and base.config.precision != "int8":
            raise PackageError(
                f"candidate {candidate.branchpoint!r}: an int8 branch on a base DNN in {base.config.precision}",
                where=where,
                remedy=OTHER_BASE,
            )
    for mine, theirs in zip(config.segments, base.config.segments, strict=False):
        if mine != theirs:
            raise PackageError(
                f"segment {mine.end!r} ({mine.digest}) is not the base DNN's {theirs.end!r} ({theirs.digest})",
                where=where,
                remedy=OTHER_BASE,
            )
    if len(config.segments) > len(base.config.segments):
        raise PackageError(
            f"segments: the chain has {len(config.segments)}, its base DNN only {len(base.config.segments)}",
            where=where,
        )
    if (config.input_shape, config.preprocessing) != (base.config.input_shape, base.config.preprocessing):
        raise PackageError("inputShape, preprocessing: they are not those of its base DNN", where=where)


def _distinct(what: str, names: Iterable[str], *, where: str) -> None:
    seen = set()
    for name in names:
        if name in seen:
            raise PackageError(f"{what}: {name!r} is there twice", where=where)
        seen.add(name)


def _listed(names: Iterable[str]) -> str:
    text = ", ".join(repr(name) for name in names)
    return text if len(text) <= 300 else f"{text[:300]}..."
