"""What the Python bots of this folder share: a line for each message heard, in the
file that HEARD names, and what is answered to "/NAME text". Of what comes again with the
mark nothing is done twice."""
import json
import os

TOKEN = os.environ["ONEBOT_TOKEN"]
SELF_ID = os.environ.get("ONEBOT_SELF_ID", "")
NAME = os.environ["NAME"]
seen = set()


def answer(frame):
    """Notes a frame, and returns the call that answers it or None."""
    event = json.loads(frame)
    if event.get("post_type") != "message":
        return None
    text = event["raw_message"]
    if event.get("replayed") and text in seen:
        return None  # how far it had read when its link was cut nobody else knows
    seen.add(text)
    with open(os.environ["HEARD"], "a", encoding="utf-8") as f:
        f.write(text + "\n")
    if not text.startswith(f"/{NAME} "):
        return None
    message = [{"type": "text", "data": {"text": f"{NAME}: {text[len(NAME) + 2:]}"}}]
    return {"action": "send_group_msg", "params": {"group_id": event["group_id"], "message": message}, "echo": {"seq": text}}
