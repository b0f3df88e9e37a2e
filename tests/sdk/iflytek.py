"""iFlytek's own client for audio compliance, against the address and account of the command line. Its library is not
ours: run it in the environment that `make sdk` makes. Prints the answers as JSON."""

import json
import sys

from xfyunsdknlp.audio_moderation_client import Audio, AudioModerationClient


def main() -> None:
    _, url, app_id, key, secret = sys.argv
    client = AudioModerationClient(
        app_id,
        key,
        secret,
        host_url=f"{url}/audit/v2/audio",
        query_url=f"{url}/audit/v2/query",
        notify_url="http://127.0.0.1:1/notify",
        timeout=10,
    )
    audio = Audio(audio_type="mp3", file_url="https://cdn.example.com/1.mp3", name="1.mp3")
    submitted = json.loads(client.send([audio.to_dict()]))
    queried = json.loads(client.query(submitted["data"]["request_id"]))
    print(json.dumps({"submit": submitted, "query": queried}), flush=True)


if __name__ == "__main__":
    main()
