"""The inference engines that there are, by the name in the schedule."""

from importlib.util import find_spec
from typing import Literal

from mainstream.errors import InputError
from mainstream_runner.engine import Engine


def engine_named(name: Literal["LiteRT", "OpenVINO"]) -> Engine:
    """The engine, imported now; ``InputError`` if its extra is not installed."""
    if name == "OpenVINO":
        if find_spec("openvino") is None:
            raise InputError(
                "engine: OpenVINO is not installed",
                remedy="pip install 'mainstream-edge[openvino]', or set spec.runtime.engine to Auto or LiteRT.",
            )
        from mainstream_runner.openvino import OpenVINO

        return OpenVINO()
    from mainstream_runner.litert import LiteRT

    return LiteRT()
