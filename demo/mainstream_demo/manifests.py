"""The demo's manifests: the same kinds that a cluster takes, written as files that a person can read and change."""

from collections.abc import Mapping
from typing import Any

import yaml

from mainstream.basednn import Precision
from mainstream.documents import fraction_text
from mainstream.packages.artifacts import mpackage_name
from mainstream.resources.metadata import API_VERSION
from mainstream_demo.settings import APPS, Settings

EDGE_NODE = "belt-box"
END_AFTER_SECONDS = "0.3"
"""Objects follow one another closely: by the default (two looks of the app) a slow app would take two for one."""


def base_dnn(settings: Settings, precision: Precision = "f32") -> str:
    """The base DNN's name in the store."""
    return f"base/mobilenet-1.0-{settings.input_size}" + ("" if precision == "f32" else f"-{precision}")


def edge_node(settings: Settings, *, data: str = "../data") -> str:
    """One box with all streams; the demo gives the budget on the command line. ``data`` is seen from the manifest."""
    streams = [
        {
            "name": stream,
            "source": {"file": {"path": f"{data}/test/{stream}.mp4"}},
            "captureFps": fraction_text(settings.fps),
        }
        for stream in settings.streams
    ]
    return _yaml(
        "One box, its cameras (here files) and its budget.",
        {
            "apiVersion": API_VERSION,
            "kind": "EdgeNode",
            "metadata": {"name": EDGE_NODE},
            "spec": {
                "budget": {"cpu": str(settings.threads)},
                "runtime": {"threads": settings.threads},
                "streams": streams,
                "allowedNamespaces": {},
            },
        },
    )


def applications(settings: Settings, stream: str, *, data: str = "../data", precision: Precision = "f32") -> str:
    """The applications of one stream. Those of the first are trained, the others use their M-Packages."""
    first = settings.streams[0]
    documents = []
    for name, events in APPS.items():
        spec: dict[str, Any] = {
            "edgeNodes": {"matchNames": [EDGE_NODE]},
            "stream": stream,
            "events": list(events),
            "endAfterSeconds": END_AFTER_SECONDS,
        }
        if stream == first:
            spec["training"] = {
                "baseDnn": {"reference": base_dnn(settings, precision)},
                "dataset": {"uri": f"{data}/training"},
                "branchpoints": list(settings.branchpoints),
                "epochs": settings.epochs,
                "seed": settings.seed,
            }
        else:
            spec["package"] = {"reference": mpackage_name(first, name, precision)}
        documents.append(
            {
                "apiVersion": API_VERSION,
                "kind": "MainstreamApp",
                "metadata": {"name": name, "namespace": stream},
                "spec": spec,
            }
        )
    what = "trained on the composed videos" if stream == first else f"with the M-Packages that {first} trained"
    return _yaml(f"The applications on {stream}, {what}.", *documents)


def _yaml(comment: str, *documents: Mapping[str, Any]) -> str:
    return f"# {comment}\n" + "---\n".join(
        yaml.safe_dump(dict(document), sort_keys=False, default_flow_style=None, width=120) for document in documents
    )
