"""What a runner in a cluster runs while it has no schedule: nothing, alive and ready to take one over."""

from mainstream.schedule import Schedule


def idle_schedule(edge_node: str) -> Schedule:
    """A schedule without streams and apps, which no operator writes: no box has such a memory."""
    return Schedule(
        edge_node=edge_node,
        engine="LiteRT",
        threads=1,
        memory_bytes=1 << 62,
        cost=0.0,
        budget=0.0,
        streams=(),
        stems=(),
        apps=(),
    )


def is_idle(schedule: Schedule) -> bool:
    """Whether it stands for none."""
    return schedule == idle_schedule(schedule.edge_node)
