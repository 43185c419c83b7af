"""``mainstream packages push`` and ``pull``: artifacts from a store to a registry, and back."""

from dataclasses import asdict
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mainstream.cli.main import require
from mainstream.cli.output import DEFAULT_STORE, Format, Output, OutputOption, StoreOption
from mainstream.errors import InputError
from mainstream.packages.folder import StoreFolder

if TYPE_CHECKING:
    from mainstream.packages.registry.client import RegistryClient
    from mainstream.packages.registry.reference import Reference

CredentialsOption = Annotated[
    Path | None,
    typer.Option(
        "--credentials",
        help="Docker config.json, or a folder that a Secret of type kubernetes.io/dockerconfigjson is mounted as. "
        "Default: what `docker login` left.",
    ),
]
CaOption = Annotated[
    Path | None,
    typer.Option("--ca", help="Certificate (PEM) of the registry's own CA; this system's are trusted, too."),
]
InsecureOption = Annotated[
    bool,
    typer.Option("--insecure-http", help="Plain HTTP, where nobody else can listen; localhost needs no such option."),
]


def add_to(command: typer.Typer) -> None:
    """Add both verbs to ``mainstream packages``."""
    command.command("push")(push)
    command.command("pull")(pull)


def push(
    names: Annotated[
        list[str], typer.Argument(metavar="REFERENCE...", help="Names or digests in the store.", show_default=False)
    ],
    to: Annotated[
        str,
        typer.Option(
            help="registry/repository[:tag]; with '/' at its end each artifact gets a repository of its name below it."
        ),
    ],
    mount_from: Annotated[
        str | None,
        typer.Option(help="Repository of the same registry that has some of the blobs, such as the base DNN's."),
    ] = None,
    credentials: CredentialsOption = None,
    ca: CaOption = None,
    insecure_http: InsecureOption = False,
    store: StoreOption = DEFAULT_STORE,
    output: OutputOption = Format.TABLE,
) -> None:
    """Push artifacts to a registry; an M-Package's base DNN goes along. What is there already is not sent again."""
    require("runner", "httpx")
    from mainstream.cli.transfer_view import Bytes, push_view, references
    from mainstream.packages.registry.push import Pusher

    layout = StoreFolder(store).layout
    targets = [(name, _target(name, to, several=len(names) > 1)) for name in names]
    out, stop = Output(output), Event()
    client = _client(targets[0][1], credentials=credentials, ca=ca, insecure_http=insecure_http, stop=stop)
    rows: dict[str, dict[str, Any]] = {}
    try:
        with Bytes(out) as progress:
            pusher = Pusher(layout, client, start=progress.start, mount_from=mount_from)
            for name, target in targets:
                rows |= {one.reference: _plain(asdict(one)) for one in pusher.push(name, target)}
    finally:
        client.close()
    pushed = list(rows.values())
    out.result({"artifacts": pushed}, lambda: push_view(pushed))
    if output is Format.TABLE:
        typer.echo(references(pushed))


def pull(
    reference: Annotated[str, typer.Argument(help="registry/repository[:tag][@sha256:...]", show_default=False)],
    name: Annotated[str | None, typer.Option(help="Its name in the store; default: the repository.")] = None,
    credentials: CredentialsOption = None,
    ca: CaOption = None,
    insecure_http: InsecureOption = False,
    store: StoreOption = DEFAULT_STORE,
    output: OutputOption = Format.TABLE,
) -> None:
    """Pull an artifact into the store; an M-Package's base DNN comes along. What was interrupted goes on where it was."""
    require("runner", "httpx")
    from mainstream.cli.transfer_view import Bytes, pull_view, references
    from mainstream.packages.registry.pull import Puller
    from mainstream.packages.registry.reference import parse_reference

    wanted = parse_reference(reference, where="REFERENCE")
    out, stop = Output(output), Event()
    client = _client(wanted, credentials=credentials, ca=ca, insecure_http=insecure_http, stop=stop)
    try:
        with Bytes(out) as progress:
            puller = Puller(StoreFolder(store).layout, client, start=progress.start, stop=stop)
            result = puller.pull(wanted, name=name)
    finally:
        client.close()
    rows = [_plain(asdict(one)) for one in (result.artifact, result.base_dnn) if one is not None]
    if result.base_dnn_missing is not None:
        out.warn(
            f"its base DNN {result.base_dnn_missing} is neither in this store nor in {wanted.repository}: pull it "
            "from where it is, or import it; without it the application runs, but cannot be planned or trained again"
        )
    out.result({"artifacts": rows, "baseDnnMissing": result.base_dnn_missing}, lambda: pull_view(rows))
    if output is Format.TABLE:
        typer.echo(references(rows))


def _target(name: str, to: str, *, several: bool) -> "Reference":
    from mainstream.packages.registry.reference import parse_reference

    below = to.endswith("/")
    if several and not below:
        raise InputError(
            "several artifacts cannot be in one place",
            where=f"--to {to}",
            remedy=f"Write '/' at its end (--to {to.partition('@')[0]}/): each gets a repository of its name below it.",
        )
    if below and name.startswith("sha256:"):
        raise InputError(f"{name} has no name to be found by below {to}", where="REFERENCE", remedy="Use its name.")
    reference = parse_reference(to + name.removeprefix("mpackage/") if below else to, where="--to")
    if reference.digest is not None:
        raise InputError("the digest is that of the artifact: leave it out", where=f"--to {to}")
    return reference


def _client(
    reference: "Reference", *, credentials: Path | None, ca: Path | None, insecure_http: bool, stop: Event
) -> "RegistryClient":
    from mainstream.packages.registry.client import RegistryClient
    from mainstream.packages.registry.credentials import default_credentials, read_credentials

    known = read_credentials(credentials) if credentials is not None else default_credentials()
    return RegistryClient(
        reference.registry,
        credentials=known.find(reference),
        ca=ca,
        insecure_http=insecure_http,
        pause=stop.wait,
    )


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    """Field names as documents have them."""
    from pydantic.alias_generators import to_camel

    return {to_camel(name): value for name, value in row.items()}
