"""What only one process can read: a sealed box for the way to a worker.

A message to a worker goes through the scheduler. TLS hides it from others on the wire, and neither
from the scheduler nor from Dask's log, which has every message at level DEBUG. So what may have a
secret is encrypted for the one process that is to read it: X25519 with a key that is made for each
message, HKDF, and ChaCha20-Poly1305.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

__all__ = ["Reader", "SealedBox"]

_NONCE: Final = bytes(12)
"""A key is used for one message only."""


@dataclass(frozen=True, slots=True)
class SealedBox:
    """A message that its reader alone can open.

    Attributes:
        key: The public key that was made for this message.
        content: The message, encrypted.
    """

    key: bytes = field(repr=False)
    content: bytes = field(repr=False)

    @classmethod
    def of(cls, message: bytes, reader: bytes) -> SealedBox:
        """Seals a message.

        Args:
            message: The message.
            reader: The reader's public key.
        """
        own = X25519PrivateKey.generate()
        key = own.public_key().public_bytes_raw()
        shared = own.exchange(X25519PublicKey.from_public_bytes(reader))
        return cls(key, _cipher(shared, key, reader).encrypt(_NONCE, message, None))


class Reader:
    """Opens what was sealed for this process.

    Attributes:
        key: The public key, for whoever seals something.
    """

    def __init__(self) -> None:
        self._own = X25519PrivateKey.generate()
        self.key = self._own.public_key().public_bytes_raw()

    def opened(self, box: SealedBox) -> bytes:
        """The message.

        Raises:
            ValueError: It was sealed for another process, or isn't whole.
        """
        shared = self._own.exchange(X25519PublicKey.from_public_bytes(box.key))
        try:
            return _cipher(shared, box.key, self.key).decrypt(_NONCE, box.content, None)
        except InvalidTag:
            raise ValueError("this box is for another process") from None


def _cipher(shared: bytes, sender: bytes, reader: bytes) -> ChaCha20Poly1305:
    derive = HKDF(SHA256(), length=32, salt=None, info=b"turboupload" + sender + reader)
    return ChaCha20Poly1305(derive.derive(shared))
