"""StoreFolder: what ``--store DIR`` holds."""

from dataclasses import dataclass
from pathlib import Path

from mainstream.packages.layout import OciLayout


@dataclass(frozen=True, slots=True)
class StoreFolder:
    """The folder and its parts; each is made when something is first written to it."""

    root: Path

    @property
    def layout(self) -> OciLayout:
        """Base DNNs and M-Packages."""
        return OciLayout(self.root / "oci")

    @property
    def profiles(self) -> Path:
        """What this machine needs for segments, branches and streams."""
        return self.root / "profiles"

    @property
    def features(self) -> Path:
        """Cache of the frozen stem's outputs on training frames."""
        return self.root / "features"

    @property
    def training(self) -> Path:
        """Finished candidates of trainings that are not."""
        return self.root / "training"
