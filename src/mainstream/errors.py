"""The errors of Mainstream, named by who must act.

Programs print ``str(error)`` and leave with ``error.exit_status``; nobody catches anything broader.
"""


class MainstreamError(Exception):
    """Something that a person must hear about, in one or a few lines.

    ``problem`` names the field and the value, ``where`` the file (with its line), blob or object, ``remedy`` what to do.
    """

    exit_status = 1

    def __init__(self, problem: str, *, where: object = None, remedy: str | None = None) -> None:
        self.problem = problem
        self.where = None if where is None else str(where)
        self.remedy = remedy
        text = problem if self.where is None else f"{self.where}: {problem}"
        super().__init__(text if remedy is None else f"{text}\n  {remedy}")

    @property
    def line(self) -> str:
        """All of it in one line, as conditions and Jobs have it."""
        problem, _, remedy = str(self).partition("\n")
        parts = [problem if problem.endswith((".", "!", "?")) or not remedy else f"{problem}.", *remedy.split()]
        return " ".join(parts)


class InputError(MainstreamError):
    """The user must change an input: a manifest, a dataset, an option."""

    exit_status = 2


class PackageError(InputError):
    """An artifact (M-Package, base DNN) is broken, hostile or of a version that this program does not know."""


class OperationError(MainstreamError):
    """The input is right, yet the work failed: a full disk, a read-only store, a source that went away."""


class MissingExtraError(MainstreamError):
    """A verb needs an extra of the distribution that is not installed."""

    exit_status = 2
