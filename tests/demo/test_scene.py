"""The demo's scene: truth agrees with pixels, training and test share no picture, a seed makes one stream."""

from dataclasses import replace
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest

from mainstream_demo import belt, scene
from mainstream_demo.compose import scenes
from mainstream_demo.settings import APPS, Settings

PLAIN = scene.Difficulty(light=(1.0, 1.0), noise=0.0, tint=0.0, cast=0.0)
LABELS = ("apple", "broccoli", "cauliflower", "orange")


@pytest.fixture(scope="module")
def source():
    """The belt's video, decoded once."""
    return belt.read_frames()


@pytest.fixture(scope="module")
def shelves(source):
    """Both shares' pictures."""
    spans = belt.read_spans()
    return {share: belt.shelf(share, source, spans) for share in ("training", "test")}


def planned(shelf, *, seed=3, frames=400, difficulty=PLAIN):
    return scene.plan(shelf, frames=frames, fps=Fraction(15), seed=seed, difficulty=difficulty)


def test_every_label_of_the_apps_is_on_both_shelves(shelves):
    """Each share has several cut-outs of each object."""
    for shelf in shelves.values():
        assert tuple(sorted(shelf.cutouts)) == LABELS
        assert min(len(cutouts) for cutouts in shelf.cutouts.values()) >= 6
    assert {label for events in APPS.values() for label in events} == set(LABELS)


def test_training_and_test_share_no_frame_of_an_object_and_keep_a_gap(shelves):
    """An object's training frames all come before its test frames, with unused frames between."""
    for label in LABELS:
        last = max(cutout.frame for cutout in shelves["training"].cutouts[label])
        first = min(cutout.frame for cutout in shelves["test"].cutouts[label])
        assert first - last > belt.GAP_FRAMES


def test_training_and_test_share_no_picture_by_content(shelves):
    """No cut-out and no empty belt of one share has the pixels of one of the other."""
    pixels = {
        share: {cutout.pixels.tobytes() for cutouts in shelf.cutouts.values() for cutout in cutouts}
        for share, shelf in shelves.items()
    }
    assert not pixels["training"] & pixels["test"]
    assert not np.array_equal(shelves["training"].empty, shelves["test"].empty)


def test_the_empty_belts_show_no_object(source):
    """No object is within the columns that are used of the frames that are taken for empty."""
    spans = belt.read_spans()
    for frame in belt.EMPTY.values():
        assert not [place for places in spans.values() for place in places if place[0] == frame]
    assert source[0].shape[1] > belt.WIDTH >= scene.WINDOW[2]


def test_a_cutout_is_its_object_and_not_the_belt(shelves):
    """The pixels of a fruit have its colour; a cut-out is mostly object."""
    for shelf in shelves.values():
        for label, cutouts in shelf.cutouts.items():
            for cutout in cutouts:
                assert cutout.alpha.mean() > 0.5, (label, cutout.frame)
                red, green, blue = (float(value) for value in cutout.pixels[cutout.alpha == 1].mean(axis=0))
                if label == "orange":
                    assert red > green + 40 > blue + 60
                if label == "apple":
                    assert green > red > blue + 20


def test_every_event_frame_shows_the_object_and_every_frame_between_shows_the_empty_belt(shelves):
    """With the noise off, what differs from the empty belt is where and when the truth says."""
    item = planned(shelves["test"])
    empty = item.empty.astype(np.uint8).astype(int)
    truth = np.zeros(item.frames, bool)
    near = np.zeros(item.frames, bool)
    for passing in item.passes:
        truth[passing.start : passing.end + 1] = True
        near[passing.first : passing.first + len(passing.positions)] = True
    differs = np.array([(np.abs(picture.astype(int) - empty).max(axis=2) > 20).sum() for picture in scene.render(item)])
    assert (differs[truth] > 100).all()
    assert (differs[~near] == 0).all()


def test_the_object_is_where_its_position_says(shelves):
    """The changed columns' middle is the pass's position while the whole object is in the picture."""
    item = planned(shelves["training"])
    empty = item.empty.astype(np.uint8).astype(int)
    for frame, picture in enumerate(scene.render(item)):
        for passing in item.passes:
            place = frame - passing.first
            half = passing.alpha.shape[1] / 2
            if 0 <= place < len(passing.positions) and half < passing.positions[place] < scene.WIDTH - half:
                changed = np.flatnonzero((np.abs(picture.astype(int) - empty).max(axis=2) > 20).any(axis=0))
                assert abs((changed[0] + changed[-1]) / 2 - passing.positions[place]) <= 4


def test_events_are_the_frames_with_the_middle_in_the_picture(shelves):
    """Start and end are exact, events follow one another without overlap and last as long as they should."""
    item = planned(shelves["test"], frames=3000)
    for passing in item.passes:
        inside = [passing.first + n for n, at in enumerate(passing.positions) if 0 <= at <= scene.WIDTH]
        assert inside == list(range(passing.start, passing.end + 1))
        seconds = (passing.end - passing.start + 1) / 15
        low, high = PLAIN.crossing_seconds
        assert low - 1 / 15 <= seconds <= high + 1 / 15
    for before, after in pairwise(item.passes):
        pause = (after.start - before.end - 1) / 15
        assert PLAIN.pause_seconds[0] - 1 / 15 <= pause <= PLAIN.pause_seconds[1] + 2 / 15
    assert item.events[-1].end_frame < item.frames


def test_a_seed_makes_one_stream_and_another_seed_another(shelves):
    """Equal seeds give equal truth and pixels; different seeds differ in both."""
    hard = scene.Difficulty()
    one, again, other = (planned(shelves["test"], seed=seed, frames=60, difficulty=hard) for seed in (5, 5, 6))
    assert one.events == again.events != other.events
    pictures = [np.stack(list(scene.render(item))) for item in (one, again, other)]
    assert np.array_equal(pictures[0], pictures[1])
    assert not np.array_equal(pictures[0], pictures[2])


def test_all_videos_of_the_demo_are_different_streams(source):
    """No two videos, of training or test, have the same events."""
    settings = replace(Settings(), training_frames=200, test_frames=400)
    events = [
        tuple((event.label, event.start_frame) for event in item.events)
        for share in ("training", "test")
        for item in scenes(settings, share, source).values()
    ]
    assert len(set(events)) == len(events) == settings.training_videos + len(settings.streams)
