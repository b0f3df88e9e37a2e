"""Faults put on real processes and real brokers, and a judge who reads the topics afterwards."""
