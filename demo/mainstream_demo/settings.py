"""The demo's sizes: what it composes, trains and runs. Chosen so that all of it takes minutes on two cores."""

from dataclasses import dataclass, field
from fractions import Fraction

from mainstream_demo.scene import Difficulty

APPS: dict[str, tuple[str, ...]] = {
    "apple": ("apple",),
    "orange": ("orange",),
    "broccoli": ("broccoli",),
    "fruit": ("apple", "orange"),
    "green": ("apple", "broccoli"),
    "bright": ("cauliflower", "orange"),
}
"""Each application and the labels that are its events."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """``training_fps`` may be lower than ``fps``: the same seconds of belt in fewer pictures to train on."""

    seed: int = 1
    streams: tuple[str, ...] = ("belt-1", "belt-2", "belt-3", "belt-4", "belt-5", "belt-6")
    fps: Fraction = Fraction(15)
    training_fps: Fraction = Fraction(5)
    training_videos: int = 3
    training_frames: int = 700
    """Of each training video."""
    test_frames: int = 1200
    """Of each stream."""
    input_size: int = 128
    branchpoints: tuple[str, ...] = ("conv_pw_9", "conv_pw_12", "pooled")
    epochs: int = 4
    threads: int = 1
    utilizations: tuple[float, ...] = (2.5, 5, 10, 20, 40)
    """Budgets that the plan is asked about, per cent of the engine's time."""
    difficulty: Difficulty = field(default_factory=Difficulty)

    @property
    def test_seconds(self) -> float:
        """Length of each test stream."""
        return self.test_frames / float(self.fps)


DEMO = Settings()
