"""Sessions: moderation that is started, watched and stopped at the vendors.

machine.py      what is due for a session, and what becomes of it: pure
driver.py       does it: one session, its vendor, its record
controller.py   the role: owns the sessions of its partitions
directory.py    all sessions, read from Kafka, for whoever asks
"""
