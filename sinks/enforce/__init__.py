"""The enforcer: actions -> outcomes, through one executor a tenant."""
