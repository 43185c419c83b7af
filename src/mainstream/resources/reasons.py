"""Reasons: the words that conditions, Kubernetes Events, logs and metrics give, what each means, and what to do about it.

They are an API: a word does not change its meaning. docs/reasons.md is generated from this table.

    python -m mainstream.resources.reasons > docs/reasons.md
"""

import sys
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """A word, what it means, and what a person does; an empty ``remedy`` means: wait, or nothing."""

    word: str
    means: str
    remedy: str = ""


def _reasons(*rows: tuple[str, str, str]) -> tuple[Reason, ...]:
    return tuple(Reason(word=word, means=means, remedy=remedy) for word, means, remedy in rows)


EVERYWHERE = _reasons(
    ("Ready", "All is well.", ""),
    (
        "SpecInvalid",
        "The API server took the object, but a field of it cannot be used; the message names it.",
        "Change that field: kubectl edit.",
    ),
)
APPLIED = _reasons(
    (
        "ApplyFailed",
        "The API server refuses what the operator makes for it; the message has its words. It is tried again.",
        "Most often a quota, a policy or a right that is missing: remove that cause.",
    ),
)
PROFILED = _reasons(
    ("ProfilePending", "What the base DNN costs on the box is being measured, by a Job on it.", ""),
    (
        "ProfileFailed",
        "Measuring on the box failed; the message says why.",
        "Remove the cause, then delete the profiler's Job in the operator's namespace: another one is made.",
    ),
    (
        "NodeNotFound",
        "The cluster has no Node of the name that the EdgeNode says.",
        "Set spec.nodeName to one of `kubectl get nodes`, or join the box to the cluster.",
    ),
)
NODE_SCHEDULED = _reasons(
    ("NoApps", "No application can run here, so there is no schedule and no runner.", ""),
    (
        "SolverTimedOut",
        "The schedule is good, but not proven to be the best; the message says how much better one could be at most.",
        "",
    ),
)
RUNNER = _reasons(
    (
        "RunnerNotReporting",
        "The runner has not renewed its Lease. It goes on with its last schedule if the box has power.",
        "Check the box's power and network: kubectl get node; kubectl get pods in the operator's namespace.",
    ),
    (
        "RunnerRestarting",
        "The runner's pod does not start or ends again; the message has its last words.",
        "kubectl logs --previous of the runner's pod; kubectl describe pod says why it cannot be placed.",
    ),
    (
        "OutOfMemory",
        "The runner was killed because it needed more than budget.memory.",
        "Raise budget.memory, or run fewer applications or streams on the box.",
    ),
    (
        "ScheduleRefused",
        "The runner cannot load the newest schedule and runs the one before; the message says why.",
        "Most often a registry that the box cannot reach, or budget.memory: remove that cause.",
    ),
    ("ScheduleLoading", "The newest schedule is on its way to the runner.", ""),
)
STREAMS = _reasons(
    (
        "StreamUnreachable",
        "The camera does not answer. The runner tries again and again.",
        "Check the camera and the address in spec.streams.",
    ),
    ("StreamStalled", "The camera is connected but sends no frames.", "Look at the camera; restarting it often helps."),
    (
        "CredentialsRejected",
        "The camera does not take user name and password, or their Secret is missing.",
        "Put the keys username and password into the Secret that credentialsSecretRef names, in the operator's namespace.",
    ),
    (
        "CaptureRateMismatch",
        "The camera sends at another rate than captureFps says; what is planned is off by as much.",
        "Write the rate that the message names into captureFps.",
    ),
    (
        "IngestTooExpensive",
        "Reading the streams takes all of budget.cpu; nothing is left for the engine.",
        "Use streams of a lower resolution or rate, fewer of them, or more budget.cpu.",
    ),
)
OVERCOMMITTED = _reasons(
    (
        "Infeasible",
        "Not all applications fit into the budget together with their minF1; those named are not admitted.",
        "Raise budget.utilization or budget.cpu, lower a minF1, or remove applications (kubectl mainstream plan).",
    ),
)
TRAINED = _reasons(
    ("Retraining", "A new package is being made; the one before stays in use.", ""),
    (
        "RetrainingFailed",
        "The new training failed; the package before stays in use.",
        "As for the reason in the message: correct spec.training, or set it back.",
    ),
    (
        "RetrainedWorse",
        "The new package is worse than the one in use (best p - q lower by more than 0.02) and is held back.",
        "Accept it with the annotation that the message names, or set spec.training back.",
    ),
    ("BaseDnnPending", "The base DNN is being imported.", ""),
    (
        "BaseDnnFailed",
        "The base DNN could not be imported; the message says why.",
        "Correct spec.training.baseDnn (architecture, weights).",
    ),
    ("TrainingPending", "Training has not finished; the message names the Job, and why its pod waits.", ""),
    (
        "TrainingFailed",
        "Training failed; the message has the trainer's words.",
        "kubectl logs of the Job; for memory raise spec.training.resources. A changed spec.training starts anew.",
    ),
    (
        "DatasetInvalid",
        "The data cannot be trained on; the message names file and line.",
        "Correct the data (docs/own-video.md), then change spec.training (a new uri, or seed) to start anew.",
    ),
    ("PackagePending", "The package is being read from its registry.", ""),
    (
        "PackageInvalid",
        "The artifact is no M-Package that can be used, or was measured for other events.",
        "Correct spec.package.reference, or spec.events: mainstream packages inspect shows what it holds.",
    ),
    (
        "PackageNotFound",
        "The registry has no such package, or does not answer.",
        "Check spec.package.reference, and push it: mainstream packages push.",
    ),
    (
        "RegistryCredentialsMissing",
        "The registry asks for credentials, or does not take those it got.",
        "Make a Secret mainstream-registry of type kubernetes.io/dockerconfigjson in the application's namespace.",
    ),
)
APP_SCHEDULED = _reasons(
    ("SchedulePending", "It will be part of the next schedule.", ""),
    (
        "Suspended",
        "spec.suspend is true: it keeps its package and takes no part in schedules.",
        "Set spec.suspend to false.",
    ),
    (
        "EdgeNodeNotFound",
        "There is no EdgeNode of that name, or none with those labels.",
        "Correct spec.edgeNodes: kubectl get edgenodes --show-labels.",
    ),
    (
        "StreamNotFound",
        "The EdgeNode has no such stream, or the stream no such view.",
        "Correct spec.stream or spec.view; the message names those that there are.",
    ),
    (
        "NamespaceNotAllowed",
        "The EdgeNode does not let in applications of this namespace.",
        "Ask whoever runs the box: spec.allowedNamespaces of the EdgeNode must select the Namespace's labels.",
    ),
    (
        "EventProfileMissing",
        "The package was made from pictures, which do not tell how long events are.",
        "Write spec.eventProfile.",
    ),
    (
        "EngineUnsuitable",
        "Its base DNN is in int8, and OpenVINO, the box's engine, computes other numbers with it than were measured.",
        "Set the EdgeNode's spec.runtime.engine to Auto or LiteRT, or train the app on the f32 base DNN.",
    ),
    (
        "RejectedByPriority",
        "It does not fit beside those with a higher priority, or, at the same, the older ones.",
        "Raise its priority, lower its minF1, or give the box more: the message says what it would need.",
    ),
    (
        "MinF1Unreachable",
        "Its minF1 is more than it can reach on this box at any cost.",
        "Lower minF1, or train it better (more data, more branchpoints).",
    ),
)
RUNNING = _reasons(
    ("NotScheduled", "No edge node has an assignment for it; the condition Scheduled says why.", ""),
    (
        "SinkUnreachable",
        "A sink of its cannot be reached. Events are kept on the box, and sent when it is back.",
        "Check the address in spec.sinks, and its Secret.",
    ),
)
DEGRADED = _reasons(
    (
        "EdgeNodeUnreachable",
        "Some edge nodes that it runs on do not report; the message names them.",
        "As for RunnerNotReporting.",
    ),
)

TABLES: tuple[tuple[str, tuple[Reason, ...]], ...] = (
    ("Every condition", (*EVERYWHERE, *APPLIED)),
    ("EdgeNode: Profiled", PROFILED),
    ("EdgeNode: Scheduled", NODE_SCHEDULED),
    ("EdgeNode: RunnerReady (and MainstreamApp: Running)", RUNNER),
    ("EdgeNode: StreamsConnected", STREAMS),
    ("EdgeNode: Overcommitted", OVERCOMMITTED),
    ("MainstreamApp: Trained", TRAINED),
    ("MainstreamApp: Scheduled", APP_SCHEDULED),
    ("MainstreamApp: Running", RUNNING),
    ("MainstreamApp: Degraded", DEGRADED),
)
REASONS = {reason.word: reason for _, reasons in TABLES for reason in reasons}

_HEAD = """# Reasons, and what to do

Every condition has a reason in one word: the same in `kubectl get`, `kubectl describe`, Kubernetes Events, logs and metrics.
The message beside it names the object, the field or the Job. `kubectl mainstream doctor` lists what is wrong, with these
remedies.
"""


def page() -> str:
    """docs/reasons.md."""
    parts = [_HEAD]
    for title, reasons in TABLES:
        rows = "\n".join(f"| `{one.word}` | {one.means} | {one.remedy or 'nothing: wait'} |" for one in reasons)
        parts.append(f"## {title}\n| reason | means | what to do |\n| --- | --- | --- |\n{rows}\n")
    return "\n".join(parts)


if __name__ == "__main__":
    sys.stdout.write(page())
