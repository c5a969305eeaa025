"""A client on the library websockets, as NcatBot has one: the token is in the query, and
the link is made again when it ends. It cuts its link itself from time to time, and goes
on with what had come before the cut."""
import asyncio
import json
import os
import random
import urllib.parse

import websockets

from heard import TOKEN, answer

CUTS = int(os.environ.get("CUTS", "0"))


async def link(ws, todo, cut_after):
    up = True
    while True:
        while up and todo:
            try:
                await ws.send(json.dumps(todo[0]))
                todo.pop(0)
            except websockets.ConnectionClosed:
                up = False  # what has come is still handed out
        call = answer(await ws.recv())
        if call:
            todo.append(call)
        cut_after -= 1
        if cut_after == 0:
            ws.transport.abort()
            up = False


async def main():
    cuts, todo = 0, []
    url = os.environ["ONEBOT_URL"] + "?access_token=" + urllib.parse.quote(TOKEN)
    while True:
        cuts += 1
        try:
            async with websockets.connect(url, ping_interval=1, max_size=None) as ws:
                await link(ws, todo, random.randrange(1, 40) if cuts <= CUTS else 0)
        except (OSError, websockets.WebSocketException):
            pass
        await asyncio.sleep(0.05)


asyncio.run(main())
