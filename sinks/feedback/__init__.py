"""What people and other vendors say of a machine's verdicts."""
