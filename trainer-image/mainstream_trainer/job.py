"""``python -m mainstream_trainer.job``: what the operator's Jobs run (``mainstream.jobs``): base DNN imports and training.

The pod's disk is gone with the pod, so what is finished goes to the registry at once: a Job that is tried again, on whatever
machine, goes on with what is there (``parts``).
"""

import os
import sys

from mainstream.job_program import Surroundings, run_job
from mainstream.jobs import BaseDnnTask, JobResult, TrainTask


def import_base_dnn(task: BaseDnnTask, surroundings: Surroundings) -> JobResult:
    """See ``base_job``; TensorFlow is imported only now."""
    from mainstream_trainer.base_job import base_job

    return base_job(task, surroundings)


def train(task: TrainTask, surroundings: Surroundings) -> JobResult:
    """See ``train_job``."""
    from mainstream_trainer.assembling import assemble
    from mainstream_trainer.train_job import train_job

    return assemble(task, surroundings) if task.assemble else train_job(task, surroundings)


def main(surroundings: Surroundings) -> int:
    """Do the task; the exit status."""
    # Keras keeps what it downloads at home, and the pod's user has none.
    os.environ.setdefault("KERAS_HOME", str(surroundings.work / "keras"))
    return run_job(
        {"Train": (TrainTask, "TrainingFailed", train), "BaseDnn": (BaseDnnTask, "BaseDnnFailed", import_base_dnn)},
        surroundings,
    )


if __name__ == "__main__":
    sys.exit(main(Surroundings(environment=os.environ)))
