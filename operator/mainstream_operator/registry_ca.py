"""The registries' own CA, where the settings name one: a text for Jobs, a file for our own connections."""

from pathlib import Path

from mainstream_operator import kinds
from mainstream_operator.client import Api, ApiError, ObjectKey
from mainstream_operator.settings import Settings


class RegistryCa:
    """The registries' own CA, from a ConfigMap of the operator's namespace; read at the start."""

    def __init__(self, api: Api, settings: Settings, folder: Path) -> None:
        self._api, self._settings, self._path = api, settings, folder / "registry-ca.crt"
        self._text: str | None = None

    def load(self) -> None:
        """Read it (``ApiError``, also if it is not there)."""
        name = self._settings.registry.ca_config_map
        if name is None:
            return
        body = self._api.get(ObjectKey(kinds.CONFIG_MAP, self._settings.namespace, name))
        text = ((body or {}).get("data") or {}).get("ca.crt")
        if not text:
            raise ApiError(
                404, f"registry.caConfigMap: no ConfigMap {self._settings.namespace}/{name} with a key ca.crt"
            )
        self._path.write_text(text, encoding="utf-8")
        self._text = text

    def text(self) -> str | None:
        """The certificate (PEM)."""
        return self._text

    def file(self) -> Path | None:
        """The file with it."""
        return self._path if self._text is not None else None
