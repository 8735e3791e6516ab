"""Certificates, and who signs them."""

import datetime as dt
import ipaddress
from collections.abc import Iterable
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

HERE = "127.0.0.1"


class Authority:
    """Signs its own certificate, `ca.pem`, and one for machines: `cert.pem`, `key.pem`."""

    def __init__(self, folder: Path, addresses: Iterable[str] = (HERE,)) -> None:
        self.folder = folder
        machines = [x509.IPAddress(ipaddress.ip_address(each)) for each in addresses]
        self._machines = x509.SubjectAlternativeName(machines)
        folder.mkdir()
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, folder.name)])
        (folder / "ca.pem").write_bytes(self._signed(self._key.public_key(), ca=True))
        key = ec.generate_private_key(ec.SECP256R1())
        (folder / "cert.pem").write_bytes(self._signed(key.public_key(), ca=False))
        (folder / "key.pem").write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )

    def _signed(self, key: ec.EllipticCurvePublicKey, *, ca: bool) -> bytes:
        now = dt.datetime.now(dt.UTC)
        name = self._name if ca else x509.Name([])
        certificate = (
            x509.CertificateBuilder(self._name, name, key, x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(days=1))
            .not_valid_after(now + dt.timedelta(days=1))
            .add_extension(self._machines, critical=not ca)
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
            .sign(self._key, hashes.SHA256())
        )
        return certificate.public_bytes(serialization.Encoding.PEM)
