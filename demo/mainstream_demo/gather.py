"""Gathers the demo's figures from what the verbs printed: plans, runs, evaluations, packages, profile, events."""

import base64
import io
import json
import os
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mainstream.events_csv import read_events
from mainstream_demo import belt
from mainstream_demo.figures import POLICIES, Policy, Report, StepTime
from mainstream_demo.settings import Settings
from mainstream_demo.steps import Done
