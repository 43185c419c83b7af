"""Command-line options that several of the runner's verbs have."""

from pathlib import Path
from typing import Annotated

import typer

SecretsOption = Annotated[
    Path | None,
    typer.Option(
        "--secrets", help="Folder with the Secrets that manifests name: FOLDER/NAME/KEY.", envvar="MAINSTREAM_SECRETS"
    ),
]
