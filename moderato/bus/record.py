"""What a consumer reads, as everything here handles it."""

from typing import TypeAlias

from aiokafka import ConsumerRecord

Record: TypeAlias = "ConsumerRecord[bytes, bytes]"
