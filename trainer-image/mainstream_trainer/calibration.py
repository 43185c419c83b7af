"""The pictures that a network is quantised with: which values each tensor takes is measured on them.

They need not show what applications look for, since branches are trained on what the quantised stem computes; they must be
pictures. A set of 48 (``assets/calibration.mp4``) ships for whoever gives none.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mainstream.documents import canonical_json, sha256
from mainstream.errors import InputError
from mainstream_trainer.dataset import PICTURES
from mainstream_trainer.video import Crop, picture_pixels, probe, video_pixels

SHIPPED = Path(__file__).parent / "assets" / "calibration.mp4"
FEWEST = 16
"""Pictures; with fewer, ranges are those of single pictures."""
MOST = 256
"""Pictures that are used of a larger set: more change little and take time."""
LEAST_CONTRAST = 4.0
"""Standard deviation of a picture's pixels (of 255) below which it shows nothing."""

_WHOLE: Crop = (0.0, 0.0, 1.0, 1.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """Where the pictures are, how many, and their digest (of their bytes, whatever their names and order)."""

    source: Path
    files: tuple[Path, ...]
    pictures: int
    digest: str

    def pixels(self, size: tuple[int, int]) -> Iterator[NDArray[np.uint8]]:
        """Each picture as a network of that input ``(height, width)`` sees it (``InputError`` if one cannot be read)."""
        if self.source == SHIPPED:
            yield from video_pixels(SHIPPED, np.arange(self.pictures), _WHOLE, size)
        for file in self.files:
            yield picture_pixels(file, _WHOLE, size)


def calibration_of(folder: Path | None) -> Calibration:
    """The pictures of a folder and the folders in it, or those that ship (``InputError`` for no or too few pictures)."""
    if folder is None:
        return Calibration(
            source=SHIPPED, files=(), pictures=probe(SHIPPED).frames, digest=sha256(SHIPPED.read_bytes())
        )
    remedy = f"Give a folder with {FEWEST} to {MOST} pictures, or leave --calibration out for those that ship."
    if not folder.is_dir():
        raise InputError("no such folder of calibration pictures", where=folder, remedy=remedy)
    found = [path for path in folder.rglob("*") if path.suffix.lower() in PICTURES and path.is_file()]
    if not found:
        kinds = ", ".join(sorted(PICTURES))
        raise InputError(f"the folder holds no calibration picture ({kinds})", where=folder, remedy=remedy)
    by_digest = {sha256(path.read_bytes()): path for path in found}
    if len(by_digest) < FEWEST:
        alike = "" if len(by_digest) == len(found) else f" different ones among {len(found)}"
        raise InputError(
            f"{len(by_digest)}{alike} calibration pictures are too few: at least {FEWEST} are needed",
            where=folder,
            remedy=remedy,
        )
    digests = sorted(by_digest)
    chosen = [digests[place] for place in np.linspace(0, len(digests) - 1, min(MOST, len(digests))).astype(int)]
    return Calibration(
        source=folder,
        files=tuple(by_digest[digest] for digest in chosen),
        pictures=len(chosen),
        digest=sha256(canonical_json(chosen)),
    )


def blank_warning(pictures: NDArray[np.uint8], where: Path) -> str | None:
    """What to tell of ``(n, height, width, 3)`` pictures of which most show nothing; None if they do."""
    contrasts = pictures.reshape(len(pictures), -1).std(1)
    blank = int((contrasts < LEAST_CONTRAST).sum())
    if blank * 2 <= len(pictures):
        return None
    return (
        f"{where}: {blank} of {len(pictures)} calibration pictures show nothing (brightness {pictures.mean():.1f}, contrast "
        f"{contrasts.mean():.1f} of 255 on average; at least {LEAST_CONTRAST:g} is expected): the ranges that they give are "
        "not those of real pictures, and branches will be less accurate; give pictures of scenes"
    )
