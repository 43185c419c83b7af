"""A Job and its pods as decisions need them: state, result, trouble. Pure."""

from collections.abc import Iterable
from typing import Literal

from mainstream.errors import InputError
from mainstream.jobs import JobResult
from mainstream_operator.client import Plain
from mainstream_operator.made import Made
from mainstream_operator.runner_state import pod_trouble
from mainstream_operator.values import JobView

JOB_NAME = "batch.kubernetes.io/job-name"
"""Label of a Job's pods."""


def job_view(job: Made, pods: Iterable[Made]) -> JobView:
    """Of a Job and the pods among those given that are its own; of several that say something the newest counts.

    In a Job that failed it is the newest failure, whichever share it is of. In any other one no failure counts: that pod is
    tried again, or was, and well.
    """
    status = (job.body or {}).get("status") or {}
    state, trouble = _state(status)
    bodies = [pod.body for pod in pods if pod.labels.get(JOB_NAME) == job.key.name and pod.body is not None]
    bodies.sort(key=lambda body: str(body["metadata"].get("creationTimestamp", "")))
    said = [result for body in bodies if (result := _result(body)) is not None]
    done = [result for result in said if result.failure is None]
    failed = [result for result in said if result.failure is not None]
    if state == "Active":
        for body in bodies[-1:]:
            found = pod_trouble(body)
            trouble = found.message if found is not None else ""
    last = ((failed or done) if state == "Failed" else done)[-1:]
    return JobView(name=job.key.name, state=state, result=last[0] if last else None, trouble=trouble)


def _state(status: Plain) -> tuple[Literal["Active", "Succeeded", "Failed"], str]:
    for condition in status.get("conditions") or ():
        if condition.get("status") == "True":
            if condition["type"] in {"Complete", "SuccessCriteriaMet"}:
                return "Succeeded", ""
            if condition["type"] in {"Failed", "FailureTarget"}:
                return "Failed", str(condition.get("message", ""))
    return "Active", ""


def _result(pod: Plain) -> JobResult | None:
    for container in (pod.get("status") or {}).get("containerStatuses") or ():
        ended = (container.get("state") or {}).get("terminated") or {}
        if ended.get("message"):
            try:
                return JobResult.parse(ended["message"], where=f"pod {pod['metadata'].get('name')}")
            except InputError:
                return None  # the last words of a program that crashed
    return None
