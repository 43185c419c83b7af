"""A list of objects as the API server answers it, parsed one by one: thousands at once take ten times their bytes.

The peak decides what memory a pod needs, and the largest lists come at its start.
"""

import json
import re
from collections.abc import Iterator
from typing import Any

from mainstream_operator.kinds import Kind

_BEGIN = re.compile(r'"items"\s*:\s*\[')
"""The list's own: what stands before it in an answer (kind, version, metadata of a list) has no such name."""
_BETWEEN = re.compile(r"[\s,]*")


class Listing:
    """Go through it once; ``version``, from which a watch goes on, is known afterwards."""

    def __init__(self, text: str, kind: Kind) -> None:
        self.version = ""
        self._text, self._kind = text, kind

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """The objects, with what a list leaves out: kind and API version. ``ValueError`` if the text is no list."""
        text, decode = self._text, json.JSONDecoder().raw_decode
        begin = _BEGIN.search(text)
        if begin is None:
            self.version = json.loads(text)["metadata"]["resourceVersion"]
            return
        at = _skip(text, begin.end())
        while text[at : at + 1] not in ("]", ""):
            item, end = decode(text, at)
            yield {**item, "apiVersion": self._kind.api_version, "kind": self._kind.kind}
            at = _skip(text, end)
        self.version = json.loads(text[: begin.end()] + text[at:])["metadata"]["resourceVersion"]


def _skip(text: str, at: int) -> int:
    found = _BETWEEN.match(text, at)
    return found.end() if found else at
