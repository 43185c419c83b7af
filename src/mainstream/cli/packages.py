"""``mainstream packages list``, ``inspect`` and ``verify``: what a store holds, and whether it is sound."""

from typing import Annotated, Any

import typer

from mainstream.cli.output import DEFAULT_STORE, Format, Output, OutputOption, StoreOption
from mainstream.cli.packages_view import inspect_view, list_view, verify_view
from mainstream.cli.transfer import add_to
from mainstream.errors import OperationError, PackageError
from mainstream.packages.artifacts import KINDS, MPACKAGE_TYPE, read_base_dnn, read_mpackage
from mainstream.packages.contents import Content, content, contents, shared_bytes, shared_with, verify
from mainstream.packages.folder import StoreFolder
from mainstream.packages.manifest import printable

command = typer.Typer(no_args_is_help=True, help="M-Packages and base DNNs of a store: what is there, is it sound.")
add_to(command)

NameArgument = Annotated[str, typer.Argument(help="Name (mpackage/NAMESPACE/APP, base/...) or digest of its manifest.")]


def register(app: typer.Typer) -> None:
    """Add ``mainstream packages``."""
    app.add_typer(command, name="packages")


@command.command("list")
def list_(store: StoreOption = DEFAULT_STORE, output: OutputOption = Format.TABLE) -> None:
    """List the artifacts of the store with their sizes and what they share."""
    layout = StoreFolder(store).layout
    all_contents = contents(layout)
    used = {digest: size for one in all_contents for digest, size in one.blobs.items()}
    totals = {
        "sizeBytes": sum(used.values()),
        "unsharedBytes": sum(one.size for one in {one.digest: one for one in all_contents}.values()),
        "unlistedBytes": sum(size for digest, size in layout.stored().items() if digest not in used),
    }
    rows = [_row(one, all_contents) for one in all_contents]
    Output(output).result({"artifacts": rows, **totals}, lambda: list_view(rows, totals))


@command.command("inspect")
def inspect(name: NameArgument, store: StoreOption = DEFAULT_STORE, output: OutputOption = Format.TABLE) -> None:
    """Show an artifact: its candidates with their accuracy, its blobs and who shares them."""
    layout = StoreFolder(store).layout
    one = content(layout, name)
    if one.kind not in KINDS.values():
        fault = one.fault or "it is neither a base DNN nor an M-Package"
        raise PackageError(fault, where=f"{layout.root}: {printable(name)}")
    others = contents(layout)
    shared = shared_with(one, others)
    is_package = one.kind == KINDS[MPACKAGE_TYPE]
    config = read_mpackage(layout, one.digest).config if is_package else read_base_dnn(layout, one.digest).config
    blobs = [
        {
            "piece": piece.what,
            "branchpoint": piece.branchpoint,
            "digest": piece.digest,
            "sizeBytes": piece.size,
            "sharedWith": list(shared[piece.digest]),
        }
        for piece in one.pieces
    ]
    plain = {**_row(one, others), "config": config.plain(), "blobs": blobs}

    Output(output).result(plain, lambda: inspect_view(plain, config, layout.names()))


@command.command("verify")
def verify_(
    names: Annotated[list[str] | None, typer.Argument(help="Names or digests; everything if none is given.")] = None,
    store: StoreOption = DEFAULT_STORE,
    output: OutputOption = Format.TABLE,
) -> None:
    """Read every blob and check it against its digest, its size and the artifact that it belongs to."""
    layout = StoreFolder(store).layout
    chosen = tuple(content(layout, name) for name in names) if names else contents(layout)
    checked = verify(layout, chosen)
    rows = [
        {
            "name": one.content.name,
            "kind": one.content.kind,
            "digest": one.content.digest,
            "blobs": len(one.content.blobs),
            "sizeBytes": one.content.size,
            "sound": not one.faults,
            "faults": list(one.faults),
        }
        for one in checked
    ]
    Output(output).result({"artifacts": rows}, lambda: verify_view(rows))
    broken = [one for one in checked if one.faults]
    if broken:
        lines = [f"{one.content.label}: {fault}" for one in broken for fault in one.faults]
        raise OperationError(
            f"broken artifacts: {len(broken)} of {len(checked)}\n  " + "\n  ".join(lines),
            where=layout.root,
            remedy=f"Delete the named blobs (below {layout.root / 'blobs'}), then make the artifacts again: "
            "mainstream base import, mainstream train.",
        )


def _row(one: Content, others: tuple[Content, ...]) -> dict[str, Any]:
    row: dict[str, Any] = {
        "name": one.name,
        "kind": one.kind,
        "digest": one.digest,
        "sizeBytes": one.size,
        "sharedBytes": shared_bytes(one, others),
    }
    if one.kind == KINDS[MPACKAGE_TYPE]:
        row["candidates"] = one.candidates
    return row if one.fault is None else {**row, "fault": one.fault}
