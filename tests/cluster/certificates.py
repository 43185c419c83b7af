"""Certificates and kubeconfigs of a cluster, made with openssl."""

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path

from .binaries import program

_DAYS = "2"
"""Longer than any session of tests."""


@dataclass(frozen=True, kw_only=True)
class Authority:
    """The cluster's CA and the files that it made, all in ``folder``; ``server`` is the API server's URL."""

    folder: Path
    server: str

    @property
    def ca(self) -> Path:
        """The CA's certificate."""
        return self.folder / "ca.crt"

    def create(self) -> None:
        """Make the CA, and the key that service accounts' tokens are signed with."""
        self.folder.mkdir(parents=True)
        self._openssl("ecparam", "-genkey", "-name", "prime256v1", "-noout", "-out", "ca.key")
        self._openssl(
            "req", "-x509", "-new", "-key", "ca.key", "-subj", "/CN=test-ca", "-days", _DAYS, "-out", "ca.crt"
        )
        self._openssl("genrsa", "-out", "service-accounts.key", "2048")
        self._openssl("rsa", "-in", "service-accounts.key", "-pubout", "-out", "service-accounts.pub")

    def certificate(self, name: str, user: str, *, group: str = "", names: str = "") -> tuple[Path, Path]:
        """Certificate and key ``name`` for a user of a group; ``names`` (``DNS:...,IP:...``) where it serves."""
        subject = (f"/O={group}" if group else "") + f"/CN={user}"
        extensions = "extendedKeyUsage=clientAuth,serverAuth\n" + (f"subjectAltName={names}\n" if names else "")
        (self.folder / f"{name}.ext").write_text(extensions)
        key, request, made = f"{name}.key", f"{name}.csr", f"{name}.crt"
        self._openssl("ecparam", "-genkey", "-name", "prime256v1", "-noout", "-out", key)
        self._openssl("req", "-new", "-key", key, "-subj", subject, "-out", request)
        by = ("-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial")
        self._openssl("x509", "-req", "-in", request, *by, "-days", _DAYS, "-extfile", f"{name}.ext", "-out", made)
        return self.folder / made, self.folder / key

    def kubeconfig(self, name: str, user: str, *, group: str = "", names: str = "") -> Path:
        """A kubeconfig for that user, with a certificate of its own."""
        certificate, key = self.certificate(name, user, group=group, names=names)
        path = self.folder / f"{name}.kubeconfig"
        cluster = {"server": self.server, "certificate-authority": str(self.ca)}
        path.write_text(
            json.dumps(
                {
                    "apiVersion": "v1",
                    "kind": "Config",
                    "current-context": "test",
                    "clusters": [{"name": "test", "cluster": cluster}],
                    "users": [{"name": name, "user": {"client-certificate": str(certificate), "client-key": str(key)}}],
                    "contexts": [{"name": "test", "context": {"cluster": "test", "user": name}}],
                }
            )
        )
        path.chmod(0o600)
        return path

    def _openssl(self, *arguments: str) -> None:
        subprocess.run([program("openssl", "openssl"), *arguments], cwd=self.folder, check=True, capture_output=True)
