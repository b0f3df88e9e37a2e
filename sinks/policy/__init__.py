"""The policy stage: verdicts -> actions, by rules from a YAML file."""
