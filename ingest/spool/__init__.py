"""Keeps acknowledged callbacks on local disk while Kafka does not answer, and brings them to Kafka afterwards."""
