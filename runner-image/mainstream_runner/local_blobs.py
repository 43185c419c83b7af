"""Blobs of a store on this machine: there or not, nothing is fetched."""

from pathlib import Path

from mainstream.schedule import Schedule


class LocalBlobs:
    """The store that ``--store`` names. A blob that is missing is found out when graphs are joined."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()

    def fetch(self, schedule: Schedule) -> None:
        """Nothing to do."""

    def pin(self, *schedules: Schedule) -> None:
        """Nothing to do: nothing is ever removed."""
