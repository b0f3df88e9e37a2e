"""What people demand: the API for actions."""
