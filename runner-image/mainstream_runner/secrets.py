"""Where passwords and keys come from: a folder of files, as a mounted Kubernetes Secret is one.

A manifest names a Secret, never a value. Its key ``password`` is the file ``NAME/password`` or ``NAME.password`` in the folder
(one mounted Secret is flat). Files are read each time they are needed, so a changed one counts at the next connection.
"""

from dataclasses import dataclass
from pathlib import Path

from mainstream.errors import InputError
from mainstream.resources.metadata import SecretRef

MAX_BYTES = 1 << 20
"""A Kubernetes Secret is no larger."""


@dataclass(frozen=True, slots=True)
class Secrets:
    """The folder that ``--secrets`` names; None if there is none."""

    folder: Path | None = None

    def file(self, ref: SecretRef, key: str) -> Path | None:
        """The file of a key (for certificates, which libraries read themselves); None if the Secret has no such key."""
        if self.folder is None:
            return None
        for path in (self.folder / ref.name / key, self.folder / f"{ref.name}.{key}"):
            if path.is_file():
                return path
        return None

    def get(self, ref: SecretRef, key: str) -> str | None:
        """A key's value without the line end that editors add; None if the Secret has no such key."""
        path = self.file(ref, key)
        if path is None:
            return None
        try:
            if path.stat().st_size > MAX_BYTES:
                raise InputError(f"has more than {MAX_BYTES} bytes", where=path, remedy="Is it the right file?")
            return path.read_text(encoding="utf-8").rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
            raise InputError(f"cannot read the secret: {reason}", where=path) from None

    def require(self, ref: SecretRef, key: str, *, where: object) -> str:
        """A key's value; ``InputError`` names ``where`` (who needs it) if it is not there."""
        value = self.get(ref, key)
        if value is None:
            folder = "no --secrets folder was given" if self.folder is None else f"it is not in {str(self.folder)!r}"
            raise InputError(
                f"secret {ref.name!r} has no key {key!r}: {folder}",
                where=where,
                remedy=f"Write the value into the file {ref.name}/{key} of a folder and give it: --secrets FOLDER.",
            )
        return value
