"""Finished candidates of a training that is not finished, on the disk: a run that was killed goes on with the next one."""

from collections.abc import Sequence
from pathlib import Path

from mainstream.basednn import Precision
from mainstream.documents import sha256
from mainstream.errors import InputError
from mainstream.packages.files import write_whole
from mainstream.packages.mpackage import Candidate


def keep(working: Path, finished: Sequence[tuple[Candidate, bytes]]) -> None:
    """Keep a cut's finished candidates; what says that one is there is written last."""
    for candidate, branch in finished:
        name = candidate_name(candidate.branchpoint, candidate.precision)
        write_whole(working / f"{name}.tflite", branch)
        write_whole(working / f"{name}.json", candidate.canonical())


def kept(working: Path, branchpoint: str, precisions: Sequence[Precision]) -> list[tuple[Candidate, bytes]] | None:
    """A cut's candidates, if a run before has finished them in all of the precisions."""
    found = [_kept(working, branchpoint, precision) for precision in precisions]
    there = [one for one in found if one is not None]
    return there if len(there) == len(found) else None


def candidate_name(branchpoint: str, precision: Precision) -> str:
    """``conv_pw_9``, and for an int8 branch ``conv_pw_9-int8``."""
    return branchpoint if precision == "f32" else f"{branchpoint}-{precision}"


def _kept(working: Path, branchpoint: str, precision: Precision) -> tuple[Candidate, bytes] | None:
    """A candidate that a run before has finished; anything half-written or damaged counts as not there."""
    name = candidate_name(branchpoint, precision)
    document, graph = working / f"{name}.json", working / f"{name}.tflite"
    if not document.is_file() or not graph.is_file():
        return None
    try:
        candidate = Candidate.parse(document.read_bytes(), where=document)
    except InputError:
        return None
    data = graph.read_bytes()
    return (candidate, data) if sha256(data) == candidate.branch_digest else None
