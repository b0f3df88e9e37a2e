"""Certificates for brokers of our own, made when tests run: an authority, a server's certificate, and a stranger."""

import datetime
import ipaddress
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

_DAY = datetime.timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Certificates:
    """PEM files. `server` holds the key as well, as Kafka wants its key store; `stranger` is another authority."""

    authority: Path
    server: Path
    stranger: Path


def make(folder: Path) -> Certificates:
    """Certificates for localhost and 127.0.0.1, good for a day."""
    authority, key = _authority("Moderato tests")
    stranger, _ = _authority("Somebody else")
    made = Certificates(folder / "authority.pem", folder / "server.pem", folder / "stranger.pem")
    made.authority.write_bytes(_pem(authority))
    made.stranger.write_bytes(_pem(stranger))
    server_key = ec.generate_private_key(ec.SECP256R1())
    names = x509.SubjectAlternativeName(
        [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    )
    server = _certificate("localhost", server_key, authority.subject).add_extension(names, critical=False)
    signed = server.sign(key, hashes.SHA256())
    pkcs8 = (serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    private = server_key.private_bytes(serialization.Encoding.PEM, *pkcs8)
    made.server.write_bytes(private + _pem(signed) + _pem(authority))
    return made


def _authority(name: str) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    key = ec.generate_private_key(ec.SECP256R1())
    built = _certificate(name, key, x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
    constraints = x509.BasicConstraints(ca=True, path_length=0)
    return built.add_extension(constraints, critical=True).sign(key, hashes.SHA256()), key


def _certificate(name: str, key: ec.EllipticCurvePrivateKey, issuer: x509.Name) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _DAY)
        .not_valid_after(now + _DAY)
    )


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)
