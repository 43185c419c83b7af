"""The verbs of ``kubectl mainstream``. Exit status: 0, 1 where something is wrong or failed, 2 for wrong input."""

import json
import sys
import tempfile
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Group, RenderableType
from rich.text import Text

from mainstream.cli.main import require
from mainstream.cli.output import FilesOption, Format, Output, OutputOption
from mainstream.cli.verbs import VerbGroup
from mainstream.errors import InputError
from mainstream.kubectl.calls import Kubectl, Plain

SOMETHING_WRONG = 1

ContextOption = Annotated[str | None, typer.Option("--context", help="Context of the kubeconfig, as for kubectl.")]
KubeconfigOption = Annotated[
    str | None, typer.Option("--kubeconfig", help="File with the cluster's address and login.")
]
NamespaceOption = Annotated[
    str | None, typer.Option("--namespace", "-n", help="Namespace of apps that name none; default: the context's.")
]


def command_line() -> typer.Typer:
    """All verbs."""
    app = typer.Typer(
        name="kubectl mainstream",
        cls=VerbGroup,
        help="What a cluster's boxes compute for whom, what a change would do, and what is wrong.",
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
        no_args_is_help=True,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    for verb in (tree, plan, events, doctor):
        app.command()(verb)
    return app


def tree(
    edge_node: Annotated[str, typer.Argument(metavar="EDGENODE", help="Name of the EdgeNode.")],
    *,
    context: ContextOption = None,
    kubeconfig: KubeconfigOption = None,
    output: OutputOption = Format.TABLE,
) -> None:
    """What a box computes once for whom: streams, stem, branches, rates, F1; measured beside planned."""
    from mainstream.kubectl import lookup
    from mainstream.kubectl.tree import plain_tree, tree_view

    kubectl = Kubectl(context=context, kubeconfig=kubeconfig)
    box = lookup.edge_node(kubectl, edge_node)
    plain = plain_tree(box, lookup.schedule(kubectl, edge_node))
    Output(output).result(plain, lambda: tree_view(plain))


def plan(
    filename: FilesOption,
    *,
    like: Annotated[
        list[str] | None,
        typer.Option(
            "--like",
            metavar="APP=OTHER",
            help="Assume for an app without a package the accuracy of another app; repeat.",
        ),
    ] = None,
    context: ContextOption = None,
    kubeconfig: KubeconfigOption = None,
    namespace: NamespaceOption = None,
    output: OutputOption = Format.TABLE,
) -> None:
    """What these manifests would do to everybody on the boxes that they touch. Nothing is changed."""
    require("runner", "httpx")
    from mainstream.kubectl.packages import ClusterPackages
    from mainstream.kubectl.plan_view import plan_view
    from mainstream.kubectl.situation import concerned, read
    from mainstream.kubectl.whatif import ask, plain_answer
    from mainstream.resources.manifests import load

    assumed = dict(_assumption(text) for text in like or ())
    manifests = load(filename)
    kubectl = Kubectl(context=context, kubeconfig=kubeconfig)
    situation = read(kubectl, manifests, namespace or kubectl.default_namespace())
    with tempfile.TemporaryDirectory() as folder, ClusterPackages(kubectl, Path(folder)) as packages:
        answers = [plain_answer(ask(situation, name, packages, assumed)) for name in concerned(situation)]
    out = Output(output)
    out.result({"edgeNodes": answers}, lambda: plan_view(answers, situation.changed))
    left_out = [
        row for answer in answers for row in answer["apps"] if row["app"] in situation.changed and not row["after"]
    ]
    if left_out:
        raise typer.Exit(SOMETHING_WRONG)


def events(
    app: Annotated[str, typer.Argument(metavar="APP", help="Name of the MainstreamApp.")],
    *,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with new events, until Ctrl-C.")] = False,
    context: ContextOption = None,
    kubeconfig: KubeconfigOption = None,
    namespace: NamespaceOption = None,
    output: OutputOption = Format.TABLE,
) -> None:
    """What an app detects, from the runners' pages; JSON is a line for each."""
    from mainstream.kubectl import lookup
    from mainstream.kubectl.events import followed_events, past_events

    kubectl = Kubectl(context=context, kubeconfig=kubeconfig)
    namespace = namespace or kubectl.default_namespace()
    body = lookup.app(kubectl, app, namespace)
    nodes = [one["edgeNode"] for one in (body.get("status") or {}).get("assignments") or ()]
    if not nodes:
        raise InputError(f"app {namespace}/{app} runs on no edge node", remedy="See why: kubectl mainstream doctor")
    out, key = Output(output), f"{namespace}/{app}"
    for one in followed_events(kubectl, key, nodes) if follow else past_events(kubectl, key, nodes):
        if output is Format.JSON:
            sys.stdout.write(json.dumps(one, ensure_ascii=False) + "\n")
            sys.stdout.flush()
        else:
            out.results.print(_event(one))


def doctor(
    *,
    context: ContextOption = None,
    kubeconfig: KubeconfigOption = None,
    output: OutputOption = Format.TABLE,
) -> None:
    """What is wrong, in sentences, with the remedy. Exit status 1 if something is."""
    from mainstream.kubectl.doctor import examine
    from mainstream.kubectl.gather import gather

    found = [one.plain() for one in examine(gather(Kubectl(context=context, kubeconfig=kubeconfig)))]
    errors = [one for one in found if one["level"] == "error"]
    Output(output).result({"healthy": not errors, "troubles": found}, lambda: _troubles(found))
    if errors:
        raise typer.Exit(SOMETHING_WRONG)


def _assumption(text: str) -> tuple[str, str]:
    app, equals, other = text.partition("=")
    if not (equals and app and other):
        raise InputError(f"--like: expected APP=OTHER, got {text!r}")
    return app, other


def _event(one: Plain) -> Text:
    ended = f" to {float(one['endSeconds']):.2f} s" if one.get("endSeconds") is not None else ""
    reason = f"  {one['reason']}" if one.get("reason") else ""
    return Text.assemble(
        (str(one["time"]), "dim"),
        f"  {one['kind']:7}  ",
        (str(one["label"]), "bold"),
        f"  score {float(one['score']):.2f}  stream {one['stream']}  {float(one['startSeconds']):.2f}{ended}{reason}",
    )


def _troubles(found: list[dict[str, Any]]) -> RenderableType:
    if not found:
        return Text("Nothing is wrong.", style="green")
    parts: list[RenderableType] = []
    for one in found:
        colour = "bold red" if one["level"] == "error" else "yellow"
        parts.append(Text.assemble((one["object"], "bold"), "  ", (one["reason"], colour)))
        parts.append(Text(f"  {one['message']}"))
        if one["remedy"]:
            parts.append(Text.assemble(("  → ", "dim"), one["remedy"]))
    return Group(*parts)
