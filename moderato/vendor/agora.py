"""What every call to Agora's REST APIs has in common."""

import base64

from moderato.credentials import AgoraCredentials


def basic_auth(credentials: AgoraCredentials) -> tuple[str, tuple[str, ...]]:
    """The Authorization header, and the secrets that it gives away."""
    secret = credentials.customer_secret.get_secret_value()
    pair = base64.b64encode(f"{credentials.customer_id}:{secret}".encode()).decode()
    return f"Basic {pair}", (secret, pair)
