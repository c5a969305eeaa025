"""Two reverse WebSockets, one for calls and one for events, on Quart and hypercorn, as
aiocqhttp serves them (AstrBot): which is which says X-Client-Role."""
import json
import os

from quart import Quart, abort, websocket

from heard import TOKEN, answer

app = Quart(__name__)
apis = {}


async def serve():
    scheme, _, token = websocket.headers.get("Authorization", "").partition(" ")
    if scheme not in ("Token", "Bearer"):
        abort(401)
    if token != TOKEN:
        abort(403)
    bot = websocket.headers["X-Self-ID"]
    role = websocket.headers["X-Client-Role"].lower()
    if role == "api":
        apis[bot] = websocket._get_current_object()
    while True:
        frame = await websocket.receive()
        if role == "api":
            continue  # answers
        call = answer(frame)
        if call:
            await apis[bot].send(json.dumps(call))


app.add_websocket("/ws/api/", "api", serve)
app.add_websocket("/ws/event/", "event", serve)
app.run(host="127.0.0.1", port=int(os.environ["WAITS"]))
