"""``mainstream base import`` and ``mainstream base list``."""

from pathlib import Path
from typing import Annotated, Any, cast, get_args

import typer
from rich.table import Table

from mainstream.basednn import BaseDnn, Precision
from mainstream.cli.main import require
from mainstream.cli.output import DEFAULT_STORE, Format, Output, OutputOption, StoreOption
from mainstream.errors import InputError
from mainstream.packages.folder import StoreFolder

command = typer.Typer(no_args_is_help=True, help="Base DNNs: pre-trained networks, cut at every legal branchpoint.")


@command.command("import")
def import_(
    architecture: Annotated[str, typer.Option(help="MobileNet, ResNet50 or InceptionV3.")],
    weights: Annotated[
        str, typer.Option(help="imagenet (Keras downloads it), random, or a .weights.h5 file.")
    ] = "imagenet",
    alpha: Annotated[float | None, typer.Option(help="Width of a MobileNet; 1.0 by default.")] = None,
    input_size: Annotated[int | None, typer.Option(help="Pixels of the square input; the architecture's own.")] = None,
    precision: Annotated[
        str, typer.Option(help="f32, or int8: quantised as a whole, then cut; two to three times faster.")
    ] = "f32",
    calibration: Annotated[
        Path | None, typer.Option(help="With int8: a folder of pictures to quantise with; 48 that ship by default.")
    ] = None,
    name: Annotated[str | None, typer.Option(help="Name in the store, such as base/mobilenet.")] = None,
    store: StoreOption = DEFAULT_STORE,
    output: OutputOption = Format.TABLE,
) -> None:
    """Make a base DNN's artifact: its segments as .tflite files and the weights that training starts from."""
    require("trainer", "tensorflow", "ai_edge_litert")
    from mainstream_trainer.basednn import import_base_dnn
    from mainstream_trainer.weights import count_parameters

    out = Output(output)
    layout = StoreFolder(store).layout
    warnings: list[str] = []
    with out.progress() as steps:
        base, made = import_base_dnn(
            layout,
            name=architecture,
            alpha=alpha,
            input_size=input_size,
            weights=weights,
            precision=_precision(precision),
            calibration=calibration,
            reference=name,
            start=steps.start,
            warn=warnings.append,
        )
    for warning in warnings:
        out.warn(warning)
    names = layout.names()
    name = name or _name(base, names)
    parameters = count_parameters(layout.read_blob(base.config.weights_digest))
    reference = f"{name}@{base.digest}"
    out.say(f"{'imported' if made else 'already there'}: {name}, {parameters:,} parameters")
    plain = {"made": made, "parameters": parameters, "reference": reference, **_plain(base, names), "name": name}
    out.result(plain, lambda: _segments(base))
    out.say(f"In a manifest:\n  baseDnn: {{reference: {reference}}}")


@command.command("list")
def list_(store: StoreOption = DEFAULT_STORE, output: OutputOption = Format.TABLE) -> None:
    """List the base DNNs of the store."""
    from mainstream_trainer.basednn import known_base_dnns

    layout = StoreFolder(store).layout
    bases, names = known_base_dnns(layout), layout.names()
    Output(output).result({"baseDnns": [_plain(base, names) for base in bases]}, lambda: _bases(bases, names))


def _precision(text: str) -> Precision:
    for precision in get_args(Precision):
        if text == precision:
            return cast("Precision", precision)
    raise InputError(f"--precision: expected one of {', '.join(get_args(Precision))}, got {text!r}")


def _plain(base: BaseDnn, names: dict[str, str]) -> dict[str, Any]:
    return {"name": _name(base, names), "digest": base.digest, "config": base.config.plain()}


def _name(base: BaseDnn, names: dict[str, str]) -> str:
    return next((name for name, digest in names.items() if digest == base.digest), "")


def _segments(base: BaseDnn) -> Table:
    config = base.config
    table = Table(
        title=f"{config.architecture}, {config.input_shape[0]} px, {config.precision}: segments by branchpoint"
    )
    for column, side in (("branchpoint", "left"), ("output", "right"), ("kB", "right"), ("digest", "left")):
        table.add_column(column, justify=side)  # type: ignore[arg-type]
    for segment in base.config.segments:
        shape = " x ".join(str(size) for size in segment.output_shape)
        table.add_row(segment.end, shape, f"{segment.size / 1000:,.0f}", segment.digest[:19])
    return table


def _bases(bases: list[BaseDnn], names: dict[str, str]) -> Table:
    table = Table(title="Base DNNs")
    for column in ("name", "architecture", "input", "precision", "weights", "branchpoints", "digest"):
        table.add_column(column)
    for base in bases:
        config = base.config
        table.add_row(
            *(
                _name(base, names),
                config.architecture,
                f"{config.input_shape[0]} px",
                config.precision,
                Path(config.weights_name).name[:19],
            ),
            *(str(len(config.branchpoints)), base.digest[:19]),
        )
    return table
