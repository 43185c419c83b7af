"""Under which name a store keeps the M-Package that an app's own training makes, and that of its other precision."""

from mainstream.basednn import Precision
from mainstream.errors import InputError
from mainstream.packages.artifacts import mpackage_name, read_base_dnn
from mainstream.packages.layout import OciLayout
from mainstream.resources.app import MainstreamApp


def trained_precision(layout: OciLayout, app: MainstreamApp) -> Precision:
    """Of the base DNN that an app trains on: what its manifest says, or what the base DNN that it refers to is.

    A reference that leads nowhere counts as f32; who needs the base DNN itself says so.
    """
    training = app.spec.training
    if training is None or training.base_dnn.reference is None:
        return (training.base_dnn.precision if training else None) or "f32"
    try:
        return read_base_dnn(layout, training.base_dnn.reference).config.precision
    except InputError:
        return "f32"


def trained_name(layout: OciLayout, app: MainstreamApp) -> str:
    """The name of the M-Package that ``mainstream train`` makes of an app (``InputError`` if its name makes none)."""
    return mpackage_name(app.metadata.namespace, app.metadata.name, trained_precision(layout, app))


def other_precision(name: str) -> str | None:
    """The name of the same app's M-Package on the base DNN of the other precision; None for other names than these."""
    match name.split("/"):
        case ["mpackage", namespace, app]:
            return mpackage_name(namespace, app, "int8")
        case ["mpackage", namespace, app, "int8"]:
            return mpackage_name(namespace, app)
        case _:
            return None
