"""A reverse WebSocket on FastAPI and uvicorn, as NoneBot's driver and adapter serve
it: a link without X-Self-ID, with a wrong token or for a bot that is there already is
refused before it is accepted."""
import json
import os

import uvicorn
from fastapi import FastAPI, WebSocket, WebSocketDisconnect

from heard import SELF_ID, TOKEN, answer

app = FastAPI()
bots = set()


@app.websocket("/onebot/v11/ws")
async def link(ws: WebSocket):
    bot = ws.headers.get("x-self-id")
    if not bot or bot in bots or ws.headers.get("authorization") != f"Bearer {TOKEN}":
        await ws.close(1008)
        return
    assert bot == SELF_ID
    bots.add(bot)
    await ws.accept()
    try:
        while True:
            call = answer(await ws.receive_text())
            if call:
                await ws.send_text(json.dumps(call))
    except WebSocketDisconnect:
        pass
    finally:
        bots.discard(bot)


uvicorn.run(app, host="127.0.0.1", port=int(os.environ["WAITS"]), log_level="warning")
